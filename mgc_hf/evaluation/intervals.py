"""Confidence intervals: the percentile bootstrap, resampled by track or artist, and Wilson's where that cannot be had.

The segments of one track sound alike: they are right or wrong together, and drawing them one by one gives intervals
that are far too narrow (Cameron and Miller, "A Practitioner's Guide to Cluster-Robust Inference", Journal of Human
Resources 50/2, 2015). So whole tracks are drawn with replacement (Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993, ch. 13), each with all its segments. A resample is a vector of counts per track, and counts times the
tracks' confusion matrices give the resample's confusion matrix: no loop over resamples, no segment is copied.
"""

import math
from collections.abc import Callable

import numpy as np

from mgc_hf.errors import OptionError, RecordError

#: Resamples by default. From seed to seed the ends of an interval then move by about 6 % of a standard error.
NUM_RESAMPLES = 2_000
#: Fewer have no 2.5 % quantile to speak of.
MIN_RESAMPLES = 100

#: With fewer tracks right, or wrong, a percentile interval covers the truth far too seldom.
MIN_OF_EACH = 5

LEVELS = (0.025, 0.975)
_Z = 1.959963984540054  # the standard normal's 97.5 % point
_BLOCK = 2**22  # counts held at a time


def accuracy(confusions: np.ndarray) -> np.ndarray:
    """Return the accuracy of confusion matrices: `(..., num_labels, num_labels)` -> `(...)`."""
    return np.trace(confusions, axis1=-2, axis2=-1) / confusions.sum(axis=(-2, -1))


def macro_f1(confusions: np.ndarray) -> np.ndarray:
    """Return F1 averaged over the genres with support: `(..., num_labels, num_labels)` -> `(...)`.

    Rows are true genres. F1 is 2 TP / (2 TP + FP + FN), and 0 for a genre that is never found.
    """
    support, named = confusions.sum(axis=-1), confusions.sum(axis=-2)
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    f1 = 2 * hits / np.maximum(support + named, 1)  # without support and never named: 0, and left out below
    return np.where(support > 0, f1, 0).sum(axis=-1) / (support > 0).sum(axis=-1)


STATISTICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"accuracy": accuracy, "macro_f1": macro_f1}


def bootstrap_by_track(
    track_id: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray,
    num_labels: int,
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> dict[str, list[float]]:
    """Return 95 % intervals of accuracy and macro F1 by a percentile bootstrap over tracks.

    Args:
        track_id (`np.ndarray` of `str`, shape `(n,)`): Track of each item. Items are segments, or tracks themselves.
        label (`np.ndarray` of `int64`, shape `(n,)`): True class.
        predicted (`np.ndarray` of `int64`, shape `(n,)`): Predicted class.
        num_labels (`int`): Number of classes.
        seed (`int`, *optional*, defaults to 0): Seed of the draws. The order of the items is of no consequence.
        num_resamples (`int`, *optional*, defaults to 2,000): At least 100.

    Returns:
        `dict[str, list[float]]`: `[low, high]` for `accuracy` and `macro_f1`, fractions, never NaN. Where every track
        is right (or wrong) the two ends are equal: a bootstrap cannot know of errors that it has not seen.

    Raises:
        OptionError: Fewer than 100 resamples.
        RecordError: There is no item.
    """
    _check_resamples(num_resamples)
    if not len(track_id):
        raise RecordError("there is nothing to score: no predictions")
    tracks, row = np.unique(np.asarray(track_id).astype(str), return_inverse=True)
    confusions = np.zeros((len(tracks), num_labels, num_labels))
    np.add.at(confusions, (row, label, predicted), 1)
    rng = np.random.default_rng(seed)
    values: dict[str, list[np.ndarray]] = {name: [] for name in STATISTICS}
    block = max(1, _BLOCK // max(len(tracks), num_labels**2))
    for first in range(0, num_resamples, block):
        counts = draw_counts(rng, min(block, num_resamples - first), len(tracks))
        resampled = (counts @ confusions.reshape(len(tracks), -1)).reshape(-1, num_labels, num_labels)
        for name, statistic in STATISTICS.items():
            values[name].append(statistic(resampled))
    return {name: np.quantile(np.concatenate(parts), LEVELS).tolist() for name, parts in values.items()}


def paired_difference(
    track_id: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> tuple[float, list[float]]:
    """Return how much more often one system is right than another on the same items, with its 95 % interval.

    A percentile bootstrap over tracks, as `bootstrap_by_track`. A track that was tested in several runs (seeds) is
    drawn with all of its items, since its answers go together.

    Args:
        track_id (`np.ndarray` of `str`, shape `(n,)`): Track of each item.
        first (`np.ndarray` of `bool`, shape `(n,)`): Where the one system is right.
        second (`np.ndarray` of `bool`, shape `(n,)`): Where the other is.
        seed (`int`, *optional*, defaults to 0): Seed of the draws.
        num_resamples (`int`, *optional*, defaults to 2,000): At least 100.

    Returns:
        `tuple[float, list[float]]`: Accuracy of `first` less that of `second`, and `[low, high]`; fractions.

    Raises:
        OptionError: Fewer than 100 resamples.
        RecordError: There is no item, or the arrays differ in length.
    """
    _check_resamples(num_resamples)
    if not len(track_id) == len(first) == len(second) > 0:
        raise RecordError(
            f"{len(track_id)} items with {len(first)} and {len(second)} answers cannot be compared in pairs"
        )
    tracks, row = np.unique(np.asarray(track_id).astype(str), return_inverse=True)
    gain = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    sums, sizes = np.bincount(row, weights=gain), np.bincount(row)
    counts = draw_counts(np.random.default_rng(seed), num_resamples, len(tracks))
    differences = (counts @ sums) / (counts @ sizes)
    return float(gain.mean()), np.quantile(differences, LEVELS).tolist()


def _check_resamples(num_resamples: int) -> None:
    if num_resamples < MIN_RESAMPLES:
        raise OptionError(f"num_resamples is {num_resamples}; a 95 % interval takes at least {MIN_RESAMPLES}")


def draw_counts(rng: np.random.Generator, num_resamples: int, num_tracks: int) -> np.ndarray:
    """Draw `num_tracks` tracks with replacement, `num_resamples` times; how often each came: `(resamples, tracks)`."""
    drawn = rng.integers(num_tracks, size=(num_resamples, num_tracks))
    drawn += np.arange(num_resamples)[:, None] * num_tracks
    counts = np.bincount(drawn.ravel(), minlength=num_resamples * num_tracks)
    return counts.reshape(num_resamples, num_tracks).astype(np.float64)


def wilson(right: float, n: int) -> list[float] | None:
    """Return Wilson's 95 % interval of a share (E. B. Wilson, Journal of the American Statistical Association 22, 1927).

    It keeps its coverage where a percentile bootstrap loses it: of a few tracks (a genre's recall), and near 0 or 1.
    (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n) with p = right / n; scipy's takes whole numbers alone.

    Args:
        right (`float`): How many of the independent trials came out right; of the segments of so many tracks, their
            share times the number of tracks.
        n (`int`): Trials: tracks (or artists), not segments of the same tracks.

    Returns:
        `list[float]`, *optional*: `[low, high]`, fractions that hold `right / n` between them, never NaN; `None`
        without a trial.

    Raises:
        RecordError: `right` is no number from 0 to `n`.
    """
    if not 0 <= right <= n:
        raise RecordError(f"{right} of {n} is no share; give how many of how many")
    if n == 0:
        return None
    share = right / n
    spread = _Z * math.sqrt(share * (1 - share) / n + (_Z / (2 * n)) ** 2)
    ends = [(share + _Z**2 / (2 * n) + sign * spread) / (1 + _Z**2 / n) for sign in (-1, 1)]
    # the last digit of an end may lie on the wrong side of the share itself, or of 0 and 1
    return [max(0.0, min(ends[0], share)), min(1.0, max(ends[1], share))]


def or_wilson(interval: list[float], value: float, num_tracks: int) -> list[float]:
    """Return the bootstrap's interval of an accuracy, or Wilson's where it is near 0 or 1: the one rule of all figures.

    Near means that fewer than five tracks' worth of answers are right, or wrong. The bootstrap cannot know of errors
    that it has not seen: with seven tracks a percentile interval may cover the truth in 30 % of all cases, and where
    every track is right it has no width at all.

    Args:
        interval (`list[float]`): `[low, high]` of a bootstrap by track, fractions.
        value (`float`): The accuracy.
        num_tracks (`int`): Independent trials: tracks (or artists), also where the accuracy is of their segments.

    Returns:
        `list[float]`: `[low, high]` with the accuracy between them.
    """
    if min(value, 1 - value) * num_tracks < MIN_OF_EACH - 1e-9 or interval[0] == interval[1]:
        found = wilson(value * num_tracks, num_tracks)
        assert found is not None  # there was an accuracy, so there are tracks
        interval = found
    return [min(interval[0], value), max(interval[1], value)]


def difference_with_width(interval: list[float], value: float, num_tracks: int) -> list[float]:
    """Return the interval of a paired difference, or a wider one where it has no width.

    That is where the systems agree on every track, or differ in the same way on every one. If none of `num_tracks` is
    otherwise, the share that is may still be as large as the upper end of [`wilson`] for 0 of them.

    Args:
        interval (`list[float]`): `[low, high]` of [`paired_difference`], fractions.
        value (`float`): The difference.
        num_tracks (`int`): Tracks, at least one.
    """
    if interval[0] < interval[1]:
        return interval
    unseen = wilson(0, num_tracks)
    assert unseen is not None  # there was a difference, so there are tracks
    return [max(-1.0, value - unseen[1]), min(1.0, value + unseen[1])]


def accuracy_interval(
    track_id: np.ndarray, right: np.ndarray, *, seed: int = 0, num_resamples: int = NUM_RESAMPLES
) -> list[float]:
    """Return the 95 % interval of an accuracy: a bootstrap by track, and Wilson's near 0 or 1 ([`or_wilson`]).

    Args:
        track_id (`np.ndarray` of `str`, shape `(n,)`): Track of each item, or its artist: what is drawn as one.
        right (`np.ndarray` of `bool`, shape `(n,)`): Whether it was found.
        seed (`int`, *optional*, defaults to 0): Seed of the draws.
        num_resamples (`int`, *optional*, defaults to 2,000): At least 100.

    Returns:
        `list[float]`: `[low, high]`, fractions, never NaN, with the accuracy between them.

    Raises:
        OptionError: Fewer than 100 resamples.
        RecordError: There is no item, or the arrays differ in length.
    """
    right = np.asarray(right, dtype=bool)
    # the accuracy, less that of a system that is never right
    value, interval = paired_difference(track_id, right, np.zeros_like(right), seed=seed, num_resamples=num_resamples)
    return or_wilson(interval, value, len(np.unique(np.asarray(track_id).astype(str))))
