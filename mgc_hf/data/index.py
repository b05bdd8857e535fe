"""An index of a data set: a row for each track, with hashes of its audio but no audio, so that it may be published.

Whoever has the audio joins it to the rows by hash, under whatever names and in whatever folders it lies: first by the
SHA-256 of the files, then, for what is left, by that of the decoded samples, so that an `.au` is found as `.wav` or
`.flac` too.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.data.draws import UNUSED
from mgc_hf.data.facts import gtzan_same_titles, recording_of
from mgc_hf.data.folder import audio_files
from mgc_hf.data.listing import Clip, Fault, is_gtzan, make_clip, part_name
from mgc_hf.data.reader import Reader
from mgc_hf.data.threads import count_threads, map_in_order
from mgc_hf.errors import AudioError, SourceError

if TYPE_CHECKING:
    import pyarrow as pa

    from mgc_hf.data.sources import Corpus

#: Key in the metadata of a Parquet file's schema under which stands what holds for the whole data set, as JSON.
METADATA = b"mgc_hf"
#: Raised whenever a column or a value of the metadata changes its meaning.
INDEX_VERSION = 1


@dataclass(frozen=True)
class IndexRow:
    """What is published of a track.

    Args:
        track_id (`str`): Its id; unique.
        sha256 (`str`, *optional*): SHA-256 (hexadecimal) of the audio file's bytes; `None` where it cannot be read.
        num_bytes (`int`, *optional*): Size of that file, bytes.
        audio_sha256 (`str`, *optional*): SHA-256 of the decoded audio ([`audio_digest`]); `None` for unusable audio.
        genre (`str`): Its genre.
        artist (`str`, *optional*): Who plays: tracks of one artist are a group that a split may keep together.
        split (`str`, *optional*): `train`, `validation` or `test`; `None` where nothing was divided or it is in no part.
        fault (`str`, *optional*): Why its audio cannot be used; `None` for usable audio.
        same_title_as (`str`, *optional*): Other tracks of GTZAN with the same artist and title, likely the same
            recording; ids with `, ` between them.
    """

    track_id: str
    sha256: str | None
    num_bytes: int | None
    audio_sha256: str | None
    genre: str
    artist: str | None = None
    split: str | None = None
    fault: str | None = None
    same_title_as: str | None = None


#: The columns of an index.
INDEX_COLUMNS = tuple(IndexRow.__dataclass_fields__)


def index_rows(corpus: "Corpus", part_of: Mapping[str, str] | None) -> Iterator[tuple[IndexRow, str, bytes | None]]:
    """Describe the tracks of a corpus, those with unusable audio after the others.

    Args:
        corpus ([`Corpus`]): As read.
        part_of (`Mapping[str, str]`, *optional*): Part of each usable track; `unused` counts as none.

    Yields:
        `tuple[IndexRow, str, bytes | None]`: A row, the name of its audio file with the extension, and the file's
            content; `None` for unusable audio.

    Raises:
        AudioError: A file has changed since the corpus was read.
    """
    data = corpus.dataset
    genres = data.features["genre"].names
    labels, ids, artists = data["genre"], data["track_id"], data["artist"]
    clips = [Clip(name, genres[label], name) for name, label in zip(ids, labels, strict=True)]
    repeats = gtzan_same_titles() if not corpus.is_demo and is_gtzan(clips) else {}

    def same_title(track_id: str) -> str | None:
        return ", ".join(repeats.get(recording_of(track_id), ())) or None

    def digested(audio: dict[str, Any]) -> tuple[bytes, str]:
        try:
            content = audio["bytes"] if audio["bytes"] is not None else Path(audio["path"]).read_bytes()
        except OSError as error:
            raise AudioError(audio["path"], f"cannot be read ({error.strerror})") from error
        return content, audio_digest(content)

    contents = map_in_order(digested, data["audio"], count_threads())
    for row, (audio, (content, samples)) in enumerate(contents):
        part = (part_of or {}).get(ids[row])
        described = IndexRow(
            track_id=ids[row],
            sha256=hashlib.sha256(content).hexdigest(),
            num_bytes=len(content),
            audio_sha256=samples,
            genre=genres[labels[row]],
            artist=artists[row],
            split=None if part == UNUSED else part,
            same_title_as=same_title(ids[row]),
        )
        yield described, os.path.basename(audio["path"] or ""), content
    for clip, reason in corpus.unusable:
        digest = _file_digest(Path(clip.path)) if clip.path and clip.row is None else None
        described = IndexRow(
            track_id=clip.track_id or clip.name,
            sha256=digest,
            num_bytes=clip.stamp[0] if digest else None,
            audio_sha256=None,
            genre=clip.genre,
            artist=clip.artist,
            fault=reason,
            same_title_as=same_title(clip.track_id or ""),
        )
        yield described, os.path.basename(clip.path or ""), None


def audio_digest(source: str | bytes) -> str:
    """Return the SHA-256 (hexadecimal) of audio as it decodes, whatever holds it.

    It is that of a line `RATE CHANNELS` in ASCII, ended by a line feed, and of the samples, channels side by side,
    rounded to 16 bits (little-endian). So it is the same for any lossless form of 16-bit audio.

    Args:
        source (`str` or `bytes`): A file, or its content.

    Raises:
        AudioError: It cannot be decoded.
    """
    with Reader(source) as reader:
        digest = hashlib.sha256(b"%d %d\n" % (reader.sampling_rate, reader.channels))
        for block in reader.blocks():
            samples = np.clip(np.rint(block * np.float32(2**15)), -(2**15), 2**15 - 1)
            digest.update(samples.astype("<i2").tobytes())
    return digest.hexdigest()


def is_pushed(schema: "pa.Schema") -> bool:
    """Whether Parquet files are as [`push_dataset`] writes them, with audio or without."""
    return set(INDEX_COLUMNS) <= set(schema.names)


def is_index(schema: "pa.Schema") -> bool:
    """Whether Parquet files are an index: ours, and without audio."""
    return is_pushed(schema) and "audio" not in schema.names


def is_demo(schema: "pa.Schema") -> bool:
    """Whether pushed files are of the synthetic demo corpus."""
    try:
        return bool(json.loads((schema.metadata or {})[METADATA])["is_demo"])
    except (KeyError, TypeError, ValueError):
        return False


def read_index(files: Sequence[Path]) -> list[IndexRow]:
    """Read the rows of an index; genres as names.

    Raises:
        SourceError: A row has no track id or genre.
    """
    import pyarrow.parquet as pq

    from mgc_hf.data.parquet import class_names

    rows = []
    for path in files:
        names = class_names(pq.read_schema(path), "genre")
        for row in pq.read_table(path, columns=list(INDEX_COLUMNS)).to_pylist():
            if isinstance(row["genre"], int) and names:
                row["genre"] = names[row["genre"]] if 0 <= row["genre"] < len(names) else None
            if not row["track_id"] or row["genre"] is None:
                raise SourceError(f"{path.name}: a row without track_id or genre; this is no index of mgc_hf")
            rows.append(IndexRow(**row))
    return rows


def join_audio(name: str, rows: Sequence[IndexRow], folder: str | os.PathLike[str]) -> tuple[list[Clip], list[Fault]]:
    """Find the audio of an index in a folder, by its hashes.

    Args:
        name (`str`): Name of the index, for messages.
        rows (`Sequence[IndexRow]`): Its rows.
        folder (`str` or `PathLike`): Any folder of audio; what lies deeper is looked at too.

    Returns:
        `tuple[list[Clip], list[Fault]]`: A clip for each track that was found, named by its track id; and the others:
            missing ones, and those that the index itself leaves out.

    Raises:
        SourceError: Not one was found, or the folder cannot be read.
    """
    divided = any(row.split for row in rows)
    faults, wanted = [], []
    for row in rows:
        if row.fault:
            faults.append(Fault(row.track_id, f"marked in the index: {row.fault}", "left_out"))
        elif divided and not row.split:
            faults.append(Fault(row.track_id, "in no part of the data set's split", "left_out"))
        else:
            wanted.append(row)
    files = audio_files(folder)
    found = _find(wanted, files)
    if not found:
        raise SourceError(
            f"{folder}: none of its {len(files)} audio files is one of the {len(wanted)} tracks that {name} lists "
            "(compared by SHA-256 of the files and of the decoded samples); give the folder that holds their audio"
        )
    clips = []
    for row in wanted:
        if row.track_id not in found:
            faults.append(Fault(row.track_id, "its audio is missing: no file has its sha256 or audio_sha256"))
            continue
        clip = make_clip(found[row.track_id], row.track_id, row.genre, part_name(row.split or ""))
        if isinstance(clip, Fault):
            faults.append(clip)
        else:
            clips.append(Clip(**{**asdict(clip), "track_id": row.track_id, "artist": row.artist}))
    return clips, faults


def _find(rows: Sequence[IndexRow], files: Sequence[Path]) -> dict[str, Path]:
    """Return a file for each track id that has one: by the file's hash, then, for the rest, by that of its samples."""
    sizes = {row.num_bytes for row in rows}
    same_size = [path for path in files if _size(path) in sizes]
    found = _matches(rows, "sha256", _hashed(same_size, _file_digest))
    rest = [row for row in rows if row.track_id not in found]
    if rest:
        taken = set(found.values())
        found |= _matches(
            rest, "audio_sha256", _hashed([path for path in files if path not in taken], _samples_digest)
        )
    return found


def _hashed(files: Sequence[Path], digest: Any) -> dict[str, Path]:
    by_digest: dict[str, Path] = {}
    for path, value in map_in_order(digest, files, count_threads()):
        if value is not None:
            by_digest.setdefault(value, path)
    return by_digest


def _matches(rows: Sequence[IndexRow], column: str, by_digest: Mapping[str, Path]) -> dict[str, Path]:
    values = {row.track_id: getattr(row, column) for row in rows}
    return {track_id: by_digest[value] for track_id, value in values.items() if value in by_digest}


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _file_digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _samples_digest(path: Path) -> str | None:
    try:
        return audio_digest(str(path))
    except AudioError as error:
        if error.kind == "environment":
            raise
        return None
