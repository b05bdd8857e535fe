"""A data set to the Hub, as Parquet with a card: an index without audio, or the audio too where it may be published."""

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

from mgc_hf.cards.dataset_card import DatasetSummary, render_dataset_card
from mgc_hf.cards.markdown import without_paths
from mgc_hf.data.draws import UNUSED
from mgc_hf.data.facts import gtzan_track_id
from mgc_hf.data.index import INDEX_VERSION, METADATA, IndexRow, index_rows
from mgc_hf.data.listing import Clip, is_gtzan
from mgc_hf.data.protocols import Split
from mgc_hf.data.sources import DEMO, Corpus, read_corpus
from mgc_hf.errors import AudioError, OptionError, PublishError
from mgc_hf.files import write_text
from mgc_hf.hub.committing import CARD, PushResult, publish
from mgc_hf.hub.contents import Content, check_metadata, refuse_secrets
from mgc_hf.hub.failures import explained
from mgc_hf.hub.targets import check_name, check_target
from mgc_hf.predictions import PARTS

if TYPE_CHECKING:
    import pyarrow as pa

#: The Hub's splits, in this order; what is in no part, or has a fault, is in the last.
SPLITS = (*PARTS, UNUSED)
#: A shard of a split ends with the row that takes it past this, bytes; a row group with so many rows.
_SHARD_BYTES, _GROUP_ROWS = 450 * 2**20, 32
#: Licence of the demo corpus: that of the code which makes it.
_DEMO_LICENCE = "apache-2.0"
_PATHS = re.compile(rf"README\.md|data/({'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.parquet")


def is_published(path: str) -> bool:
    """Whether a path of a data set's repository is one that a push writes."""
    return _PATHS.fullmatch(path) is not None


def push_dataset(
    source: str | os.PathLike[str],
    repo_id: str,
    *,
    split: str | os.PathLike[str] | None = None,
    protocol: str | None = None,
    division: dict[str, Any] | None = None,
    with_audio: bool = False,
    licence: str | None = None,
    private: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    tag: str | None = None,
    card: Literal["keep", "overwrite"] | None = None,
    commit_message: str | None = None,
    token: str | None = None,
    timeout: float = 60.0,
    **options: Any,
) -> PushResult:
    """Publish a data set as Parquet with a card, in one commit.

    By default that is an index: of each track its id, the SHA-256 of its file and of its decoded samples, genre, artist,
    part and fault ([`IndexRow`]), and no audio. `load_gtzan(repo_id, audio=FOLDER)` joins it to audio that somebody has.
    `datasets.load_dataset(repo_id)` gives the splits `train`, `validation` and `test` where the data set is divided, else
    `train` alone; and `unused` with what is in no part or has unusable audio, where there is any.

    Args:
        source (`str` or `PathLike`): Anything that `load_gtzan` takes.
        repo_id (`str`): `namespace/name` of the data set; made if it is not there.
        split (`str` or `PathLike`, *optional*): Split file of a run (`split.json`), of a protocol that divides tracks.
            Without it and `protocol` the parts are the source's own, if it has any.
        protocol (`str`, *optional*): Divide it by this protocol (`track`), as a recipe would.
        division (`dict`, *optional*): For `protocol`: `split_seed`, `validation_fraction`, `test_fraction`,
            `unknown_artist` and the other options of the recipes that say how tracks are divided.
        with_audio (`bool`, *optional*, defaults to `False`): Publish the audio too, each file as it is. Refused for
            GTZAN's, which has no licence.
        licence (`str`, *optional*): Identifier of the licence as the Hub spells it (`cc-by-4.0`). With audio it must be
            given, and says that the licence allows to publish the audio; the demo corpus needs none.
        private, revision, create_pr, tag, card, commit_message, token, timeout: As for [`push`]. `revision` is the branch
            that is written; that of a source on the Hub is `dataset_revision`.
        options: The other options of `read_corpus`; `dataset_revision` is its `revision`.

    Returns:
        [`PushResult`]

    Raises:
        OptionError: `with_audio` without a licence, or options that do not go together.
        SourceError, AudioError, SplitError: The data cannot be read, or the split does not fit it.
        PublishError: One sentence that says what to do. The repository is as it was, or holds the whole commit.
    """
    from huggingface_hub import constants

    check_name(repo_id)
    check_audio(source, with_audio, licence)
    token = check_target(repo_id, token)
    how: dict[str, Any] = {"split": split, "protocol": protocol, "division": division}
    message = commit_message or f"{'Audio and index' if with_audio else 'Index'} of the tracks, and card"
    with (
        explained(repo_id, constants.ENDPOINT),  # the disk may be full while files are packed
        packed_dataset(source, repo_id, **how, with_audio=with_audio, licence=licence, **options) as contents,
    ):
        return publish(
            contents,
            repo_id,
            repo_type="dataset",
            is_published=is_published,
            private=private,
            revision=revision,
            create_pr=create_pr,
            tag=tag,
            card=card,
            commit_message=message,
            token=token,
            timeout=timeout,
        )


def check_audio(source: str | os.PathLike[str], with_audio: bool, licence: str | None) -> None:
    """Refuse audio without a licence that allows it, before anything is read.

    Raises:
        OptionError: Says what to give.
    """
    if licence is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", licence):
        raise OptionError(f"licence={licence!r}: give its identifier as the Hub spells it, such as cc-by-4.0")
    if with_audio and source != DEMO and licence in (None, "unknown", "other"):
        raise OptionError(
            "with_audio: audio is published only under a licence that allows it; confirm it by naming it "
            "(licence='cc-by-4.0', --licence cc-by-4.0), or push the index alone"
        )


@contextmanager
def packed_dataset(
    source: str | os.PathLike[str],
    repo_id: str,
    *,
    split: str | os.PathLike[str] | None = None,
    protocol: str | None = None,
    division: dict[str, Any] | None = None,
    with_audio: bool = False,
    licence: str | None = None,
    dataset_revision: str | None = None,
    **options: Any,
) -> Iterator[list[Content]]:
    """Pack a data set in a temporary folder: what [`push_dataset`] sends, without the Hub.

    Args:
        source, repo_id, split, protocol, division, with_audio, licence, dataset_revision, options: As there.

    Yields:
        `list[Content]`: The card and the Parquet files, which last as long as the block.

    Raises:
        OptionError, SourceError, AudioError, SplitError, PublishError: As there.
    """
    check_name(repo_id)
    check_audio(source, with_audio, licence)
    corpus = read_corpus(source, revision=dataset_revision, **options)
    if with_audio and corpus.is_demo:
        licence = licence or _DEMO_LICENCE
    drawn = _divide(corpus, split, protocol, division or {})
    with tempfile.TemporaryDirectory(prefix="mgc_hf-") as folder:
        contents = _pack(corpus, drawn, Path(folder), repo_id, with_audio, licence)
        refuse_secrets(contents)
        check_metadata(contents)
        yield contents


def _divide(
    corpus: Corpus, split: str | os.PathLike[str] | None, protocol: str | None, division: dict[str, Any]
) -> Split | None:
    if split is None and protocol is None:
        if division:
            raise OptionError(f"{', '.join(division)}: have no effect without protocol (--protocol track)")
        return None
    if split is not None and (protocol is not None or division):
        raise OptionError("split: says what is divided and how; leave protocol, seed and fractions out")
    ids, labels = list(corpus.dataset["track_id"]), corpus.dataset["genre"]
    names = corpus.dataset.features["genre"].names
    given = None if split is None else Split.load(os.fspath(split))
    if protocol == "segment" or (given is not None and given.unit != "track"):
        what = "protocol='segment'" if given is None else f"split={os.fspath(split or '')!r}"
        raise OptionError(
            f"{what}: divides segments, but the rows of a data set are tracks; give one that divides tracks"
        )
    if protocol == "kfold":
        raise OptionError(
            "protocol='kfold': has a split for each fold, but a data set has one; publish that of a fold "
            "(--split RUN/fold-0/split.json)"
        )
    if given is not None:
        given.check(ids)
        return given
    from mgc_hf.division import choose_split  # brings torch along
    from mgc_hf.options import DataOptions

    data = DataOptions(protocol=str(protocol), **division)
    return choose_split(data, corpus, False, ids, [names[label] for label in labels], data.split_seed or 0)


def _pack(
    corpus: Corpus, split: Split | None, folder: Path, repo_id: str, with_audio: bool, licence: str | None
) -> list[Content]:
    part_of = split.part_of if split else None
    if part_of is None and corpus.has_parts:
        part_of = dict(zip(corpus.dataset["track_id"], corpus.dataset["part"], strict=True))
    schema = _schema(corpus, split, with_audio)
    shards = {name: _Shards(folder, name, schema, corpus.dataset.features["genre"].names) for name in SPLITS}
    described: list[IndexRow] = []
    tracks: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
    try:
        for row, file_name, content in index_rows(corpus, part_of):
            row = replace(row, fault=without_paths(row.fault))
            _refuse_path(row)
            values = asdict(row)
            if with_audio:
                if content is None:
                    continue  # what cannot be heard is of no use to anyone
                _refuse_gtzan(corpus, row, file_name)
                values["audio"] = {"bytes": content, "path": row.track_id + PurePath(file_name).suffix}
            # without any parts all of it is the data set, in the split that everybody looks for first
            where = row.split or ("train" if part_of is None and not row.fault else UNUSED)
            shards[where].add(values, len(content or b"") if with_audio else 0)
            tracks[where][row.genre] += 1
            described.append(row)
    except AudioError as error:
        raise PublishError(f"{error}; did the file change while it was read? Push again") from error
    finally:
        contents = [content for one in shards.values() for content in one.close()]
    summary = DatasetSummary(
        repo_id=repo_id,
        source=corpus.name,
        is_demo=corpus.is_demo,
        is_gtzan=not corpus.is_demo and is_gtzan([Clip(row.track_id, row.genre, row.track_id) for row in described]),
        with_audio=with_audio,
        licence=licence,
        tracks={name: counts for name, counts in tracks.items() if counts},
        split=split,
        has_parts=corpus.has_parts,
        skipped=corpus.skipped,
        known_artists=sum(row.artist is not None for row in described),
        repeats=sum(row.same_title_as is not None for row in described),
    )
    write_text(folder / CARD, render_dataset_card(summary))
    return [Content(CARD, folder / CARD, (folder / CARD).stat().st_size), *contents]


def _schema(corpus: Corpus, split: Split | None, with_audio: bool) -> "pa.Schema":
    import datasets

    text = datasets.Value("string")
    columns: dict[str, Any] = {"audio": datasets.Audio(decode=False)} if with_audio else {}
    columns |= dict.fromkeys(IndexRow.__dataclass_fields__, text) | {
        "num_bytes": datasets.Value("int64"),
        "genre": corpus.dataset.features["genre"],
    }
    schema = datasets.Features(columns).arrow_schema
    whole = {
        "index_version": INDEX_VERSION,
        "is_demo": corpus.is_demo,
        "split": None if split is None else {"protocol": split.protocol, "seed": split.seed, "hash": split.hash},
    }
    return schema.with_metadata({**schema.metadata, METADATA: json.dumps(whole, sort_keys=True)})


class _Shards:
    """The Parquet files of one split, written row by row."""

    def __init__(self, folder: Path, split: str, schema: "pa.Schema", genres: list[str]):
        self.folder, self.split, self.schema, self.genres = folder, split, schema, genres
        self.files: list[Path] = []
        self.rows: list[dict[str, Any]] = []
        self.writer: Any = None
        self.size = 0

    def add(self, row: dict[str, Any], size: int) -> None:
        """Take a row of about so many bytes."""
        self.rows.append(row | {"genre": self.genres.index(row["genre"])})
        self.size += size
        if (len(self.rows) == _GROUP_ROWS and size) or len(self.rows) == 10_000:
            self._write()
        if self.size >= _SHARD_BYTES:
            self._end()

    def close(self) -> list[Content]:
        """Write what is left and give the files their names."""
        self._end()
        contents = []
        for number, file in enumerate(self.files):
            name = f"{self.split}-{number:05d}-of-{len(self.files):05d}.parquet"
            file = file.rename(self.folder / name)
            contents.append(Content(f"data/{name}", file, file.stat().st_size))
        return contents

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self.writer is None:
            self.files.append(self.folder / f"{self.split}.{len(self.files)}")
            # not compressed: audio would not become smaller, and whoever looks for a path or a token sees it
            self.writer = pq.ParquetWriter(self.files[-1], self.schema, compression="none")
        self.writer.write_table(pa.Table.from_pylist(self.rows, schema=self.schema))
        self.rows = []

    def _end(self) -> None:
        if self.rows:
            self._write()
        if self.writer is not None:
            self.writer.close()
        self.writer, self.size = None, 0


def _refuse_path(row: IndexRow) -> None:
    if PurePath(row.track_id).is_absolute() or re.match(r"[A-Za-z]:[\\/]", row.track_id):
        raise PublishError(f"track_id {row.track_id!r}: is an absolute path; give ids that tell of no machine")


def _refuse_gtzan(corpus: Corpus, row: IndexRow, file_name: str) -> None:
    """Refuse audio that is named as GTZAN's is, by its id or its file."""
    named = gtzan_track_id(row.track_id) or gtzan_track_id(PurePath(file_name).stem)
    if named and not corpus.is_demo:
        raise PublishError(
            f"{named}: is a track of GTZAN by its name, and GTZAN's audio has no licence, so it is not published; push "
            "the index alone (without --with_audio)"
        )
