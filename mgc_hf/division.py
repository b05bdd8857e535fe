"""From options to rows: which clips are read, how they are divided, and where their segments lie."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mgc_hf.augment import Augmentation
from mgc_hf.data.facts import recording_of
from mgc_hf.data.protocols import PROTOCOLS, Split, make_split, split_from_parts
from mgc_hf.data.segments import SegmentTable, assign_parts, cut_segments, paper_pool
from mgc_hf.data.sources import Corpus, read_corpus
from mgc_hf.errors import LabelError, OptionError
from mgc_hf.features import SegmentDataset, TrackReader, decode_tracks, prepare
from mgc_hf.options import DataOptions, Options

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Part:
    """One part of the data.

    Args:
        name (`str`): `train`, `validation` or `test`.
        tracks (`datasets.Dataset`): Decoded tracks, of this part and others.
        table ([`SegmentTable`]): Segments of all these tracks; features are cached for all of them, so that another
            split of the same data reads the same cache.
        whole_tracks (`bool`): Whether every track lies in one part.
    """

    name: str
    tracks: Any
    table: SegmentTable
    whole_tracks: bool

    @property
    def rows(self) -> SegmentTable:
        """The segments of this part."""
        return self.table.of_part(self.name)

    def inputs(
        self, feature_extractor: Any, num_labels: int, augmentation: Augmentation | None = None, seed: int = 0
    ) -> SegmentDataset:
        """Return the model's inputs for the rows of this part."""
        return prepare(
            self.tracks,
            self.table,
            feature_extractor,
            num_labels=num_labels,
            part=self.name,
            augmentation=augmentation,
            seed=seed,
            whole_tracks=self.whole_tracks,
        )


def read_corpora(options: Options) -> tuple[Corpus, Corpus | None]:
    """Read the data that the options name, and the other data for the test part where there is one."""
    data = options.data
    shared: dict[str, Any] = {
        "cache_dir": data.cache_dir,
        "on_bad_audio": data.on_bad_audio,
        "min_seconds": data.min_seconds,
        "demo_clips_per_genre": data.demo_clips_per_genre,
        "demo_seconds": data.demo_seconds,
    }
    with options.train.main_process_first(desc="reading the data"):
        corpus = read_corpus(data.dataset, revision=data.dataset_revision, columns=data.columns, **shared)
        test_corpus = read_corpus(data.test_dataset, **shared) if data.test_dataset else None
    return corpus, test_corpus


def label_ids(corpus: Corpus, genres: Sequence[str]) -> np.ndarray:
    """Return the model's class index of every clip, joined by genre name."""
    names = corpus.dataset.features["genre"].names
    present = [names[index] for index in sorted(set(corpus.dataset["genre"]))]
    unknown = [name for name in present if name not in genres]
    missing = [name for name in genres if name not in present]
    if unknown:
        raise LabelError(
            f"{corpus.name}: the model does not know the genres {unknown}; of its own, {missing} are not in the data. "
            f"It knows {list(genres)}. Leave the unknown genres out of the data, or rename them",
            unknown,
            missing,
        )
    if missing:
        logger.warning("%s: no clip of the genres %s, which the model knows", corpus.name, missing)
    index_of = {genre: index for index, genre in enumerate(genres)}
    return np.array([index_of[names[index]] for index in corpus.dataset["genre"]], dtype=np.int64)


def cut_tracks(tracks: Any, labels: np.ndarray, extractor: Any, hop_seconds: float) -> SegmentTable:
    """Cut decoded tracks into segments of the extractor's length, one every `hop_seconds` seconds."""
    return cut_segments(
        tracks["track_id"],
        labels.tolist(),
        TrackReader(tracks).num_samples.tolist(),
        int(extractor.sampling_rate),
        segment_seconds=extractor.segment_seconds,
        hop_seconds=hop_seconds,
    )


def divide(
    options: Options, corpus: Corpus, test_corpus: Corpus | None, genres: Sequence[str], extractor: Any
) -> tuple[Split, dict[str, Part]]:
    """Divide the data and cut it into segments, by the protocol that the options name."""
    data, seed = options.data, options.data.split_seed
    seed = options.train.seed if seed is None else seed
    with options.train.main_process_first(desc="decoding"):
        tracks = decode_tracks(corpus.dataset, extractor.sampling_rate, num_proc=data.preprocessing_num_proc)
        test_tracks = test_corpus and decode_tracks(
            test_corpus.dataset, extractor.sampling_rate, num_proc=data.preprocessing_num_proc
        )
    labels = label_ids(corpus, genres)
    rows = cut_tracks(tracks, labels, extractor, data.segment_seconds)
    by_segment = PROTOCOLS[data.protocol].unit == "segment"
    if by_segment:
        rows = cut_tracks(tracks, labels, extractor, data.train_hop_seconds or data.segment_seconds)
        rows = paper_pool(rows, data.num_segments, data.augmented_copies, seed)
    ids = rows.ids if by_segment else list(tracks["track_id"])
    names = [genres[label] for label in (rows.label if by_segment else labels)]
    split = _make_split(data, corpus, test_corpus is not None, ids, names, seed)
    rows = assign_parts(rows, split)
    train_rows = rows
    if not by_segment:
        dense = cut_tracks(tracks, labels, extractor, data.train_hop_seconds or data.segment_seconds / 2)
        train_rows = assign_parts(dense, split)
    whole = not by_segment
    parts = [Part("train", tracks, train_rows, whole), Part("validation", tracks, rows, whole)]
    if test_corpus is None:
        parts.append(Part("test", tracks, rows, whole))
    else:
        test_rows = cut_tracks(test_tracks, label_ids(test_corpus, genres), extractor, data.segment_seconds)
        parts.append(Part("test", test_tracks, assign_parts(test_rows, "test"), whole))
    return split, {part.name: part for part in parts if len(part.rows)}


def _make_split(
    data: DataOptions, corpus: Corpus, has_other_test: bool, ids: list[str], names: list[str], seed: int
) -> Split:
    if data.split is not None:
        split = Split.load(data.split)
        if split.protocol not in (data.protocol, "source"):
            raise OptionError(f"--split {data.split}: is of protocol {split.protocol}, not {data.protocol}")
        split.check(ids)
        return split
    if corpus.has_parts and not has_other_test and PROTOCOLS[data.protocol].unit == "track":
        return split_from_parts(
            ids, corpus.dataset["part"], names, seed=seed, validation_fraction=data.validation_fraction
        )
    # pieces that somebody has cut from one GTZAN track (blues.00000.3) stay together as that track does
    recordings = [recording_of(item) for item in ids]
    genre_of = dict(zip(recordings, names, strict=True))
    split = make_split(
        list(genre_of),
        list(genre_of.values()),
        data.protocol,
        seed=seed,
        validation_fraction=data.validation_fraction,
        test_fraction=0.0 if has_other_test else data.test_fraction,
    )
    return replace(split, part_of={i: split.part_of[r] for i, r in zip(ids, recordings, strict=True)})


def shared_recordings(parts: Mapping[str, Part]) -> list[str]:
    """Return the test tracks whose audio is, sample for sample, that of a training or validation track."""

    def digests(part: str) -> dict[bytes, str]:
        reader, rows = TrackReader(parts[part].tracks), parts[part].rows
        track, first = np.unique(rows.track, return_index=True)
        return {
            hashlib.sha256(reader.integers(int(row))[0].data).digest(): str(rows.track_id[index])
            for row, index in zip(track, first, strict=True)
        }

    known = {digest for part in ("train", "validation") if part in parts for digest in digests(part)}
    return sorted(name for digest, name in digests("test").items() if digest in known)


def leak_statement(split: Split, leak: Sequence[str], test_corpus: Corpus | None) -> str:
    """Say in words what the split does and whether it leaks; `leak` lists test tracks that were trained on."""
    if leak:
        return (
            f"This evaluation is leaky: {len(leak)} of the test recordings are, sample for sample, among those trained "
            f"on ({', '.join(leak[:5])}{', ...' if len(leak) > 5 else ''})."
        )
    if test_corpus is not None:
        return f"{split.statement} No test recording is, sample for sample, among those trained on."
    return split.statement
