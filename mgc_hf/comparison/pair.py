"""`compare`: two runs on the test tracks that they share, and whether these tracks can tell them apart.

Only records and predictions are read; no model is loaded and no audio is heard.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf import outputs
from mgc_hf.errors import CheckpointError, RecordError
from mgc_hf.evaluation.intervals import (
    NUM_RESAMPLES,
    accuracy_interval,
    difference_with_width,
    paired_difference,
)
from mgc_hf.evaluation.paired import ALPHA, POWER, PairedTest, mcnemar
from mgc_hf.hub import find_run
from mgc_hf.predictions import Predictions, most_probable
from mgc_hf.results import Interval, RunResult, format_interval

_FILES = (outputs.RESULTS, outputs.PREDICTIONS)


@dataclass(frozen=True)
class ComparedRun:
    """One of the two runs.

    Args:
        source (`str`): Folder or Hub id, as it was given.
        name (`str`): What it is called in the comparison: the id, or the folder's last component.
        commit (`str`, *optional*): Commit on the Hub.
        leaky (`bool`, *optional*): Whether its split leaks; `None`: not known.
        tested_on (`str`): Data that its test part is of.
        num_tracks (`int`): Its test tracks, shared or not.
        accuracy ([`Interval`]): On the shared test tracks.
    """

    source: str
    name: str
    commit: str | None
    leaky: bool | None
    tested_on: str
    num_tracks: int
    accuracy: Interval


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same test tracks.

    Args:
        protocol (`str`): Protocol of both.
        unit (`str`): What the protocol divides: `track`, or `segment`. There accuracies and difference are those of the
            shared test segments, and a track counts for the run that has more of its segments right.
        first, second ([`ComparedRun`]): The runs.
        difference ([`Interval`]): Accuracy of the first less that of the second, with its paired interval; -1 to 1.
        tracks ([`PairedTest`]): How many of the shared tracks each has right, alone or both; of protocols that divide
            segments, `both` are the tracks of which both have as many segments right, and `neither` is 0.
        notes (`list[str]`): What a reader must know to judge the figures.
    """

    protocol: str
    unit: str
    first: ComparedRun
    second: ComparedRun
    difference: Interval
    tracks: PairedTest
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON types."""
        test = self.tracks
        return {
            **asdict(self),
            "tracks": {
                **asdict(test),
                "n": test.n,
                "p_value": test.p_value,
                "tracks_needed": test.tracks_needed,
                "alpha": ALPHA,
                "power": POWER,
            },
            "sentence": self.sentence(),
        }

    def summary(self) -> str:
        """Return the comparison in lines of text: a table, the notes, and the sentence."""
        test, rows = self.tracks, []
        for letter, run in (("A", self.first), ("B", self.second)):
            value, interval = format_interval(run.accuracy).split(" [")
            rows.append((f"{letter}  {run.name}", value, f"[{interval}"))
        assert self.difference.ci95 is not None
        low, high = self.difference.ci95
        value = f"{100 * self.difference.value:+.1f} points"
        rows.append(("A less B", value, f"[{100 * low:+.1f}, {100 * high:+.1f}]"))
        width = max(len(name) for name, *_ in rows)
        lines = [f"{'':<{width}}  {self.unit + ' accuracy':>16}  95 % interval"]
        lines += [f"{name:<{width}}  {value:>16}  {interval}" for name, value, interval in rows]
        if self.unit == "track":
            counts = f"both right {test.both}, A alone {test.first_alone}, B alone {test.second_alone}"
            lines.append(f"of {test.n} common test tracks: {counts}, neither {test.neither}")
        else:
            counts = f"A more right on {test.first_alone}, B on {test.second_alone}, alike {test.both}"
            lines.append(f"of {test.n} common test tracks, by their segments: {counts}")
        return "\n".join([*lines, *self.notes, self.sentence()])

    def sentence(self) -> str:
        """Return the outcome in one sentence."""
        test = self.tracks
        counts, p = (test.first_alone, test.second_alone), test.p_value
        if self.unit == "track":
            a, b = f"is right on {counts[0]} where B", f"B on {counts[1]} where A"
            said = f"A ({self.first.name}) {a} ({self.second.name}) is wrong and {b} is wrong"
        else:
            said = (
                f"A ({self.first.name}) has more segments right than B ({self.second.name}) on {counts[0]} and B more "
                f"than A on {counts[1]}"
            )
        if test.tracks_needed is None:
            told = "with equal counts no number of tracks would tell them apart"
        else:
            told = (
                f"{'a' if p < ALPHA else 'no'} difference beyond chance, and about {_tracks(test.tracks_needed)} would be "
                f"needed to tell such systems apart ({100 * ALPHA:.0f} % two-sided, power {POWER})"
            )
        name = "exact McNemar test" if self.unit == "track" else "exact sign test"
        return f"Of {_tracks(test.n, 'common test ')}, {said} ({name}, {_p(p)}): {told}."


def _tracks(count: int, kind: str = "") -> str:
    return f"{count} {kind}track{'' if count == 1 else 's'}"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else "p = 1" if value == 1 else f"p = {value:.3f}"


def compare(first: str | Path, second: str | Path, *, seed: int = 0, num_resamples: int = NUM_RESAMPLES) -> Comparison:
    """Compare two runs on the test tracks that they share.

    Args:
        first, second (`str` or `Path`): Folder of a run or of an evaluation, or a Hub id; `ORG/NAME@REVISION` is a
            branch, tag or commit of it.
        seed (`int`, *optional*, defaults to 0): Seed of the bootstrap.
        num_resamples (`int`, *optional*, defaults to 2,000): Resamples of the intervals, at least 100.

    Returns:
        [`Comparison`]

    Raises:
        CheckpointError: A run cannot be found or read, or has no predictions.
        RecordError: The runs share no test track, are of different protocols, or do not agree about a track's genre.
        OptionError: Fewer than 100 resamples.
    """
    runs = [_Run.find(str(source)) for source in (first, second)]
    one, other = runs
    names = [run.name for run in runs]
    if one.result.protocol != other.result.protocol:
        raise RecordError(
            f"{one.source} is of protocol {one.result.protocol} and {other.source} of {other.result.protocol}: what "
            "they were tested for differs, so they are not compared; give two runs of one protocol"
        )
    unit = one.result.split.unit
    ids, rows, places = np.intersect1d(one.ids, other.ids, return_indices=True)
    if not len(ids):
        raise RecordError(
            f"{one.source} and {other.source} share no test {unit} (the one has {_some(one.ids)}, the other "
            f"{_some(other.ids)}), so they cannot be compared; give two runs of the same data and seed, or judge one model "
            "on the other's test part by mgc-hf evaluate --split"
        )
    if unit == "segment" and one.windows != other.windows:
        raise RecordError(
            f"{one.source} was tested on windows of {one.windows[0]} s every {one.windows[1]} s and {other.source} on "
            f"windows of {other.windows[0]} s every {other.windows[1]} s: their segments are not the same"
        )
    wrong = np.flatnonzero(one.genre[rows] != other.genre[places])
    if len(wrong):
        at = wrong[0]
        raise RecordError(
            f"{one.source} and {other.source} do not agree about {len(wrong)} of {len(ids)} common test {unit}s ({ids[at]} "
            f"is {one.genre[rows[at]]} and {other.genre[places[at]]}): they were not tested on the same data"
        )
    track_id, right = one.track_id[rows], (one.right[rows], other.right[places])
    difference, interval = paired_difference(track_id, *right, seed=seed, num_resamples=num_resamples)
    interval = difference_with_width(interval, difference, len(np.unique(track_id)))
    if names[0] == names[1]:  # two folders of one name
        names = [run.source for run in runs]
    compared = [
        ComparedRun(
            run.source,
            name,
            run.commit,
            run.result.leaky,
            run.tested_on,
            len(np.unique(run.track_id)),
            Interval(float(found.mean()), accuracy_interval(track_id, found, seed=seed, num_resamples=num_resamples)),
        )
        for run, name, found in zip(runs, names, right, strict=True)
    ]
    return Comparison(
        one.result.protocol,
        unit,
        compared[0],
        compared[1],
        Interval(difference, interval),
        mcnemar(*right) if unit == "track" else _by_track(track_id, *right),
        _notes(one, other, len(ids)),
    )


@dataclass(frozen=True)
class _Run:
    """The test part of a run: one item a track, or a segment where the protocol divides those."""

    source: str
    name: str
    commit: str | None
    result: RunResult
    ids: np.ndarray
    track_id: np.ndarray
    genre: np.ndarray
    right: np.ndarray

    @classmethod
    def find(cls, source: str) -> "_Run":
        """Read a run from its folder or its repository.

        Raises:
            CheckpointError: It is not there, or lacks a file.
            RecordError: A file is damaged, or the two are not of one run.
        """
        repo_id, revision = _parted(source)
        folder, commit = find_run(repo_id, _FILES, revision)
        for name in _FILES:
            if not (folder / name).is_file():
                raise CheckpointError(
                    f"{source}: has no {name}, so it cannot be compared; give the folder of a finished run, or judge the "
                    "model by mgc-hf evaluate --output_dir and give that folder"
                )
        result = RunResult.load(folder / outputs.RESULTS)
        predictions = Predictions.load(folder / outputs.PREDICTIONS).of_part("test")
        try:
            tracks = predictions.to_tracks()
        except RecordError as error:
            raise RecordError(f"{source}: {error}") from error
        right = tracks.predicted == tracks.label
        if len(right) != result.track.n or right.sum() != round(result.track.accuracy.value * result.track.n):
            raise RecordError(
                f"{source}: {outputs.PREDICTIONS} has {right.sum()} of {_tracks(len(right), 'test ')} right and "
                f"{outputs.RESULTS} {format_interval(result.track.accuracy)} of {result.track.n}: they are not of one run"
            )
        ids = track_id = tracks.track_id.astype(str)
        label = tracks.label
        if result.split.unit == "segment":
            track_id, label = predictions.track_id.astype(str), predictions.label
            ids = np.array([f"{track}#{number}" for track, number in zip(track_id, predictions.segment, strict=True)])
            right = most_probable(predictions.probabilities) == label
        genre = np.array(predictions.genres)[label]
        return cls(source, outputs.display_name(repo_id), commit, result, ids, track_id, genre, right)

    @property
    def tested_on(self) -> str:
        """Data that the test part is of."""
        return self.result.data.tested[0]

    @property
    def windows(self) -> tuple[float, float]:
        """Length of a segment and distance to the next, seconds."""
        return self.result.data.segment_seconds, self.result.data.hop_seconds


def _parted(source: str) -> tuple[str, str | None]:
    """Part `ORG/NAME@REVISION`; a path is left as it is."""
    from mgc_hf.models.checkpoint import is_local

    repo_id, _, revision = source.partition("@")
    if not revision or Path(source).expanduser().exists() or is_local(repo_id):
        return source, None
    return repo_id, revision


def _by_track(track_id: np.ndarray, first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Test segments by track, since they go together: a track counts for the run that has more of them right."""
    _, row = np.unique(track_id, return_inverse=True)
    lead = np.bincount(row, weights=first.astype(float) - second.astype(float))
    return PairedTest(int((lead == 0).sum()), int((lead > 0).sum()), int((lead < 0).sum()), 0)


def _notes(one: _Run, other: _Run, shared: int) -> list[str]:
    """Say what a reader must know to judge the figures."""
    leaks = [run.result.leak for run in (one, other)]
    notes = [f"protocol {one.result.protocol} ({leaks[0] if leaks[0] == leaks[1] else f'A {leaks[0]}, B {leaks[1]}'})"]
    if one.result.split.hash != other.result.split.hash:
        notes.append("the splits differ, so that the two may have been trained on other tracks")
    if not len(one.ids) == len(other.ids) == shared:
        numbers = f"the {len(one.ids)} test {one.result.split.unit}s of A and the {len(other.ids)} of B"
        notes.append(f"{shared} are in both {numbers}; the rest is left out")
    if one.tested_on != other.tested_on:
        notes.append(
            f"A was tested on {one.tested_on}, B on {other.tested_on}: tracks of one name are taken as the same"
        )
    if one.result.data.is_demo or other.result.data.is_demo:
        notes.append("the data is the synthetic demo corpus: these figures say nothing about real music")
    return notes


def _some(ids: np.ndarray) -> str:
    return ", ".join(ids[:2].tolist()) + (f" and {len(ids) - 2} more" if len(ids) > 2 else "")
