"""`compare`: two runs on the test tracks that they share, and whether these tracks can tell them apart.

Only records and predictions are read; no model is loaded and no audio is heard.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf.comparison.reading import FoundRun, count_tracks, find_finished
from mgc_hf.errors import RecordError
from mgc_hf.evaluation.intervals import NUM_RESAMPLES, accuracy_interval
from mgc_hf.evaluation.paired import ALPHA, POWER, PairedTest, compare_answers
from mgc_hf.outputs import display_name
from mgc_hf.results import Interval, format_interval, format_p_value


@dataclass(frozen=True)
class ComparedRun:
    """One of the two runs.

    Args:
        source (`str`): Hub id with its revision as it was given, or the folder's last component.
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
                f"{'a' if p < ALPHA else 'no'} difference beyond chance, and about {count_tracks(test.tracks_needed)} would be "
                f"needed to tell such systems apart ({100 * ALPHA:.0f} % two-sided, power {POWER})"
            )
        name = "exact McNemar test" if self.unit == "track" else "exact sign test"
        return f"Of {count_tracks(test.n, 'common test ')}, {said} ({name}, {format_p_value(p)}): {told}."


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
    runs = [find_finished(str(source)) for source in (first, second)]
    one, other = runs
    names = [run.name for run in runs]
    if one.result.protocol != other.result.protocol:
        raise RecordError(
            f"{one.source} is of protocol {one.result.protocol} and {other.source} of {other.result.protocol}: what "
            "they were tested for differs, so they are not compared; give two runs of one protocol"
        )
    unit = one.result.split.unit
    ids, rows, places = np.intersect1d(one.answers.ids, other.answers.ids, return_indices=True)
    if not len(ids):
        raise RecordError(
            f"{one.source} and {other.source} share no test {unit} (the one has {_some(one.answers.ids)}, the other "
            f"{_some(other.answers.ids)}), so they cannot be compared; give two runs of the same data and seed, or judge one model "
            "on the other's test part by mgc-hf evaluate --split"
        )
    if unit == "segment" and _windows(one) != _windows(other):
        raise RecordError(
            f"{one.source} was tested on windows of {_windows(one)[0]} s every {_windows(one)[1]} s and {other.source} on "
            f"windows of {_windows(other)[0]} s every {_windows(other)[1]} s: their segments are not the same"
        )
    wrong = np.flatnonzero(one.genre[rows] != other.genre[places])
    if len(wrong):
        at = wrong[0]
        raise RecordError(
            f"{one.source} and {other.source} do not agree about {len(wrong)} of {len(ids)} common test {unit}s ({ids[at]} "
            f"is {one.genre[rows[at]]} and {other.genre[places[at]]}): they were not tested on the same data"
        )
    track_id, right = one.answers.track_id[rows], (one.answers.right[rows], other.answers.right[places])
    difference, test = compare_answers(track_id, *right, unit, seed=seed, num_resamples=num_resamples)
    compared = [
        ComparedRun(
            display_name(run.source),
            name,
            run.commit,
            run.result.leaky,
            run.tested_on,
            len(np.unique(run.answers.track_id)),
            Interval(float(found.mean()), accuracy_interval(track_id, found, seed=seed, num_resamples=num_resamples)),
        )
        for run, name, found in zip(runs, names, right, strict=True)
    ]
    return Comparison(
        one.result.protocol,
        unit,
        compared[0],
        compared[1],
        difference,
        test,
        _notes(one, other, len(ids)),
    )


def _windows(run: FoundRun) -> tuple[float, float]:
    """Return length of a segment and distance to the next, seconds."""
    return run.result.data.segment_seconds, run.result.data.hop_seconds


def _notes(one: FoundRun, other: FoundRun, shared: int) -> list[str]:
    """Say what a reader must know to judge the figures."""
    leaks = [run.result.leak for run in (one, other)]
    notes = [f"protocol {one.result.protocol} ({leaks[0] if leaks[0] == leaks[1] else f'A {leaks[0]}, B {leaks[1]}'})"]
    if one.result.split.hash != other.result.split.hash:
        notes.append("the splits differ, so that the two may have been trained on other tracks")
    if not len(one.answers.ids) == len(other.answers.ids) == shared:
        numbers = (
            f"the {len(one.answers.ids)} test {one.result.split.unit}s of A and the {len(other.answers.ids)} of B"
        )
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
