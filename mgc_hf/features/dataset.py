"""The data set that PyTorch reads: whole batches, from cached features or from augmented waveforms.

A batch of cached features is one copy out of the memory-mapped Arrow file: all rows have one size, so row r is the
window of that many floats which starts at its offset, whatever record batch it lies in.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from mgc_hf.augment import Augmentation, EpochDraws, mix, mix_waveforms, soft_labels
from mgc_hf.data.segments import SegmentTable
from mgc_hf.features.extraction import BatchExtractor, SegmentReader, extract_features, open_tracks, whole_segment

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers.feature_extraction_utils import FeatureExtractionMixin


class FeatureSource(Protocol):
    """Where `SegmentDataset` takes the features of rows from."""

    name: str
    shape: tuple[int, ...]
    frames_last: bool
    num_frames: np.ndarray

    def read(self, rows: np.ndarray, draws: EpochDraws | None) -> np.ndarray:
        """Return new features, float32 `(len(rows), *shape)`."""
        ...


class CachedFeatures:
    """Features of all rows in a memory-mapped Arrow file, from `extract_features`.

    Pickled by the file's name, so that worker processes map it too.

    Args:
        features (`datasets.Dataset`): As `extract_features` returned it, neither selected from nor joined.
        rows (`np.ndarray` of `int64`, *optional*): The rows of it that are served, in this order; all by default.
        frames_last (`bool`, *optional*, defaults to `False`): Whether frames are the last axis of a row.

    Raises:
        ValueError: The data set is not the whole of one file.
    """

    def __init__(self, features: "Dataset", rows: np.ndarray | None = None, frames_last: bool = False):
        files = features.cache_files
        self.name = next(name for name in features.column_names if name != "num_frames")
        self.frames_last = frames_last
        self._file: str = files[0]["filename"] if files else ""
        self._rows = np.arange(len(features)) if rows is None else rows
        whole = len(files) == 1 and features._indices is None
        if not whole or self._open() != len(features):
            raise ValueError("cached features must be what extract_features returned, whole and in one file")

    def _open(self) -> int:
        """Map the file and return its number of rows."""
        import pyarrow as pa

        buffer = pa.memory_map(self._file).read_buffer()
        table = pa.ipc.open_stream(buffer).read_all()
        self.shape = _fixed_shape(table.schema.field(self.name).type)
        size = int(np.prod(self.shape))
        offsets = []
        for chunk in table.column(self.name).chunks:
            values = chunk
            for _ in self.shape:
                values = values.flatten()
            first = (values.buffers()[1].address - buffer.address) // 4 + values.offset
            offsets.append(first + size * np.arange(len(chunk), dtype=np.int64))
        self._offsets = np.concatenate(offsets)[self._rows]
        self.num_frames = table.column("num_frames").to_numpy().astype(np.int64)[self._rows]
        # every window of `size` floats in the file, overlapping: taking rows of it copies those windows alone
        floats = np.frombuffer(buffer, dtype=np.float32, count=buffer.size // 4)
        self._windows = np.lib.stride_tricks.sliding_window_view(floats, size)
        return table.num_rows

    def read(self, rows: np.ndarray, draws: EpochDraws | None) -> np.ndarray:
        """Return a copy of the features of rows, float32 `(len(rows), *shape)`."""
        return self._windows[self._offsets[rows]].reshape(-1, *self.shape)

    def view(self, row: int) -> np.ndarray:
        """Return the features of a row without a copy, float32 `shape`, read-only."""
        return self._windows[self._offsets[row]].reshape(self.shape)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("name", "frames_last", "_file", "_rows")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()


def _fixed_shape(arrow_type: Any) -> tuple[int, ...]:
    shape = []
    while hasattr(arrow_type, "list_size"):
        shape.append(arrow_type.list_size)
        arrow_type = arrow_type.value_type
    return tuple(shape)


class LiveFeatures:
    """Features computed batch by batch from the tracks' samples, augmented.

    Args:
        reader ([`SegmentReader`]): The rows' waveforms.
        extractor ([`BatchExtractor`]): The feature extractor.
        augmentation ([`Augmentation`]): What is done to the waveforms, mixup of waveforms included.
    """

    def __init__(self, reader: SegmentReader, extractor: BatchExtractor, augmentation: Augmentation):
        self.name, self.shape, self.frames_last = extractor.name, extractor.shape, extractor.frames_last
        self.num_frames = extractor.count_frames(reader.rows.num_samples)
        self._reader, self._extractor, self._augmentation = reader, extractor, augmentation

    def read(self, rows: np.ndarray, draws: EpochDraws | None) -> np.ndarray:
        """Return the features of rows in the epoch of `draws`, float32 `(len(rows), *shape)`."""
        return self._extractor([self._waveform(row, draws) for row in rows.tolist()])[0]

    def _waveform(self, row: int, draws: EpochDraws | None) -> np.ndarray:
        if draws is None or not self._augmentation.changes_waveform:
            return self._reader.read(row)
        samples = self._reader.read(row, self._augmentation, draws.of_row(row))
        if not self._augmentation.mixup_waveforms:
            return samples
        partner = int(draws.partner[row])
        other = self._reader.read(partner, self._augmentation, draws.of_row(partner))
        return mix_waveforms(samples, other, draws.weight[row])


class SegmentDataset(torch.utils.data.Dataset):
    """Segments as batches of model inputs.

    `DataLoader` asks `__getitems__` for whole batches; give it `collate_fn=collate`, which passes them on. Under the
    Trainer `remove_unused_columns` must be off.

    Args:
        source ([`FeatureSource`]): Where the features come from.
        labels (`np.ndarray` of `int64`, shape `(num_rows,)`): Class indices.
        num_labels (`int`): Number of classes.
        augmentation ([`Augmentation`], *optional*): SpecAugment and mixup of the model's inputs are done here; what
            is done to waveforms, in the source.
        seed (`int`, *optional*, defaults to 0): Seed of the augmentation.

    Raises:
        ValueError: A label is outside 0..num_labels - 1, or the seed is negative.
    """

    def __init__(
        self,
        source: FeatureSource,
        labels: np.ndarray,
        num_labels: int,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ):
        if labels.min() < 0 or labels.max() >= num_labels:
            raise ValueError(f"labels lie in {labels.min()}..{labels.max()}, allowed are 0..{num_labels - 1}")
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must be 0 or more")
        self.augmentation = augmentation or Augmentation()
        self.source, self.num_labels, self.seed = source, num_labels, seed
        self.labels = torch.from_numpy(np.array(labels, dtype=np.int64))
        self._total_frames = source.shape[-1 if source.frames_last else 0]
        self._whole_rows = bool((source.num_frames == self._total_frames).all())
        # shared memory, so that DataLoader workers that live longer than an epoch see the new one
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._draws: EpochDraws | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that augmentation is drawn for, from 0, before its first batch is read."""
        self._epoch.fill_(epoch)

    def _epoch_draws(self) -> EpochDraws | None:
        epoch = int(self._epoch)
        if self.augmentation and (self._draws is None or self._draws.epoch != epoch):
            self._draws = self.augmentation.draw(self.seed, epoch, len(self))
        return self._draws

    def __getitems__(self, indices: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return a whole batch.

        Args:
            indices (`Sequence[int]`): Rows.

        Returns:
            `dict[str, torch.Tensor]`: The model's input, float32 `(batch_size, num_frames, num_mel_bins)` or
            `(batch_size, num_samples)`; `attention_mask`, int64 `(batch_size, num_frames)`, if any row of the data set
            is shorter than a segment; `labels`, int64 `(batch_size,)`, or under mixup float32
            `(batch_size, num_labels)`.
        """
        rows = np.asarray(indices, dtype=np.int64)
        draws = self._epoch_draws()
        features = torch.from_numpy(self.source.read(rows, draws))
        labels = self.labels[torch.from_numpy(rows)]
        if draws is not None and self.augmentation.mixes:
            features, labels = self._mixed(features, labels, rows, draws)
        frames = self.source.num_frames[rows]
        if draws is not None and self.augmentation.changes_spectrogram:
            frames_first = features.transpose(1, 2) if self.source.frames_last else features
            self.augmentation.mask(frames_first, frames, draws.masks[rows])
        batch = {self.source.name: features}
        if not self._whole_rows:
            batch["attention_mask"] = attention_mask(frames, self._total_frames)
        batch["labels"] = labels
        return batch

    def _mixed(
        self, features: torch.Tensor, labels: torch.Tensor, rows: np.ndarray, draws: EpochDraws
    ) -> tuple[torch.Tensor, torch.Tensor]:
        partners = draws.partner[rows]
        weight = torch.from_numpy(draws.weight[rows])
        targets = soft_labels(labels, self.labels[torch.from_numpy(partners)], weight, self.num_labels)
        if self.augmentation.mixup_waveforms:
            return features, targets  # the source has mixed them
        others = torch.from_numpy(self.source.read(partners, draws))
        if self._whole_rows:
            return mix(features, others, weight), targets
        # a frame that one of the two lacks keeps the row's own value
        both_frames = np.minimum(self.source.num_frames[rows], self.source.num_frames[partners])
        both = attention_mask(both_frames, self._total_frames).bool()
        if features.dim() == 3:
            both = both.unsqueeze(1 if self.source.frames_last else 2)
        return torch.where(both, mix(features.clone(), others, weight), features), targets

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Return one row, as `__getitems__` does without the batch dimension."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return {name: value[0] for name, value in self.__getitems__([index % len(self)]).items()}

    def batches(self, batch_size: int) -> Iterator[dict[str, torch.Tensor]]:
        """Yield all rows in order, in batches of up to `batch_size`."""
        for first in range(0, len(self), batch_size):
            yield self.__getitems__(range(first, min(first + batch_size, len(self))))


def attention_mask(num_frames: np.ndarray, total_frames: int) -> torch.Tensor:
    """Return a mask, int64 `(batch_size, total_frames)`: 1 for the first `num_frames` of each row, 0 for padding."""
    return torch.from_numpy((np.arange(total_frames) < num_frames[:, None]).astype(np.int64))


def collate(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Pass a batch of `SegmentDataset` on: the collator that goes with it."""
    return batch


def prepare(
    tracks: "Dataset",
    rows: SegmentTable,
    feature_extractor: "FeatureExtractionMixin",
    *,
    num_labels: int,
    part: str | None = None,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    whole_tracks: bool = False,
) -> SegmentDataset:
    """Make the data set of a part.

    Features are cached, unless augmentation changes the waveforms or the model takes waveforms anyway: then each batch
    is computed from the tracks' samples.

    Args:
        tracks (`datasets.Dataset`): From `decode_tracks`, at the extractor's rate.
        rows ([`SegmentTable`]): Segments of these tracks.
        feature_extractor (`FeatureExtractionMixin`): Any of transformers' for audio, or ours.
        num_labels (`int`): Number of classes.
        part (`str`, *optional*): Serve the rows of this part only, but cache the features of all: another split of
            the same segments then reads the same cache.
        augmentation ([`Augmentation`], *optional*): For training rows only.
        seed (`int`, *optional*, defaults to 0): Seed of the augmentation and of augmented copies.
        whole_tracks (`bool`, *optional*, defaults to `False`): Let offset, shift and time stretch read anywhere in
            the row's track. Only where a track lies in one part: under protocol `segment` it would train on the
            test segments' samples.

    Returns:
        [`SegmentDataset`]

    Raises:
        OptionError: An augmentation cannot be done: a package is missing, `random_offset` without `whole_tracks`, or
            SpecAugment of waveforms.
        ValueError: Tracks, rows, labels and extractor do not fit together.
    """
    augmentation = augmentation or Augmentation()
    reader = open_tracks(tracks, feature_extractor)
    served = np.arange(len(rows)) if part is None else np.flatnonzero(rows.part == part)
    if len(served) == 0:
        raise ValueError("there are no rows to serve" + (f" of part {part!r}" if part else ""))
    extractor = BatchExtractor(feature_extractor, whole_segment(feature_extractor, rows))
    augmentation.check(has_spectrograms=extractor.has_spectrograms, whole_tracks=whole_tracks)
    source: FeatureSource
    if augmentation.changes_waveform or extractor.has_waveforms:
        source = LiveFeatures(SegmentReader(reader, rows.take(served), seed, whole_tracks), extractor, augmentation)
    else:
        features = extract_features(tracks, rows, feature_extractor, seed=seed)
        source = CachedFeatures(features, served, extractor.frames_last)
    return SegmentDataset(source, rows.label[served], num_labels, augmentation, seed)
