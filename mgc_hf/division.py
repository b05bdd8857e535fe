"""From options to rows: which clips are read, how they are divided, and where their segments lie."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mgc_hf.augment import Augmentation
from mgc_hf.data.facts import recording_of
from mgc_hf.data.making_splits import make_split, split_from_parts
from mgc_hf.data.protocols import PROTOCOLS, Split
from mgc_hf.data.segments import SegmentTable, assign_parts, cut_segments, paper_pool, spread_windows, windowing
from mgc_hf.data.sources import Corpus, read_corpus
from mgc_hf.errors import LabelError, OptionError, SplitError
from mgc_hf.features import (
    BatchExtractor,
    SegmentDataset,
    TrackReader,
    decode_tracks,
    prepare,
    segment_samples,
    shortest_input,
)
from mgc_hf.labels import join_names
from mgc_hf.leaks import artist_of_tracks
from mgc_hf.options import DataOptions, Options
from mgc_hf.results import SkippedFile

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
        "leave_out_faults": data.leave_out_faults,
    }
    own: dict[str, Any] = {"revision": data.dataset_revision, "columns": data.columns, "audio": data.audio}
    corpus = read_corpus(data.dataset, **own, **shared)
    test_corpus = None
    if data.test_dataset is not None:
        other: dict[str, Any] = {
            "revision": data.test_dataset_revision,
            "columns": data.test_columns,
            "audio": data.test_audio,
        }
        test_corpus = read_corpus(data.test_dataset, **other, **shared)
    if data.leave_out_faults:
        check_left_out(corpus, test_corpus)
    if _keeps_parts(data, corpus) and (data.train_tracks_per_genre or data.test_tracks_per_genre):
        raise OptionError(
            f"--train_tracks_per_genre and --test_tracks_per_genre: {corpus.name} comes with parts of its own, which "
            "are kept whole; leave the options out, or give the clips in a folder without parts"
        )
    return corpus, test_corpus


def check_left_out(*corpora: Corpus | None) -> None:
    """Refuse to leave out known faults of data of which none are known.

    Raises:
        OptionError: None of the data is GTZAN.
    """
    read = [corpus for corpus in corpora if corpus is not None]
    if all(corpus.faults_left_out is None for corpus in read):
        raise OptionError(
            f"--leave_out_faults: the faults that are known are those of GTZAN's own tracks, and the clips of "
            f"{' and '.join(corpus.name for corpus in read)} are not named and sorted as GTZAN's are; leave it out"
        )


def decode(corpus: Corpus, extractor: Any, num_proc: int | None = None) -> Any:
    """Decode all clips of a corpus at the extractor's rate, and name those too short for the model to hear as they are."""
    tracks = decode_tracks(corpus.dataset, extractor.sampling_rate, num_proc=num_proc)
    least = shortest_input(extractor, segment_samples(extractor))
    short = np.flatnonzero(TrackReader(tracks).num_samples < least)
    if len(short):
        names = ", ".join(tracks[int(row)]["track_id"] for row in short[:5]) + (", ..." if len(short) > 5 else "")
        logger.warning(
            "%s: silence was added to %d clips under %g s: %s",
            corpus.name,
            len(short),
            least / extractor.sampling_rate,
            names,
        )
    return tracks


def label_ids(corpus: Corpus, genres: Sequence[str]) -> np.ndarray:
    """Return the model's class index of every clip, joined by genre name."""
    names = corpus.dataset.features["genre"].names
    present = [names[index] for index in sorted(set(corpus.dataset["genre"]))]
    known = join_names(present, genres)
    unknown = [name for name in present if name not in known]
    missing = [name for name in genres if name not in known.values()]
    if unknown:
        raise LabelError(
            f"{corpus.name}: the model does not know the genres {unknown}; of its own, {missing} are not in the data. "
            f"It knows {list(genres)}. Leave the unknown genres out of the data (mgc-hf evaluate does so with "
            "--on_unknown_genre skip), or rename them",
            unknown,
            missing,
        )
    if missing:
        logger.warning("%s: no clip of the genres %s, which the model knows", corpus.name, missing)
    index_of = {genre: index for index, genre in enumerate(genres)}
    return np.array([index_of[known[names[index]]] for index in corpus.dataset["genre"]], dtype=np.int64)


def leave_out_unknown(corpus: Corpus, genres: Sequence[str]) -> Corpus:
    """Return a corpus without the clips whose genre a model does not know; they join those that were skipped.

    Raises:
        LabelError: No clip is left.
    """
    names = corpus.dataset.features["genre"].names
    known_names = join_names(names, genres)
    labels = corpus.dataset["genre"]
    keep = [row for row, label in enumerate(labels) if names[label] in known_names]
    if not keep:
        raise LabelError(
            f"{corpus.name}: the model knows none of its genres {names}; it knows {list(genres)}", names, list(genres)
        )
    left_out = [
        SkippedFile(track_id, f"genre {names[label]}, which the model does not know")
        for track_id, label in zip(corpus.dataset["track_id"], labels, strict=True)
        if names[label] not in known_names
    ]
    if not left_out:
        return corpus
    logger.warning("%s: %d clips of genres that the model does not know were left out", corpus.name, len(left_out))
    return replace(corpus, dataset=corpus.dataset.select(keep), skipped=[*corpus.skipped, *left_out])


def cut_tracks(tracks: Any, labels: np.ndarray, extractor: Any, hop_seconds: float) -> SegmentTable:
    """Cut decoded tracks into windows of the extractor's length, one every `hop_seconds` seconds."""
    return _cut(cut_segments, tracks, labels, extractor, hop_seconds=hop_seconds)


def _cut(
    cutter: Callable[..., SegmentTable], tracks: Any, labels: np.ndarray, extractor: Any, **how: Any
) -> SegmentTable:
    """Call one of the cutters of `data/segments.py` on decoded tracks, with windows of the extractor's length."""
    return cutter(
        tracks["track_id"],
        labels.tolist(),
        TrackReader(tracks).num_samples.tolist(),
        int(extractor.sampling_rate),
        segment_seconds=extractor.segment_seconds,
        **how,
    )


def divide(
    options: Options, corpus: Corpus, test_corpus: Corpus | None, genres: Sequence[str], extractor: Any
) -> tuple[Split, dict[str, Part]]:
    """Divide the data and cut it into segments, by the protocol that the options name."""
    data, seed = options.data, split_seed(options)
    tracks = decode(corpus, extractor, data.preprocessing_num_proc)
    test_tracks = test_corpus and decode(test_corpus, extractor, data.preprocessing_num_proc)
    labels = label_ids(corpus, genres)
    _, eval_hop_seconds = windowing(extractor)
    rows = cut_tracks(tracks, labels, extractor, eval_hop_seconds)
    by_segment = PROTOCOLS[data.protocol].unit == "segment"
    if by_segment:
        rows = cut_tracks(tracks, labels, extractor, data.train_hop_seconds or data.segment_seconds)
        rows = paper_pool(rows, data.num_segments, data.augmented_copies, seed)
    ids = rows.ids if by_segment else list(tracks["track_id"])
    names = [genres[label] for label in (rows.label if by_segment else labels)]
    split = choose_split(data, corpus, test_corpus is not None, ids, names, seed)
    rows = assign_parts(rows, split)
    train_rows = rows
    if not by_segment:
        train_rows = assign_parts(_training_rows(data, tracks, labels, extractor), split)
    whole = not by_segment
    parts = [Part("train", tracks, train_rows, whole), Part("validation", tracks, rows, whole)]
    if test_corpus is None:
        parts.append(Part("test", tracks, rows, whole))
    else:
        test_rows = cut_tracks(test_tracks, label_ids(test_corpus, genres), extractor, eval_hop_seconds)
        parts.append(Part("test", test_tracks, assign_parts(test_rows, "test"), whole))
        labels = np.union1d(labels, test_rows.label)
    found = {part.name: part for part in parts if len(part.rows)}
    absent = [name for name in ("train", "test") if name not in found]
    if absent:
        raise SplitError(
            f"{data.split or corpus.name}: the split has no {' and no '.join(absent)} part; give test data with "
            "--test_dataset, or a split that has both"
        )
    untrained = [genres[label] for label in np.setdiff1d(labels, found["train"].rows.label)]
    if untrained:
        raise SplitError(
            f"{data.split or corpus.name}: the split has no training clip of {', '.join(untrained)}, which the model would "
            "have as a class; give a split that has, or leave these genres out of the data"
        )
    return split, found


def split_seed(options: Options) -> int:
    """Return the seed of the split: its own, or that of the run."""
    return options.train.seed if options.data.split_seed is None else options.data.split_seed


def fold_splits(options: Options, corpus: Corpus) -> list[Split]:
    """Return the split of every fold of protocol `kfold`.

    Raises:
        SplitError: They cannot be had, as for `draw_folds`.
    """
    ids, labels = list(corpus.dataset["track_id"]), corpus.dataset["genre"]
    names = [corpus.dataset.features["genre"].names[label] for label in labels]
    return [
        choose_split(replace(options.data, fold=fold), corpus, False, ids, names, split_seed(options))
        for fold in range(options.data.num_folds)
    ]


def training_augmentation(options: Options) -> Augmentation:
    """Return what is done to training rows; those of `--random_windows` lie anywhere in their clips."""
    augmentation = Augmentation.from_values(vars(options.augment))
    return replace(augmentation, random_offset=augmentation.random_offset or options.data.random_windows > 0)


def check_augmentation(options: Options, extractor: Any) -> None:
    """Refuse augmentation that cannot be had with this model or protocol, before any data is read.

    Raises:
        OptionError: As `Augmentation.check`.
    """
    training_augmentation(options).check(
        has_spectrograms=BatchExtractor(extractor, segment_samples(extractor)).has_spectrograms,
        whole_tracks=PROTOCOLS[options.data.protocol].unit == "track",
    )


def _training_rows(data: DataOptions, tracks: Any, labels: np.ndarray, extractor: Any) -> SegmentTable:
    """Cut tracks for training where whole tracks are divided: windows at random, or overlapping segments."""
    if not data.random_windows:
        return cut_tracks(tracks, labels, extractor, data.train_hop_seconds or data.segment_seconds / 2)
    return _cut(spread_windows, tracks, labels, extractor, num_windows=data.random_windows)


def _keeps_parts(data: DataOptions, corpus: Corpus) -> bool:
    """Whether the parts are those that the data set itself defines: unless another rule is asked for by name."""
    return corpus.has_parts and data.protocol == "track" and data.split is None and data.test_dataset is None


def choose_split(
    data: DataOptions, corpus: Corpus, has_other_test: bool, ids: list[str], names: list[str], seed: int
) -> Split:
    """Return the division that the options name: of a split file, the data's own parts, or a draw.

    Args:
        data ([`DataOptions`]): Options.
        corpus ([`Corpus`]): The data.
        has_other_test (`bool`): Whether the test part comes from other data.
        ids, names (`list[str]`): Id and genre of each item, in the protocol's unit.
        seed (`int`): Seed of a draw.

    Raises:
        OptionError, SplitError: The split file is of another protocol or of other data, or nothing can be drawn.
    """
    if data.split is not None:
        split = Split.load(data.split)
        if split.protocol not in (data.protocol, "source"):
            raise OptionError(f"--split {data.split}: is of protocol {split.protocol}, not {data.protocol}")
        split.check(ids)
        if has_other_test and split.ids("test"):
            logger.warning(
                "--split %s: its %d test ids are trained on, since --test_dataset gives the test part",
                data.split,
                len(split.ids("test")),
            )
            part_of = {item: "train" if part == "test" else part for item, part in split.part_of.items()}
            return replace(split, part_of=part_of)
        return split
    if _keeps_parts(data, corpus):
        return split_from_parts(
            ids, corpus.dataset["part"], names, seed=seed, validation_fraction=data.validation_fraction
        )
    if PROTOCOLS[data.protocol].listed is not None and not corpus.is_gtzan:
        raise SplitError(
            f"protocol {data.protocol} is a list of GTZAN's own tracks, and cannot be had for {corpus.name}: its clips "
            "are not named and sorted as GTZAN's are. Divide by --protocol track or artist"
        )
    # pieces that somebody has cut from one GTZAN track (blues.00000.3), and copies of it, stay together as that track does
    by_segment = PROTOCOLS[data.protocol].unit == "segment"
    recordings = ids if by_segment else [recording_of(item) for item in ids]
    genre_of = dict(zip(recordings, names, strict=True))
    artist_of: dict[str, str | None] = {}
    if data.protocol == "artist" or data.fold_groups == "artist":
        artist_of = {recording_of(item): artist for item, artist in artist_of_tracks(corpus).items()}
    split = make_split(
        list(genre_of),
        list(genre_of.values()),
        data.protocol,
        seed=seed,
        validation_fraction=data.validation_fraction,
        test_fraction=0.0 if has_other_test else data.test_fraction,
        train_tracks_per_genre=data.train_tracks_per_genre,
        test_tracks_per_genre=data.test_tracks_per_genre,
        artists=[artist_of.get(item) for item in genre_of],
        unknown_artist=data.unknown_artist,
        num_folds=data.num_folds,
        fold=data.fold,
        fold_groups=data.fold_groups,
    )
    return replace(split, part_of={i: split.part_of[r] for i, r in zip(ids, recordings, strict=True)})


def recordings(part: Part) -> dict[str, str]:
    """Return the SHA-256 (hexadecimal) of every track's decoded samples, by track id."""
    reader, rows = TrackReader(part.tracks), part.rows
    track, first = np.unique(rows.track, return_index=True)
    return {str(rows.track_id[index]): digest(reader, int(row)) for row, index in zip(track, first, strict=True)}


def digest(reader: TrackReader, track: int) -> str:
    """Return the SHA-256 (hexadecimal) of a track's decoded samples."""
    return hashlib.sha256(reader.integers(track)[0].data).hexdigest()
