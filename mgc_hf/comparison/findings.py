"""The report's sections on what stands behind each figure: verdicts, audits, faults and the floor; cost; calibration."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mgc_hf.comparison import charts
from mgc_hf.comparison.formatting import (
    NOT_MEASURED,
    counted,
    interval_cell,
    interval_text,
    listed,
    missing,
    number,
    protocol_title,
    time_cell,
)
from mgc_hf.comparison.material import Material, RunEntry, System
from mgc_hf.comparison.sections import Cell, Picture, Section, Table
from mgc_hf.results import LevelScores, RunResult


def findings(material: Material) -> Section:
    """Return what speaks for and against each run's figure: verdict, audit, base checkpoint, floor."""
    rows = [
        [
            Cell(run.system.title),
            Cell(protocol_title(run.protocol)),
            Cell(str(run.seed) if run.seed >= 0 else "none"),
            _verdict_cell(run),
            _audit_cell(run),
            _contamination_cell(run),
            _faults_cell(run.result),
            *_floor_cells(run),
        ]
        for run in material.runs
    ]
    columns = [
        "System",
        "Protocol",
        "Seed",
        "Verdict on the split",
        "Audit",
        "Base checkpoint",
        "Known faults left out",
        "Less the floor, points",
        "Above the floor",
    ]
    note = (
        "Verdict: what the division was found to leak before training. Audit: what mgc-hf audit found in the run's split. "
        "Less the floor: accuracy less that of the linear floor on the same test part, paired."
    )
    tables = [Table("findings", "Run by run", columns, rows, note)]
    audits = _audit_table(material)
    if audits is not None:
        tables.append(audits)
    return Section("findings", "What speaks for and against each figure", [], _finding_warnings(material), tables)


def cost(material: Material) -> Section:
    """Return what training and inference cost, system by system."""
    rows = []
    for system in material.systems:
        for protocol in material.protocols:
            runs = material.of(system, protocol)
            if runs:
                rows.append(_cost_row(system, protocol, runs))
    columns = [
        "System",
        "Protocol",
        "Parameters",
        "Training, a run",
        "Epochs",
        "Optimiser steps",
        "Inference, test part",
        "Segments a second",
        "Audio over time",
        "Device",
    ]
    note = (
        "Means over seeds; of cross-validation, training of all folds together. Training is the wall time of training "
        "alone; inference the forward passes over the test part with features at hand, and audio over time says how much "
        "faster than listening that is. Times of shared machines drift."
    )
    table = Table("cost", "Training cost and inference speed", columns, rows, note)
    return Section("cost", "What it cost", [], [], [table])


def calibration(material: Material) -> Section:
    """Return whether probabilities mean what they say, system by system."""
    runs = [run for run in material.runs if run.scores.calibration is not None]
    title = "Whether probabilities mean what they say"
    if not runs:
        return Section("calibration", title, ["Calibration was not measured in any of these runs."])
    rows = [_calibration_row(run.scores, run) for run in runs]
    columns = [
        "System",
        "Protocol",
        "Seed",
        "Calibration error (ECE)",
        "Temperature",
        "Calibration error at that temperature",
        "Right among the two most probable",
    ]
    note = (
        "ECE: mean distance between confidence and the share that is right, over bins. The temperature divides logits; it "
        "is found on the validation part, so that without one it was not measured."
    )
    shown = [run for system in material.systems if (run := material.best_shown(system, "track")) in runs]
    shown = shown or runs[:1]
    picture = Picture(
        "reliability",
        "Reliability",
        "Share that is right against the confidence in it; on the diagonal, probabilities mean what they say. Runs of the "
        f"lowest seed, protocol {listed(sorted({run.protocol for run in shown}))}.",
        "Reliability diagram; the calibration errors are in the table above.",
        draw=lambda: charts.reliability(shown),
    )
    table = Table("calibration", title, columns, rows, note)
    return Section("calibration", title, [], [], [table], [picture])


def _verdict_cell(run: RunEntry) -> Cell:
    verdict = run.result.split.verdict
    if verdict is None:
        return Cell(run.result.leak, mark=run.mark or "missing")
    if verdict.status == "clean":
        return Cell("clean")
    if verdict.status == "leaks":
        kinds = sorted({leak.kind for leak in verdict.leaks})
        counts = [counted(sum(leak.kind == kind for leak in verdict.leaks), kind) for kind in kinds]
        return Cell(f"leaks: {listed(counts)} in several parts", mark="leaky")
    text = f"{verdict.status}: {verdict.num_unknown} of {verdict.num_tracks} tracks without a known artist"
    return Cell(text, mark="warning")


def _audit_cell(run: RunEntry) -> Cell:
    if run.audit is None:
        return missing("not audited")
    is_clean, text = audit_summary(run)
    return Cell(text, mark=None if is_clean else "warning")


def audit_summary(run: RunEntry) -> tuple[bool, str]:
    """Return whether the audit of a run found nothing against its figure, and what it found in a few words."""
    audit = run.audit or {}
    if not audit.keys() >= _OF_A_SPLIT or audit["split"] is None:
        return False, "no audit of a split"
    if not _is_of_split(run):
        return False, "of another split than this run's"
    kinds = Counter(finding["kind"] for finding in _leaks_of(run))
    found = [f"{count} x {kind}" for kind, count in kinds.items()]
    unusable = [bad for bad in audit.get("bad_files", []) if bad["kind"] != "odd"]
    if unusable:
        found.append(counted(len(unusable), "unusable file"))
    status = str(audit.get("status"))
    return (False, f"{status}: {listed(found)}") if found else (status == "clean", status)


#: Keys of `audit.json` that an audit of a data set has, and one of a published model has not.
_OF_A_SPLIT = {"status", "split", "split_hash", "findings", "bad_files"}


def _is_of_split(run: RunEntry) -> bool:
    audit = run.audit or {}
    return audit.keys() >= _OF_A_SPLIT and audit["split_hash"] == run.result.split.hash is not None


def _leaks_of(run: RunEntry) -> list[dict[str, Any]]:
    """Return the leaks in an audit of the run's own split; another split's say nothing of it."""
    audit = run.audit or {}
    return [finding for finding in audit["findings"] if finding["leak"]] if _is_of_split(run) else []


def _audit_table(material: Material) -> Table | None:
    """Return the leaks that audits found, those that are the same for several runs once."""
    runs_of: dict[tuple[str, str, str, str], list[str]] = {}
    for run in material.runs:
        for finding in _leaks_of(run):
            places = ", ".join(
                f"{track['track_id']} ({track['part'] or 'no part'})" for track in finding["tracks"][:6]
            )
            more = len(finding["tracks"]) - 6
            places += f" and {more} more" if more > 0 else ""
            runs_of.setdefault((finding["kind"], finding["name"], places, finding["evidence"]), []).append(run.key)
    if not runs_of:
        return None
    rows = [
        [Cell(kind), Cell(name), Cell(places), Cell(evidence), Cell(", ".join(runs), mark="warning")]
        for (kind, name, places, evidence), runs in list(runs_of.items())[:_MOST_LEAKS]
    ]
    left = len(runs_of) - len(rows)
    note = f"{left} more are in the runs' audit.json." if left > 0 else None
    return Table(
        "audits", "Leaks that the audits found", ["Kind", "What is shared", "Tracks", "Evidence", "Runs"], rows, note
    )


#: Rows of the table of leaks; the rest is in the audits.
_MOST_LEAKS = 60


def _contamination_cell(run: RunEntry) -> Cell:
    base, reason = run.result.model.base_model, run.result.model.contamination
    if reason is not None:
        return Cell(f"contaminated: {reason}", mark="warning")
    return Cell("from scratch" if base is None else f"{base}: nothing tells of the test data")


def _faults_cell(result: RunResult) -> Cell:
    count = result.data.faults_left_out
    return missing("none asked for") if count is None else number(count)


def _floor_cells(run: RunEntry) -> list[Cell]:
    if run.system.is_floor:
        return [missing("is the floor"), missing("is the floor")]
    floor = run.result.floor
    if floor is None:
        return [missing("not compared"), missing("not compared")]
    beaten = Cell("yes, beyond chance", 1.0) if floor.beaten else Cell("no", 0.0, "warning")
    return [interval_cell(floor.difference, signed=True), beaten]


def _finding_warnings(material: Material) -> list[str]:
    words = []
    dirty = [run.key for run in material.runs if run.result.model.contamination is not None]
    if dirty:
        words.append(f"{listed(dirty)}: the weights these runs began from may know the test part.")
    below = [run for run in material.runs if run.result.floor is not None and not run.result.floor.beaten]
    honest = [run.key for run in below if not run.result.leaky and not run.system.is_floor]
    if honest:
        words.append(f"Not above the linear floor beyond chance: {listed(honest)}.")
    for run in material.runs:
        if run.audit is not None and not audit_summary(run)[0]:
            words.append(f"{run.key}: its audit says {audit_summary(run)[1]}.")
    return words


def _cost_row(system: System, protocol: str, runs: Sequence[RunEntry]) -> list[Cell]:
    trainings = [[one.training for one in run.trained if one.training is not None] for run in runs]
    seconds = [sum(one.seconds for one in each) for each in trainings if each]
    epochs = [one.epochs for each in trainings for one in each]
    steps = [sum(one.steps for one in each) for each in trainings if each]
    inference = [run.result.inference_seconds for run in runs if run.result.inference_seconds]
    timed = [run for run in runs if run.result.inference_seconds]
    per_second = [run.result.segment.n / (run.result.inference_seconds or 1) for run in timed]
    audio = [
        rate * run.result.data.segment_seconds for rate, run in zip(per_second, timed, strict=True)
    ]  # seconds of audio a second
    devices = sorted({f"{run.result.environment.device}, {run.result.environment.precision}" for run in runs})
    return [
        Cell(system.title),
        Cell(protocol_title(protocol)),
        number(runs[0].result.model.num_parameters),
        time_cell(float(np.mean(seconds)) if seconds else None),
        number(float(np.mean(epochs)) if epochs else None, ".3g"),
        number(float(np.mean(steps)) if steps else None),
        time_cell(float(np.mean(inference)) if inference else None),
        number(float(np.mean(per_second)) if per_second else None, ",.3g"),
        number(float(np.mean(audio)) if audio else None, ",.3g", " ×"),
        Cell("; ".join(devices) or NOT_MEASURED),
    ]


def _calibration_row(scores: LevelScores, run: RunEntry) -> list[Cell]:
    found = scores.calibration
    assert found is not None
    mark = run.mark
    return [
        Cell(run.system.title),
        Cell(protocol_title(run.protocol)),
        Cell(str(run.seed) if run.seed >= 0 else "none"),
        number(100 * found.ece, ".1f", " %", mark),
        number(found.temperature, ".2f"),
        number(None if found.ece_at_temperature is None else 100 * found.ece_at_temperature, ".1f", " %", mark),
        Cell(interval_text(scores.top2_accuracy), scores.top2_accuracy.value, mark)
        if scores.top2_accuracy is not None
        else missing(),
    ]
