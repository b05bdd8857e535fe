"""Tests of two systems on the same tracks: exact McNemar, Holm's correction, and how many tracks it would take.

Where both systems are right, or both wrong, a track says nothing of their difference: what counts are the discordant
tracks, on which one is right and the other wrong (Q. McNemar, Psychometrika 12/2, 1947). The interval of the difference
is `intervals.paired_difference`. Tracks are the unit throughout, since the segments of one are right or wrong together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgc_hf.errors import OptionError, RecordError
from mgc_hf.evaluation.intervals import NUM_RESAMPLES, difference_with_width, paired_difference
from mgc_hf.predictions import Predictions, most_probable
from mgc_hf.results import Interval

#: Two-sided level, and the chance of finding a difference that is there.
ALPHA, POWER = 0.05, 0.8


@dataclass(frozen=True)
class PairedTest:
    """On how many tracks two systems agree and differ, and the exact test of the difference.

    Args:
        both (`int`): Tracks that both have right.
        first_alone (`int`): Tracks that the first has right and the second wrong.
        second_alone (`int`): The other way round.
        neither (`int`): Tracks that both have wrong.
    """

    both: int
    first_alone: int
    second_alone: int
    neither: int

    @property
    def n(self) -> int:
        """Tracks in all."""
        return self.both + self.first_alone + self.second_alone + self.neither

    @property
    def p_value(self) -> float:
        """Exact two-sided p-value, 1 without discordant tracks."""
        return sign_test(self.first_alone, self.second_alone)

    @property
    def tracks_needed(self) -> int | None:
        """[`tracks_needed`] at these shares of discordant tracks."""
        return tracks_needed(self.first_alone, self.second_alone, self.n)


def mcnemar(first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Compare two systems on the same tracks by McNemar's exact test.

    Args:
        first (`np.ndarray` of `bool`, shape `(n,)`): Where the one system is right, one value a track.
        second (`np.ndarray` of `bool`, shape `(n,)`): Where the other is, in the same order.

    Returns:
        [`PairedTest`]

    Raises:
        RecordError: There is no track, or the arrays differ in length.
    """
    if not len(first) == len(second) > 0:
        raise RecordError(f"{len(first)} and {len(second)} answers cannot be compared in pairs")
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    kinds = (one & other, one & ~other, ~one & other, ~one & ~other)
    return PairedTest(*(int(kind.sum()) for kind in kinds))


def by_track(track_id: np.ndarray, first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Compare two systems on segments, which go together by track: a track counts for the one with more of them right.

    Args:
        track_id (`np.ndarray` of `str`, shape `(n,)`): Track of each segment.
        first, second (`np.ndarray` of `bool`, shape `(n,)`): Where the one and the other system is right; or shares.

    Returns:
        [`PairedTest`]: `both` are the tracks of which both have as many right, and `neither` is 0.
    """
    _, row = np.unique(track_id, return_inverse=True)
    lead = np.bincount(row, weights=first.astype(float) - second.astype(float))
    lead = np.round(lead, 9)  # shares that come out equal may differ in their last digits
    return PairedTest(int((lead == 0).sum()), int((lead > 0).sum()), int((lead < 0).sum()), 0)


@dataclass(frozen=True)
class Answers:
    """Which items of a test part a system has right: tracks, or segments where the protocol divides those.

    Args:
        ids (`np.ndarray` of `str`, shape `(n,)`): Id of each item.
        track_id (`np.ndarray` of `str`, shape `(n,)`): Its track.
        label (`np.ndarray` of `int64`, shape `(n,)`): Its true class.
        right (`np.ndarray` of `bool`, shape `(n,)`): Whether it was found.
    """

    ids: np.ndarray
    track_id: np.ndarray
    label: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, predictions: Predictions, unit: str) -> "Answers":
        """Take the items of predictions.

        Args:
            predictions ([`Predictions`]): Of one part.
            unit (`str`): `track` or `segment`: what the protocol divides.

        Raises:
            RecordError: The segments of a track disagree about its label.
        """
        if unit == "segment":
            track_id = predictions.track_id.astype(str)
            pairs = zip(track_id, predictions.segment, strict=True)
            ids = np.array([f"{track}#{number}" for track, number in pairs])
            right = most_probable(predictions.probabilities) == predictions.label
            return cls(ids, track_id, predictions.label, right)
        tracks = predictions.to_tracks()
        ids = tracks.track_id.astype(str)
        return cls(ids, ids, tracks.label, tracks.predicted == tracks.label)


def compare_answers(
    track_id: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    unit: str,
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> tuple[Interval, PairedTest]:
    """Compare two systems on the same items.

    Args:
        track_id (`np.ndarray` of `str`, shape `(n,)`): Track of each item.
        first, second (`np.ndarray` of `bool`, shape `(n,)`): Where the one and the other system is right.
        unit (`str`): What an item is: `track`, or `segment`, where tracks are tested [`by_track`].
        seed (`int`, *optional*, defaults to 0): Seed of the bootstrap.
        num_resamples (`int`, *optional*, defaults to 2,000): At least 100.

    Returns:
        `tuple[Interval, PairedTest]`: Accuracy of the first less that of the second with its paired interval, -1 to 1, and
        the exact test.

    Raises:
        OptionError: Fewer than 100 resamples.
        RecordError: There is no item, or the arrays differ in length.
    """
    value, interval = paired_difference(track_id, first, second, seed=seed, num_resamples=num_resamples)
    interval = difference_with_width(interval, value, len(np.unique(track_id)))
    return Interval(value, interval), mcnemar(first, second) if unit == "track" else by_track(track_id, first, second)


def sign_test(first: int, second: int) -> float:
    """Return the exact two-sided p-value of so many tracks for the one system and so many for the other.

    The binomial test of one half, on which McNemar's exact test rests.

    Args:
        first, second (`int`): Tracks on which the one or the other is better; ties count for neither.

    Returns:
        `float`: From 0 to 1; 1 where there is no such track.
    """
    if first + second == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(int(first), int(first + second), 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values of several tests by Holm's method (Scandinavian Journal of Statistics 6/2, 1979).

    The chance of one false finding among all stays below the level, whatever the tests have to do with each other.
    scipy corrects for the false discovery rate alone.

    Args:
        p_values (`Sequence[float]`): Of all tests that were made, in any order.

    Returns:
        `list[float]`: Corrected values in the same order, at most 1.

    Raises:
        OptionError: One is no number from 0 to 1.
    """
    if not all(0 <= value <= 1 for value in p_values):
        raise OptionError(f"p-values must be from 0 to 1, got {list(p_values)}")
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)  # a smaller p-value never gets a larger one
    return corrected.tolist()


def tracks_needed(
    first_alone: int, second_alone: int, n: int, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Return how many tracks it would take to tell two systems apart by McNemar's test.

    With p10 and p01 the shares of discordant tracks of either kind, taken as found,
    (z_a √(p10 + p01) + z_b √(p10 + p01 - (p10 - p01)²))² / (p10 - p01)² (R. J. Connor, Biometrics 43/1, 1987).
    The exact test besides takes six discordant tracks at least to fall below 5 %.

    Args:
        first_alone, second_alone (`int`): Discordant tracks of either kind.
        n (`int`): Tracks that both were tested on.
        alpha (`float`, *optional*, defaults to 0.05): Two-sided level.
        power (`float`, *optional*, defaults to 0.8): Chance of finding the difference.

    Returns:
        `int`, *optional*: Rounded up; `None` where the counts are equal: no number would.

    Raises:
        RecordError: More discordant tracks than tracks.
        OptionError: `alpha` or `power` is not between 0 and 1.
    """
    if min(first_alone, second_alone) < 0 or first_alone + second_alone > n:
        raise RecordError(
            f"{first_alone} and {second_alone} discordant tracks of {n}: these counts do not fit together"
        )
    if not (0 < alpha < 1 and 0 < power < 1):
        raise OptionError(f"alpha ({alpha}) and power ({power}) must lie between 0 and 1")
    if first_alone == second_alone:
        return None
    from scipy.special import ndtri

    discordant, difference = (first_alone + second_alone) / n, (first_alone - second_alone) / n
    # a variance of 0 may come out a digit below it
    spread = math.sqrt(max(discordant - difference**2, 0.0))
    root: Any = ndtri(1 - alpha / 2) * math.sqrt(discordant) + ndtri(power) * spread
    return math.ceil(float(root) ** 2 / difference**2)
