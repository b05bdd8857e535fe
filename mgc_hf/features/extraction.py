"""Segments to features: any feature extractor of transformers, in batches, cached once per segment.

Both ways to the model's inputs, the cache here and the live path of `dataset.py`, go through `SegmentReader` and
`BatchExtractor`, so that they give the same frames and the same mask.
"""

import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mgc_hf.augment import COPY_AUGMENTATION, Augmentation, WaveformDraw, copy_draw
from mgc_hf.data.segments import SegmentTable
from mgc_hf.features.cache import cached_map, code_version, extractor_configuration, fingerprint
from mgc_hf.features.tracks import TrackReader

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers.feature_extraction_utils import FeatureExtractionMixin

#: Segments per call of the feature extractor and per record batch of the cache (8 MiB for 3 s of 128 mel bands).
_BATCH_SIZE = 128

#: The least sound that counts as such, seconds; what is shorter is filled up with silence that counts too. Frames and
#: convolutions of 25 ms would otherwise leave nothing of it, which extractors and models answer with a traceback, or
#: by taking all of the padding for sound.
LEAST_SECONDS = 0.1


def shortest_input(feature_extractor: Any, segment_samples: int) -> int:
    """Return the samples up to which a waveform is filled with silence: `LEAST_SECONDS`, or what the model needs.

    Args:
        feature_extractor (`FeatureExtractionMixin`): Its `min_samples`, saved with it, is the model's need
            (`models/window.py`).
        segment_samples (`int`): Samples of a whole segment.
    """
    least = min(round(LEAST_SECONDS * feature_extractor.sampling_rate), segment_samples)
    return max(least, int(getattr(feature_extractor, "min_samples", 0)))


class BatchExtractor:
    """Calls a feature extractor on a batch of waveforms and gives every row the shape of a whole segment.

    Args:
        feature_extractor (`FeatureExtractionMixin`): Any of transformers' for audio, or ours.
        segment_samples (`int`): Samples of a whole segment; shorter waveforms are padded by the extractor's own rule.

    Attributes:
        name (`str`): The model's input: `input_features` or `input_values`.
        shape (`tuple[int, ...]`): Shape of a row: `(num_frames, num_mel_bins)`, `(num_samples,)` for models that take
            the waveform, or `(num_features,)` for those that take one vector a segment.
        num_frames (`int`): Frames of a row that is not padded (for waveform models: samples).
        has_spectrograms (`bool`): Whether a row has an axis of frequency.
        has_waveforms (`bool`): Whether a row is the waveform itself, one value a sample.
        frames_last (`bool`): Whether the frames are the last axis (Whisper) and not the first.
        least_samples (`int`): Samples that shorter waveforms are filled up to with silence, from [`shortest_input`].

    Raises:
        ValueError: The extractor pads on the left, or its output has no such key, or another shape for each batch.
    """

    def __init__(self, feature_extractor: "FeatureExtractionMixin", segment_samples: int):
        self.feature_extractor = cast(Any, feature_extractor)  # its attributes vary by class
        if getattr(feature_extractor, "padding_side", "right") != "right":
            raise ValueError('the feature extractor pads on the left; set padding_side="right"')
        self.name: str = self.feature_extractor.model_input_names[0]
        self.sampling_rate = int(self.feature_extractor.sampling_rate)
        self.least_samples = shortest_input(feature_extractor, segment_samples)
        self.segment_samples = max(segment_samples, self.least_samples)
        # an extractor that pads when asked is asked to pad to the longest waveform; one that pads by a rule of its own
        # (AST, Whisper) is left to it
        padding = inspect.signature(type(feature_extractor).__call__).parameters.get("padding")
        self._padding = {"padding": True} if padding is not None and isinstance(padding.default, bool) else {}
        whole = self._call([_silence(self.segment_samples)])
        if self.name not in whole:
            raise ValueError(
                f"{type(feature_extractor).__name__} gives {', '.join(whole)}, not the model's input {self.name}"
            )
        self.shape: tuple[int, ...] = np.shape(whole[self.name])[1:]
        self.has_spectrograms = len(self.shape) == 2
        self.has_waveforms = not self.has_spectrograms and self.shape[0] >= self.segment_samples
        bands = getattr(feature_extractor, "feature_size", None)
        self.frames_last = self.has_spectrograms and self.shape[0] == bands != self.shape[1]
        self.num_frames = self.shape[-1 if self.frames_last else 0]

    def _call(self, waveforms: list[np.ndarray]) -> Any:
        return self.feature_extractor(
            waveforms, sampling_rate=self.sampling_rate, return_tensors="np", **self._padding
        )

    def __call__(self, waveforms: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Extract a batch.

        Args:
            waveforms (`list[np.ndarray]`): Each float32 `(num_samples,)`, of at most a segment.

        Returns:
            `tuple[np.ndarray, np.ndarray]`: Features, float32 `(batch_size, *shape)`, and the number of frames (for
            waveform models: samples) of each row that are not padding, int64 `(batch_size,)`. Without an attention
            mask, which some models must not have, all count.
        """
        waveforms = [self._filled_up(waveform) for waveform in waveforms]
        whole = max(map(len, waveforms)) == self.segment_samples
        # where every row is short, a whole segment of silence goes along and makes them as long as any other row
        output = self._call(waveforms if whole else [*waveforms, _silence(self.segment_samples)])
        features = np.ascontiguousarray(output[self.name][: len(waveforms)], dtype=np.float32)
        if features.shape[1:] != self.shape:
            raise ValueError(
                f"{type(self.feature_extractor).__name__} gave rows of shape {features.shape[1:]}, "
                f"expected {self.shape} as for a whole segment of {self.segment_samples} samples"
            )
        if "attention_mask" in output:
            return features, np.asarray(output["attention_mask"])[: len(waveforms)].sum(axis=1, dtype=np.int64)
        return features, np.full(len(features), self.num_frames, dtype=np.int64)

    def _filled_up(self, waveform: np.ndarray) -> np.ndarray:
        missing = self.least_samples - len(waveform)
        return np.pad(waveform, (0, missing)) if missing > 0 else waveform

    def count_frames(self, num_samples: np.ndarray) -> np.ndarray:
        """Return the frames that are not padding for rows of so many samples, int64 `(num_rows,)`."""
        lengths, inverse = np.unique(num_samples, return_inverse=True)
        frames = np.empty(len(lengths), dtype=np.int64)
        for first in range(0, len(lengths), _BATCH_SIZE):
            frames[first : first + _BATCH_SIZE] = self(list(map(_silence, lengths[first : first + _BATCH_SIZE])))[1]
        return frames[inverse]


def whole_segment(feature_extractor: Any, rows: SegmentTable) -> int:
    """Return the samples of a whole segment: as many as the extractor says, and no fewer than any row has.

    So a clip has the same input beside longer clips and beside none, in training, evaluation and prediction.
    """
    return max(int(rows.num_samples.max()), segment_samples(feature_extractor))


def segment_samples(feature_extractor: Any) -> int:
    """Return the samples of a segment as the extractor says, 0 where it says nothing."""
    seconds = getattr(feature_extractor, "segment_seconds", None) or 0.0
    return round(seconds * feature_extractor.sampling_rate)


def _silence(num_samples: int) -> np.ndarray:
    return np.zeros(num_samples, dtype=np.float32)


class SegmentReader:
    """Reads the waveforms of rows, with the fixed augmentation of augmented copies.

    Args:
        tracks ([`TrackReader`]): Decoded tracks.
        rows ([`SegmentTable`]): Rows that index them.
        seed (`int`): Seed of the augmented copies.
        whole_tracks (`bool`): Whether augmentation may take samples of a track outside the row; see `prepare`.

    Raises:
        ValueError: There are no rows, or one lies outside its track.
    """

    def __init__(self, tracks: TrackReader, rows: SegmentTable, seed: int, whole_tracks: bool = False):
        if len(rows) == 0:
            raise ValueError("there are no rows to extract features of")
        if not (rows.track.min() >= 0 and rows.track.max() < len(tracks)):
            raise ValueError(f"the rows name tracks {rows.track.min()} to {rows.track.max()} of {len(tracks)}")
        outside = (rows.start < 0) | (rows.num_samples < 1)
        outside |= rows.start + rows.num_samples > tracks.num_samples[rows.track]
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            raise ValueError(
                f"segment {rows.ids[row]} has samples {rows.start[row]} to {rows.start[row] + rows.num_samples[row]}, "
                f"but its track has {tracks.num_samples[rows.track[row]]}; cut the segments from the decoded tracks"
            )
        self.tracks, self.rows, self.seed, self.whole_tracks = tracks, rows, seed, whole_tracks

    def read(self, row: int, augmentation: Augmentation | None = None, draw: WaveformDraw | None = None) -> np.ndarray:
        """Return a row's waveform, float32 `(num_samples,)`, augmented if a draw is given.

        An augmented copy first gets its own, fixed augmentation, of nothing but its segment's samples.
        """
        track, start, length = (
            int(column[row]) for column in (self.rows.track, self.rows.start, self.rows.num_samples)
        )
        samples, scale = self.tracks.integers(track)
        rate = self.tracks.sampling_rate
        if self.rows.copy[row]:
            fixed = copy_draw(self.seed, self._ids[row])
            segment = samples[start : start + length]
            samples, scale = COPY_AUGMENTATION.waveform(segment, scale, 0, length, rate, fixed), 1.0
            start = 0
        elif augmentation is not None and not self.whole_tracks:
            samples, start = samples[start : start + length], 0
        if augmentation is None or draw is None:
            return samples[start : start + length].astype(np.float32) * np.float32(scale)
        return augmentation.waveform(samples, scale, start, length, rate, draw)

    @cached_property
    def _ids(self) -> list[str]:
        return self.rows.ids


def extract_features(
    tracks: "Dataset", rows: SegmentTable, feature_extractor: "FeatureExtractionMixin", *, seed: int = 0
) -> "Dataset":
    """Compute the features of every row once; a second call, in any process, reads the cache.

    The cache is found by the tracks' fingerprint, the rows, the extractor's settings and the code, whether the
    extractor is fresh or was saved and loaded; a change of any of them computes anew.

    Args:
        tracks (`datasets.Dataset`): From `decode_tracks`.
        rows ([`SegmentTable`]): Segments of these tracks. Labels and parts do not matter.
        feature_extractor (`FeatureExtractionMixin`): Any of transformers' for audio, or ours.
        seed (`int`, *optional*, defaults to 0): Seed of augmented copies, where the rows hold any.

    Returns:
        `datasets.Dataset`: One row a segment, in the order of `rows`: the model's input (`input_features`: float32
        lists of fixed sizes, `(num_frames, num_mel_bins)`, without padding in memory, so that arrays are views) and
        `num_frames` (int32; below the full number the rest of the row is padding).

    Raises:
        ValueError: Tracks and extractor differ in sampling rate, or rows do not fit the tracks.
    """
    import datasets

    reader = SegmentReader(open_tracks(tracks, feature_extractor), rows, seed)
    extractor = BatchExtractor(feature_extractor, whole_segment(feature_extractor, rows))
    feature: Any = datasets.Value("float32")
    for length in reversed(extractor.shape):
        feature = datasets.List(feature, length=length)

    def extract(batch: "pa.Table") -> "pa.Table":
        features, num_frames = extractor([reader.read(row) for row in batch["row"].to_pylist()])
        return _to_table(extractor.name, features, num_frames)

    return cached_map(
        datasets.Dataset.from_dict({"row": np.arange(len(rows))}),
        extract,
        _features_fingerprint(tracks, rows, feature_extractor, seed),
        beside=tracks,
        batch_size=_BATCH_SIZE,
        features=datasets.Features({extractor.name: feature, "num_frames": datasets.Value("int32")}),
        desc="Extracting features",
    )


def open_tracks(tracks: "Dataset", feature_extractor: Any) -> TrackReader:
    """Open decoded tracks for an extractor.

    Raises:
        ValueError: They were decoded at another rate than the extractor's.
    """
    reader = TrackReader(tracks)
    if reader.sampling_rate != feature_extractor.sampling_rate:
        raise ValueError(
            f"the tracks were decoded at {reader.sampling_rate} Hz, but {type(feature_extractor).__name__} takes "
            f"{feature_extractor.sampling_rate} Hz: call decode_tracks with that rate"
        )
    return reader


def _features_fingerprint(tracks: "Dataset", rows: SegmentTable, feature_extractor: Any, seed: int) -> str:
    copies = rows.copy > 0
    return fingerprint(
        tracks=tracks._fingerprint,
        rows=[rows.track, rows.start, rows.num_samples],
        extractor=extractor_configuration(feature_extractor),
        code=code_version(type(feature_extractor), BatchExtractor, TrackReader),
        copies=[seed, rows.take(copies).ids, COPY_AUGMENTATION.to_dict(), code_version(Augmentation)]
        if copies.any()
        else None,
    )


def _to_table(name: str, features: np.ndarray, num_frames: np.ndarray) -> "pa.Table":
    import pyarrow as pa

    values: pa.Array = pa.array(features.reshape(-1))
    for length in reversed(features.shape[1:]):
        values = pa.FixedSizeListArray.from_arrays(values, length)
    return pa.table({name: values, "num_frames": pa.array(num_frames, pa.int32())})
