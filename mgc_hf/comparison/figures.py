"""Every scalar figure of a report in one table: a row for each run and level, for programs and spreadsheets."""

from pathlib import Path
from typing import Any

from mgc_hf.comparison.material import Material, RunEntry
from mgc_hf.files import atomic_path
from mgc_hf.results import FloorRecord, Interval, LevelScores


def write_figures(material: Material, path: str | Path) -> None:
    """Write `results.parquet` atomically: one row per run and level that is defined; what was not measured is null.

    Args:
        material ([`Material`]): The runs.
        path (`str` or `Path`): The file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_row(run, level) for run in material.runs for level in run.result.levels]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def _row(run: RunEntry, level: str) -> dict[str, Any]:
    result = run.result
    scores = result.levels[level]
    trainings = [one.training for one in run.trained if one.training is not None]
    return {
        "run": run.key,
        "name": result.name,
        "system": run.system.key,
        "system_title": run.system.title,
        "about": run.system.about,
        "stands_for": run.system.paper,
        "protocol": run.protocol,
        "leak": result.leak,
        "leaky": result.leaky,
        "verdict": None if result.split.verdict is None else result.split.verdict.status,
        "seed": None if run.seed < 0 else run.seed,
        "split_seed": result.split.seed,
        "split_hash": result.split.hash,
        "folds": len(run.folds) or None,
        "data": result.data.tested[0],
        "data_revision": result.data.tested[1],
        "is_demo": result.data.is_demo,
        "level": level,
        "n": scores.n,
        **_interval("accuracy", scores.accuracy),
        **_interval("macro_f1", scores.macro_f1),
        **_interval("top2_accuracy", scores.top2_accuracy),
        **_interval("accuracy_by_artist", scores.accuracy_by_artist),
        "loss": scores.loss,
        **{f"macro_{name}": value for name, value in vars(scores.macro).items()},
        **{f"weighted_{name}": value for name, value in vars(scores.weighted).items()},
        **_calibration(scores),
        **_floor(result.floor, level),
        "model_type": result.model.model_type,
        "base_model": result.model.base_model,
        "contamination": result.model.contamination,
        "num_parameters": result.model.num_parameters,
        "training_seconds": sum(one.seconds for one in trainings) if trainings else None,
        "epochs": max(one.epochs for one in trainings) if trainings else None,
        "steps": sum(one.steps for one in trainings) if trainings else None,
        "inference_seconds": result.inference_seconds,
        "device": result.environment.device,
        "precision": result.environment.precision,
        "num_threads": result.environment.num_threads,
        "world_size": result.environment.world_size,
        "commit": run.commit,
        "mgc_hf_version": result.mgc_hf_version,
        "created": result.created,
        **{
            f"{genre}_{name}": value
            for genre, of_genre in scores.per_genre.items()
            for name, value in vars(of_genre).items()
            if name != "recall_ci95"
        },
    }


def _interval(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = (None, None) if interval is None or interval.ci95 is None else interval.ci95
    value = None if interval is None else interval.value
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _calibration(scores: LevelScores) -> dict[str, float | None]:
    found = scores.calibration
    return {name: getattr(found, name, None) for name in ("ece", "temperature", "ece_at_temperature")}


def _floor(floor: FloorRecord | None, level: str) -> dict[str, Any]:
    """Return the floor's figures; the paired test is of the level that the protocol divides."""
    accuracy: Interval | None = None if floor is None else getattr(floor, level)
    return {
        **_interval("floor_accuracy", accuracy),
        **_interval("less_floor", None if floor is None else floor.difference),
        "floor_p_value": None if floor is None else floor.p_value,
    }
