"""Tracks to rows: where each segment starts and how long it is. Numbers and ids only, no audio is copied.

All of it counts whole samples at the model's rate, since seconds do not add up in floating point.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mgc_hf.data.draws import seeded_order
from mgc_hf.data.protocols import Split
from mgc_hf.errors import AudioError, CheckpointError, OptionError, SplitError
from mgc_hf.predictions import PARTS


@dataclass(frozen=True, eq=False)
class SegmentTable:
    """One row per segment; all arrays have shape `(num_segments,)`.

    Args:
        track_id (`np.ndarray` of `str`): The clip that the segment is cut from.
        track (`np.ndarray` of `int64`): Row of the clip in the tracks data set.
        segment (`np.ndarray` of `int64`): Number of the segment within its clip, from 0.
        start (`np.ndarray` of `int64`): First sample within the clip, at the model's sampling rate.
        num_samples (`np.ndarray` of `int64`): Samples that there are; below a segment's length, the rest is padding.
        start_s (`np.ndarray` of `float64`): `start` in seconds.
        part (`np.ndarray` of `str`): `train`, `validation`, `test`, or `""` while no part is assigned.
        label (`np.ndarray` of `int64`): Class index.
        copy (`np.ndarray` of `int64`): 0 for the original, k > 0 for its k-th augmented copy (`paper_pool`).

    Raises:
        ValueError: The arrays are not equally long.
    """

    track_id: np.ndarray
    track: np.ndarray
    segment: np.ndarray
    start: np.ndarray
    num_samples: np.ndarray
    start_s: np.ndarray
    part: np.ndarray
    label: np.ndarray
    copy: np.ndarray

    def __post_init__(self) -> None:
        kinds = {"track_id": object, "part": object, "start_s": np.float64}
        for column in fields(self):
            value = np.asarray(getattr(self, column.name), dtype=kinds.get(column.name, np.int64))
            object.__setattr__(self, column.name, value)  # the class is frozen for its users
            if value.shape != (len(self.track_id),):
                raise ValueError(f"{column.name} has shape {value.shape}, expected ({len(self.track_id)},)")

    def __len__(self) -> int:
        return len(self.track_id)

    @property
    def ids(self) -> list[str]:
        """Ids of the rows: `blues.00000#3`, and `blues.00000#3+1` for the first augmented copy."""
        rows = zip(self.track_id, self.segment, self.copy, strict=True)
        return [f"{track_id}#{segment}" + (f"+{copy}" if copy else "") for track_id, segment, copy in rows]

    @property
    def number(self) -> np.ndarray:
        """A number for each row that no other of its clip has: `segment`, plus 100,000 for each copy counted on."""
        return self.segment + 100_000 * self.copy

    def take(self, index: np.ndarray) -> "SegmentTable":
        """Return the rows of an integer index or boolean mask, in its order."""
        return SegmentTable(**{column.name: getattr(self, column.name)[index] for column in fields(self)})

    def of_part(self, part: str) -> "SegmentTable":
        """Return the rows of one part, in the same order."""
        return self.take(self.part == part)


def seconds_to_samples(seconds: float, sampling_rate: int, name: str) -> int:
    """Return a duration in whole samples, rounded to the nearest.

    Args:
        seconds (`float`): Duration, seconds.
        sampling_rate (`int`): Samples per second, Hz.
        name (`str`): The option that it comes from, for the error.

    Raises:
        OptionError: It is not finite or shorter than a sample.
    """
    if not math.isfinite(seconds) or round(seconds * sampling_rate) < 1:
        raise OptionError(f"{name} is {seconds}; it must be at least one sample long (1/{sampling_rate} s)")
    return round(seconds * sampling_rate)


def windowing(feature_extractor: Any) -> tuple[float, float]:
    """Return a model's window and the step from one window of a clip to the next in evaluation and prediction, seconds.

    Both are kept with its feature extractor, as `segment_seconds` and `hop_seconds`; without the latter windows lie end
    to end.

    Raises:
        CheckpointError: The extractor does not say how long a window is: the model was made elsewhere.
    """
    segment_seconds = getattr(feature_extractor, "segment_seconds", None)
    if not segment_seconds:
        raise CheckpointError(
            "preprocessor_config.json has no segment_seconds, so that it is not known how long a window the model was "
            'trained on; add it to a copy of the model\'s folder, such as "segment_seconds": 10.0'
        )
    return float(segment_seconds), float(getattr(feature_extractor, "hop_seconds", None) or segment_seconds)


def window_starts(num_samples: int, segment_samples: int, hop_samples: int) -> np.ndarray:
    """Return the first samples of the windows over a clip: one every hop, and a last one that ends with the clip.

    The last window is anchored to the end, so no sample is dropped and every window of a clip that is long enough is
    whole. It overlaps the one before it by whatever is left over: a GTZAN clip (661,794 samples at 22,050 Hz) has 10
    windows of 3 s and an 11th that starts 294 samples after the 10th.

    Args:
        num_samples (`int`): Length of the clip, at least 1.
        segment_samples (`int`): Length of a window.
        hop_samples (`int`): Distance between windows, at most their length.

    Returns:
        `np.ndarray` of `int64`, shape `(num_windows,)`: Strictly rising; `[0]` for a clip of up to one segment.
    """
    last = max(num_samples - segment_samples, 0)
    starts = np.arange(0, last + 1, hop_samples, dtype=np.int64)
    return starts if starts[-1] == last else np.append(starts, last)


def cut_segments(
    track_ids: Sequence[str],
    labels: Sequence[int],
    num_samples: Sequence[int],
    sampling_rate: int,
    *,
    segment_seconds: float,
    hop_seconds: float,
) -> SegmentTable:
    """Cut clips into segments by `window_starts`.

    Args:
        track_ids (`Sequence[str]`): Track ids, in the order of the tracks data set.
        labels (`Sequence[int]`): Class index of each track.
        num_samples (`Sequence[int]`): Length of each track in samples at `sampling_rate`, from decoded audio.
        sampling_rate (`int`): The model's rate, Hz.
        segment_seconds (`float`): Length of a segment, seconds.
        hop_seconds (`float`): Distance between the starts of segments, seconds; at most `segment_seconds`.

    Returns:
        `SegmentTable`: Track by track, without parts. A clip under one segment gives one short row.

    Raises:
        OptionError: A duration is not positive, or the hop is longer than the segment (samples would be dropped).
        AudioError: A track has no samples.
    """
    segment_samples = seconds_to_samples(segment_seconds, sampling_rate, "segment_seconds")
    hop_samples = seconds_to_samples(hop_seconds, sampling_rate, "hop_seconds")
    if hop_samples > segment_samples:
        raise OptionError(
            f"hop_seconds is {hop_seconds}, longer than segment_seconds ({segment_seconds}): audio between segments "
            "would be dropped; it must be at most segment_seconds"
        )
    starts = [window_starts(count, segment_samples, hop_samples) for count in _counts(track_ids, num_samples)]
    return _table(track_ids, labels, num_samples, starts, segment_samples, sampling_rate)


def spread_windows(
    track_ids: Sequence[str],
    labels: Sequence[int],
    num_samples: Sequence[int],
    sampling_rate: int,
    *,
    segment_seconds: float,
    num_windows: int,
) -> SegmentTable:
    """Give every clip the same number of windows, spread evenly over it.

    The rows of `--random_windows`: training moves each of them anywhere in its clip, anew each epoch
    (`Augmentation.random_offset`). These starts are what the statistics of the inputs are fitted on.

    Args:
        track_ids (`Sequence[str]`): Track ids, in the order of the tracks data set.
        labels (`Sequence[int]`): Class index of each track.
        num_samples (`Sequence[int]`): Length of each track in samples at `sampling_rate`, from decoded audio.
        sampling_rate (`int`): The model's rate, Hz.
        segment_seconds (`float`): Length of a window, seconds.
        num_windows (`int`): Windows of each clip, at least 1; a single one lies in its middle. Where a clip has no
            room for so many apart, they overlap.

    Returns:
        `SegmentTable`: Track by track, without parts. A clip under one window gives as many rows as the others, all
        of them the whole clip, so that every clip counts alike in an epoch.

    Raises:
        OptionError: The duration is not positive, or there is to be no window.
        AudioError: A track has no samples.
    """
    segment_samples = seconds_to_samples(segment_seconds, sampling_rate, "segment_seconds")
    if num_windows < 1:
        raise OptionError(f"random_windows is {num_windows}; it must be 1 or more")
    places = 2 * np.arange(num_windows, dtype=np.int64) + 1  # the middles of so many equal parts
    starts = [
        max(count - segment_samples, 0) * places // (2 * num_windows) for count in _counts(track_ids, num_samples)
    ]
    return _table(track_ids, labels, num_samples, starts, segment_samples, sampling_rate)


def _counts(track_ids: Sequence[str], num_samples: Sequence[int]) -> list[int]:
    for track_id, count in zip(track_ids, num_samples, strict=True):
        if count < 1:
            raise AudioError(str(track_id), "has no samples", "empty")
    return [int(count) for count in num_samples]


def _table(
    track_ids: Sequence[str],
    labels: Sequence[int],
    num_samples: Sequence[int],
    starts: Sequence[np.ndarray],
    segment_samples: int,
    sampling_rate: int,
) -> SegmentTable:
    """Return the rows of the windows that begin at `starts`, an array for each track."""
    repeats = [len(windows) for windows in starts]
    track = np.repeat(np.arange(len(repeats)), repeats)
    start = np.concatenate([np.zeros(0, np.int64), *starts])
    return SegmentTable(
        track_id=np.asarray(track_ids, dtype=object)[track],
        track=track,
        segment=np.concatenate([np.zeros(0, np.int64), *map(np.arange, repeats)]),
        start=start,
        num_samples=np.minimum(np.asarray(num_samples, dtype=np.int64)[track], segment_samples),
        start_s=start / sampling_rate,
        part=np.full(len(track), "", dtype=object),
        label=np.asarray(labels, dtype=np.int64)[track],
        copy=np.zeros(len(track), np.int64),
    )


def assign_parts(table: SegmentTable, split: Split | str) -> SegmentTable:
    """Give every row its part.

    Args:
        table (`SegmentTable`): Rows, with or without parts.
        split (`Split` or `str`): A split of tracks or of segments; or the name of the one part that all rows are of
            (other data that is for testing only).

    Returns:
        `SegmentTable`: The same rows in the same order. Ids of the split that have no row are let pass:
        `Split.check` is the place where split and data are compared.

    Raises:
        SplitError: Rows that the split does not hold; the first ones are listed.
        ValueError: There is no such part.
    """
    if isinstance(split, str):
        if split not in PARTS:
            raise ValueError(f"unknown part {split!r}; allowed are {', '.join(PARTS)}")
        return replace(table, part=np.full(len(table), split, dtype=object))
    ids = table.ids if split.unit == "segment" else table.track_id.tolist()
    unknown = sorted({item for item in ids if item not in split.part_of})
    if unknown:
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        raise SplitError(
            f"{len(unknown)} {split.unit} ids of the data are not in the split: {', '.join(unknown[:10])}{more}. "
            "Use the data (and segment lengths) that the split was made for, or make a new split"
        )
    return replace(table, part=np.array([split.part_of[item] for item in ids], dtype=object))


def paper_pool(table: SegmentTable, num_segments: int, augmented_copies: int, seed: int) -> SegmentTable:
    """Build the pool that the paper divides: segments and augmented copies of them, before any split.

    For protocol `segment` alone: copies of one segment end up in training and in test, which is the leaky reading of
    "an augmented dataset of approximately 5,000 segmented samples" (Marzuqi and Nastiti, JURTEKSI XI/4, 2025).

    Args:
        table (`SegmentTable`): Originals (`copy` 0), as `cut_segments` gives them.
        num_segments (`int`): Rows wanted. They are drawn at random from originals and copies alike, each genre by its
            share of them; where there are not more than that, all are taken. 0: all.
        augmented_copies (`int`): Copies of every segment; 0: none.
        seed (`int`): Seed of the draw.

    Returns:
        `SegmentTable`: Originals and copies in the order of `table`, a copy after its original, without parts. The
        rows drawn depend on ids, labels and seed, not on the order of the table.

    Raises:
        OptionError: A negative number.
        ValueError: The table holds copies already.
    """
    for name, value in (("num_segments", num_segments), ("augmented_copies", augmented_copies)):
        if value < 0:
            raise OptionError(f"{name} is {value}; it must be 0 or more")
    if table.copy.any():
        raise ValueError("the table holds augmented copies already")
    copies = 1 + augmented_copies
    pool = table.take(np.repeat(np.arange(len(table)), copies))
    pool = replace(pool, copy=np.tile(np.arange(copies), len(table)), part=np.full(len(pool), "", dtype=object))
    if not 0 < num_segments < len(pool):
        return pool
    row_of = {item: row for row, item in enumerate(pool.ids)}
    ids = np.array(pool.ids, dtype=object)
    rows: list[int] = []
    for label, quota in _quotas(pool.label, num_segments).items():
        order = seeded_order(ids[pool.label == label], seed, "pool")
        rows.extend(row_of[item] for item in order[:quota])
    return pool.take(np.sort(np.array(rows, dtype=np.int64)))


def _quotas(label: np.ndarray, total: int) -> dict[int, int]:
    """Divide `total` among labels by their shares (largest remainders, ties to the lower label)."""
    labels, counts = np.unique(label, return_counts=True)
    whole, remainder = np.divmod(counts * total, len(label))
    for index in np.argsort(-remainder, kind="stable")[: total - whole.sum()]:
        whole[index] += 1
    return dict(zip(labels.tolist(), whole.tolist(), strict=True))
