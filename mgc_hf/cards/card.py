"""The model card: a pure function of the record, through `template.md`.

The template holds the words, this module the values. Whatever the template prints is escaped unless it is `Markdown`
already, so that a genre called `<script>` or `a|b` can break neither the page nor its tables.
"""

import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import PurePath
from typing import Any

from mgc_hf.cards.hub_ids import is_hub_id
from mgc_hf.cards.licences import licence_of
from mgc_hf.cards.markdown import Markdown, clean, code, escape, without_paths
from mgc_hf.cards.paper import REPORTED
from mgc_hf.cards.signature import is_as_generated, sign
from mgc_hf.labels import GTZAN_GENRES
from mgc_hf.models import DEFAULT_MODEL, OWN_MODELS
from mgc_hf.models.pipelines import OWN_TASK, pipeline_task
from mgc_hf.predictions import PARTS
from mgc_hf.results import (
    FLOOR_MODEL,
    PICTURE_FILES,
    WIDGET_FILES,
    GenreScores,
    Interval,
    LevelScores,
    RunResult,
    TrainingRecord,
    format_duration,
    format_interval,
    format_p_value,
)
from mgc_hf.schema import yaml_text

#: What the snippets call the model folder and the audio file.
FOLDER, CLIP = "path/to/this/folder", "clip.wav"
DEMO_NAME = "mgc_hf demo corpus (synthetic)"
#: Below this many test tracks the card says that they are few.
FEW_TRACKS = 100

_ALT_TEXTS = {
    "class_distribution": "Number of tracks and segments per genre and part",
    "waveforms": "Waveform of one clip per genre",
    "mel_spectrograms": "Mel-spectrogram of one clip per genre",
    "training_curves": "Accuracy and loss per epoch",
    "confusion_matrix_track": "Confusion matrix of tracks",
    "confusion_matrix_segment": "Confusion matrix of segments",
    "reliability": "Accuracy against confidence, of tracks and of segments",
}


def render_card(result: RunResult) -> str:
    """Render the README.md of a model folder.

    Args:
        result ([`RunResult`]): The record.

    Returns:
        `str`: Signed (`signature.py`) Markdown with a YAML header as the Hub reads it (`model-index` included). It names
        no local path: of a local source only the last component is shown.
    """
    body = template("template.md").render(_values(result))
    body = re.sub(r"\n{3,}", "\n\n", body)  # blank lines of branches that were not taken
    return sign(f"---\n{yaml_text(metadata(result).to_dict())}---\n\n{body.strip()}\n")


def address(card: str, repo_id: str, endpoint: str) -> str:
    """Return a generated card as it stands on the Hub: its examples name the repository, its clips have addresses.

    Args:
        card (`str`): A card of a local folder; one that somebody has edited comes back as it is.
        repo_id (`str`): `owner/name` of the model's repository.
        endpoint (`str`): The Hub's address.
    """
    if not is_as_generated(card):
        return card
    files = f"{endpoint}/{repo_id}/resolve/main/"
    for path in WIDGET_FILES.values():
        card = card.replace(f"src: {path}", f"src: {files}{path}").replace(f'src="{path}"', f'src="{files}{path}"')
    return sign(card.replace(FOLDER, repo_id))


@cache
def template(name: str) -> Any:
    """Return a template of this folder, which prints values escaped."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, finalize=escape, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = code
    return environment.from_string(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


def snippets(card: str) -> dict[str, str]:
    """Return the code of a card's usage examples by their names: `pipeline`, `auto_classes`, `command_line`, and for
    models of transformers `stock_pipeline`."""
    pattern = r"<!-- snippet: (\w+) -->\n```\w+\n(.*?)```"
    return dict(re.findall(pattern, card, flags=re.DOTALL))


def metadata(result: RunResult) -> Any:
    """Return the card's YAML header as `huggingface_hub.ModelCardData`: only keys that have a value, plain types."""
    from huggingface_hub import ModelCardData

    optional: dict[str, Any] = {}
    if result.training is not None and is_hub_id(result.data.source):
        optional["datasets"] = [result.data.source]
    if result.model.base_model is not None and is_hub_id(result.model.base_model):
        optional |= {"base_model": result.model.base_model, "base_model_relation": "finetune"}
    if result.training is not None:  # the model of an evaluation lies elsewhere, under a licence of its own
        optional |= licence_of(result.model.base_model)[0]
        optional["widget"] = [
            {"example_title": f"{genre.capitalize()} (synthetic)", "src": path} for genre, path in WIDGET_FILES.items()
        ]
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="audio-classification",
        tags=["mgc_hf", "music-genre-classification"],
        metrics=["accuracy", "f1"],
        model_name=_shown(result.name),
        eval_results=_eval_results(result),
        **optional,
    )


def _eval_results(result: RunResult) -> list[Any]:
    from huggingface_hub import EvalResult

    data = result.data
    source, revision = data.tested
    dataset_type = "mgc_hf-demo" if _is_demo(source, data.is_demo) else "audiofolder"
    arguments = {"protocol": result.protocol, "leaky": result.leaky, "split_hash": result.split.hash}
    shared: dict[str, Any] = {
        "task_type": "audio-classification",
        "task_name": "Music genre classification",
        "dataset_type": source if is_hub_id(source) else dataset_type,
        "dataset_name": _source_name(source, data.is_demo),
        "dataset_split": "test",
        "dataset_revision": revision,
        "dataset_args": {key: value for key, value in arguments.items() if value is not None},
    }
    return [
        EvalResult(metric_type=kind, metric_name=f"{label} ({level}s)", metric_value=round(float(value), 4), **shared)
        for level, scores in result.levels.items()
        for kind, label, value in (
            ("accuracy", "Accuracy", scores.accuracy.value),
            ("f1", "Macro F1", scores.macro_f1.value),
        )
    ]


def _values(result: RunResult) -> dict[str, Any]:
    """Return everything that the template prints, by the names that it uses."""
    data, training = result.data, result.training
    sources = [source for source in (data.source, data.test_source) if source is not None]
    test_tracks = sum(data.tracks.get("test", {}).values())
    ci = next(iter(result.levels.values())).accuracy.ci95
    return {
        "title": card_title(result),
        "result": result,
        "name": _shown(result.name),
        "levels": {level: _level(scores) for level, scores in result.levels.items()},
        "has_wilson": any(scores.recall_ci95 is not None for scores in result.segment.per_genre.values()),
        "calibrations": _calibrations(result),
        "protocol_seed": "none" if result.split.seed is None else result.split.seed,
        "source": source_link(data.source, data.is_demo),
        "source_is_demo": _is_demo(data.source, data.is_demo),
        "test_source": None if data.test_source is None else source_link(data.test_source, data.is_demo),
        "has_local_source": any(not is_hub_id(s) and not _is_demo(s, data.is_demo) for s in sources),
        "test_is_demo": _is_demo(data.test_source or data.source, data.is_demo),
        "is_gtzan": set(data.genres) <= set(GTZAN_GENRES) and not all(_is_demo(s, data.is_demo) for s in sources),
        **_beginning(result),
        "licence": None if training is None else Markdown(licence_of(result.model.base_model)[1]),
        # the code of our own models lies beside the weights; all others are transformers' own
        "own_code": result.model.model_type in OWN_MODELS,
        "is_floor": result.model.model_type == FLOOR_MODEL,
        "task": Markdown(pipeline_task(result.model.model_type)),
        "own_task": Markdown(OWN_TASK),
        "widget_clips": [(genre.capitalize(), Markdown(path)) for genre, path in WIDGET_FILES.items()],
        "reported": REPORTED.get(result.model.model_type) if training is not None else None,
        "folds": _folds(result),
        "folder": Markdown(FOLDER if result.split.folds is None else f"{FOLDER}/fold-0"),
        "clip": Markdown(CLIP),
        "sampling_rate": Markdown(f"{data.sampling_rate:,}"),
        "rate": Markdown(data.sampling_rate),
        "window_seconds": Markdown(data.segment_seconds),
        "genres": Markdown(", ".join(map(escape, data.genres))),
        "num_parameters": Markdown(f"{result.model.num_parameters:,}"),
        "parts": [part for part in PARTS if sum(data.tracks.get(part, {}).values())],
        "counts": _counts(result),
        "all_tracks": Markdown(f"{sum(sum(of.values()) for of in data.tracks.values()):,}"),
        "skipped": [(without_paths(file.file), without_paths(file.reason)) for file in data.skipped],
        "pictures": {
            name: Markdown(f"![{_ALT_TEXTS[name]}]({PICTURE_FILES[name]})" if name in result.pictures else "")
            for name in PICTURE_FILES
        },
        "options": None if training is None else _options(training.options),
        "resolved": None if training is None else _options(training.resolved),
        "has_validation": bool(sum(data.tracks.get("validation", {}).values())),
        "training_time": None if training is None else format_duration(training.seconds),
        "command": None if training is None else _command(training, result),
        "rerun_options": Markdown(_rerun_options(result)),
        "evaluated": Markdown(shlex.quote("demo" if _is_demo(data.source, data.is_demo) else _shown(data.source))),
        "environment": _environment(result),
        "test_tracks": Markdown(f"{test_tracks:,} track{'' if test_tracks == 1 else 's'}"),
        "few_tracks": test_tracks < FEW_TRACKS,
        "interval_points": None if ci is None else f"{100 * (ci[1] - ci[0]):.0f}",
        **_floor(result),
    }


def card_title(result: RunResult, kind: str | None = None) -> str:
    """Return a card's title: the run's name, what it is, and what must be known before its figure is read.

    Args:
        result ([`RunResult`]): The record.
        kind (`str`, *optional*): What it is, in words; empty for none.
    """
    marks = []
    if result.leaky:
        marks.append("leaky split")
    if result.model.contamination:
        marks.append("contaminated base")
    if result.data.is_demo:
        marks.append("synthetic demo corpus")
    if result.training and _lacks_pre_training(result):
        marks.append("not pre-trained")
    if kind is None:
        kind = "music genre classification" if result.training else "evaluation"
    return _shown(result.name) + (f": {kind}" if kind else "") + (f" ({', '.join(marks)})" if marks else "")


def _level(scores: LevelScores) -> dict[str, Any]:
    rows = [(genre, *_genre_row(of_genre)) for genre, of_genre in scores.per_genre.items()]
    averages = [
        (f"{name} average", *(f"{value:.2f}" for value in (a.precision, a.recall, a.f1)), f"{scores.n:,}")
        for name, a in (("macro", scores.macro), ("weighted", scores.weighted))
    ]
    return {
        "n": f"{scores.n:,}",
        "accuracy": Markdown(format_interval(scores.accuracy)),
        "top2": _interval(scores.top2_accuracy),
        "by_artist": _interval(scores.accuracy_by_artist),
        "macro_f1": Markdown(format_interval(scores.macro_f1)),
        "loss": f"{scores.loss:.3f}",
        "rows": rows,
        "averages": averages,
    }


def _floor(result: RunResult) -> dict[str, Any]:
    """Return what the template says of the floor: its row of the results, the paired test, and whether it is beaten."""
    floor, training = result.floor, result.training
    if floor is None:
        # records of before there was a floor say nothing of it
        return {"floor": None, "without_floor": training is not None and training.resolved.get("floor") is False}
    ci = floor.difference.ci95
    return {
        "floor": {
            "beaten": floor.beaten,
            "verdict": floor.verdict,
            "track": Markdown(format_interval(floor.track)) if floor.track else "not defined",
            "segment": Markdown(format_interval(floor.segment)),
            "difference": f"{100 * floor.difference.value:+.1f} points",
            "interval": None if ci is None else Markdown(f"[{100 * ci[0]:+.1f}, {100 * ci[1]:+.1f}]"),
            "run_alone": floor.run_alone,
            "floor_alone": floor.floor_alone,
            "p_value": Markdown(format_p_value(floor.p_value)),
        },
        "without_floor": False,
    }


def _genre_row(scores: GenreScores) -> tuple[Any, ...]:
    """Return precision, recall, F1 and support; without a true item nothing was measured."""
    if not scores.support:
        return None, None, None, 0
    recall = f"{scores.recall:.2f}"
    if scores.recall_ci95 is not None:
        recall = Markdown(f"{recall} [{scores.recall_ci95[0]:.2f}, {scores.recall_ci95[1]:.2f}]")
    return f"{scores.precision:.2f}", recall, f"{scores.f1:.2f}", f"{scores.support:,}"


def _interval(interval: Interval | None) -> Markdown | None:
    return None if interval is None else Markdown(format_interval(interval))


def _calibrations(result: RunResult) -> dict[str, dict[str, Any]] | None:
    """Return the figures of calibration at each level, none where they were not measured."""
    return {
        level: {
            "ece": f"{100 * one.ece:.1f} points",
            "bins": len(one.bins),
            "temperature": None if one.temperature is None else f"{one.temperature:.2f}",
            "after": None if one.ece_at_temperature is None else f"{100 * one.ece_at_temperature:.1f}",
        }
        for level, scores in result.levels.items()
        if (one := scores.calibration) is not None
    } or None


def _counts(result: RunResult) -> list[tuple[str, list[str]]]:
    """Return per genre, and for all of them, `tracks (segments)` of each part that has any."""
    tracks, segments = result.data.tracks, result.data.segments
    parts = [part for part in PARTS if sum(tracks.get(part, {}).values())]
    rows = [
        (genre, [f"{tracks[part].get(genre, 0):,} ({segments.get(part, {}).get(genre, 0):,})" for part in parts])
        for genre in result.data.genres
    ]
    totals = [f"{sum(tracks[part].values()):,} ({sum(segments.get(part, {}).values()):,})" for part in parts]
    return [*rows, (Markdown("*all*"), totals)]


def _folds(result: RunResult) -> dict[str, Any] | None:
    """Return the test tracks of each fold of a cross-validation, genre by genre; `None` of any other record."""
    folds = result.split.folds
    if folds is None:
        return None
    rows = [(genre, [f"{fold.get(genre, 0):,}" for fold in folds]) for genre in result.data.genres]
    totals = (Markdown("*all*"), [f"{sum(fold.values()):,}" for fold in folds])
    return {"number": len(folds), "rows": [*rows, totals]}


def _options(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return options by name, without what is secret or tells where on a machine the run was."""
    shown = {name: without_paths(value) for name, value in values.items() if not _is_private(name)}
    return sorted(shown.items())


#: Options whose value may be a path; the record holds its last component.
_SOURCE_OPTIONS = ("dataset", "test_dataset", "audio", "test_audio", "split", "model_name_or_path")


def _is_private(name: str) -> bool:
    return name.endswith(("token", "_dir")) or name in ("resume", "config")


def _command(training: TrainingRecord, result: RunResult) -> dict[str, Any]:
    """Return the command or program that repeats a run.

    `local` names the values that stand for a path on the reader's machine, `empty` the options that no flag can
    express because their value is none.
    """
    options = dict(_options(training.options))
    for name, source in (("dataset", result.data.source), ("test_dataset", result.data.test_source)):
        if name in options and source is not None:
            options[name] = _shown(source)
    given = {**{name: value for name, value in options.items() if value is not None}, "output_dir": "DIR"}
    paths = [given[name] for name in _SOURCE_OPTIONS if name in given and not is_hub_id(given[name])]
    known = ("demo", *OWN_MODELS)
    recipe = clean(PurePath(training.recipe).name)
    notes = {"local": [path for path in paths if path not in known], "empty": []}
    if not recipe.endswith(".py"):
        arguments = "".join(f"    {clean(name)}={_literal(value)},\n" for name, value in given.items())
        text = f"import mgc_hf\n\nmgc_hf.{recipe.rsplit('.', 1)[-1]}(\n{arguments})"
        return {"language": "python", "text": Markdown(text), **notes}
    start = "python" if result.environment.world_size == 1 else _torchrun(result.environment.world_size)
    parts = [f"{start} {shlex.quote(f'recipes/{recipe}')}", *(_flag(*item) for item in given.items())]
    notes["empty"] = sorted(name for name, value in options.items() if value is None)
    return {"language": "bash", "text": Markdown(" \\\n    ".join(parts)), **notes}


def _rerun_options(result: RunResult) -> str:
    """Return what `mgc-hf rerun` must be told, since the record names only the last component of a local path."""
    if result.training is None:
        return ""
    data, options = result.data, result.training.resolved
    sources = {"dataset": data.source, "test_dataset": data.test_source}
    base = options.get("model_name_or_path", DEFAULT_MODEL)
    local = {
        **{
            name: source is not None and not is_hub_id(source) and not _is_demo(source, data.is_demo)
            for name, source in sources.items()
        },
        **{name: options.get(name) is not None for name in ("audio", "test_audio")},
        "model_name_or_path": base not in OWN_MODELS and not is_hub_id(base),
    }
    return "".join(f" --{name} path/to/the/same" for name, is_local in local.items() if is_local)


def _torchrun(world_size: int) -> str:
    # accelerate launch starts one process only where there is no GPU
    return f"torchrun --nproc_per_node {world_size}"


def _flag(name: str, value: Any) -> str:
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, list):
        return " ".join([f"--{name}", *(shlex.quote(clean(str(item))) for item in value)])
    if isinstance(value, dict):
        value = json.dumps(value)
    return f"--{name} {shlex.quote(clean(str(value)))}"


def _literal(value: Any) -> str:
    return repr(clean(value)) if isinstance(value, str) else repr(value)


def _environment(result: RunResult) -> list[tuple[str, str]]:
    environment = result.environment
    threads = "1 thread" if environment.num_threads == 1 else f"{environment.num_threads} threads"
    seconds = result.inference_seconds
    hardware = f"{environment.device}, {environment.platform}, {threads}"
    return [
        ("Hardware", without_paths(hardware)),
        ("Processes", str(environment.world_size)),
        ("Precision", environment.precision),
        *(
            []
            if seconds is None
            else [("Inference", f"{format_duration(seconds)} for {result.segment.n:,} test segments")]
        ),
        ("mgc_hf", result.mgc_hf_version),
        ("Python", environment.python),
        ("Packages", ", ".join(f"{name} {version}" for name, version in sorted(environment.packages.items()))),
    ]


def _is_demo(source: str, any_is_demo: bool) -> bool:
    return any_is_demo and source == "demo"


def _source_name(source: str, any_is_demo: bool) -> str:
    return DEMO_NAME if _is_demo(source, any_is_demo) else _shown(source)


def source_link(source: str, any_is_demo: bool) -> Markdown:
    """Return a source as Markdown: a Hub data set as a link."""
    if is_hub_id(source):
        return Markdown(f"[{source}](https://huggingface.co/datasets/{source})")
    if _is_demo(source, any_is_demo):
        return Markdown(f"the {DEMO_NAME}")
    return code(_shown(source))


def source_text(result: RunResult) -> Markdown:
    """Return where a record's data is from, as Markdown: what was trained on and, where it is other data, tested on."""
    data = result.data
    shown = source_link(data.source, data.is_demo)
    return (
        shown
        if data.test_source is None
        else Markdown(f"{shown}, tested on {source_link(data.test_source, data.is_demo)}")
    )


def _shown(name: str) -> str:
    """Return a name on one line and without a local path; a Hub id stays as it is."""
    return name if is_hub_id(name) else clean(without_paths(name)) or "unnamed"


def _lacks_pre_training(result: RunResult) -> bool:
    """Whether a model of a kind that comes pre-trained began without: that weighs on every figure."""
    return result.model.base_model is None and result.model.model_type not in OWN_MODELS


def _beginning(result: RunResult) -> dict[str, Any]:
    """Say what the weights were before training."""
    name = result.model.base_model
    if name is not None:
        return {"began": "fine-tuned", "weights_began": _base_model(name)}
    if _lacks_pre_training(result):
        began = "trained from scratch, without pre-trained weights,"
        return {"began": began, "weights_began": "from scratch, at random: not pre-trained"}
    return {"began": "trained from scratch", "weights_began": "from scratch"}


def _base_model(name: str) -> Markdown:
    return Markdown(f"[{name}](https://huggingface.co/{name})") if is_hub_id(name) else code(_shown(name))
