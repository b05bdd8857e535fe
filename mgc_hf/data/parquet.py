"""Parquet files of audio, as the Hub keeps data sets: which column is what, and the audio of each row.

The columns are found by the features that `datasets` writes into the schema, by their names, or as the user maps them.
Audio is read a few rows at a time.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mgc_hf.data.draws import UNUSED
from mgc_hf.data.listing import Clip, Fault, part_name
from mgc_hf.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

#: Our columns, as keys of a column mapping.
COLUMNS = ("audio", "genre", "track_id", "artist")
_GENRE_NAMES = ("genre", "genres", "label", "labels", "class")
_BATCH_ROWS = 8


def list_parquet(
    name: str, files: Sequence[tuple[Path, str | None]], columns: Mapping[str, str] | None
) -> tuple[list[Clip], list[Fault]]:
    """List the clips of Parquet files; no audio is read.

    Args:
        name (`str`): Name of the source, for messages.
        files (`Sequence[tuple[Path, str | None]]`): Each file and its split.
        columns (`Mapping[str, str]`, *optional*): The source's column for each of ours (`audio`, `genre`, `track_id`,
            `artist`); what is not given is guessed.

    Raises:
        SourceError: A column is missing or of the wrong kind; the text lists the columns that are there.
    """
    import pyarrow.parquet as pq

    parts = {split: part_name(split or "") for _, split in files if split != UNUSED}
    if len(parts) < 2 or None in parts.values():
        parts = dict.fromkeys((split for _, split in files), None)
    clips: list[Clip] = []
    faults: list[Fault] = []
    for number, (path, split) in enumerate(files):
        schema = pq.read_schema(path)
        chosen = choose_columns(name, schema, columns, say=number == 0)
        for row, values in enumerate(_read_labels(path, schema, chosen)):
            clip_name = _clip_name(values["path"], split, row)
            if values["genre"] is None:
                faults.append(Fault(clip_name, "has no genre", "left_out"))
                continue
            if split not in parts:  # some are in parts, these in none
                faults.append(Fault(clip_name, "in no part of the data set's split", "left_out"))
                continue
            clips.append(
                Clip(
                    name=clip_name,
                    genre=values["genre"],
                    track_id=values["track_id"],
                    artist=values["artist"],
                    part=parts[split],
                    path=str(path),
                    row=row,
                    stamp=(path.stat().st_size, 0),
                )
            )
    counts = Counter(clip.name for clip in clips)
    places = {str(path): split or path.stem for path, split in files}
    clips = [
        replace(clip, name=f"{places[clip.path or '']}/{clip.row:05d}/{clip.name}") if counts[clip.name] > 1 else clip
        for clip in clips
    ]
    return clips, faults


def choose_columns(
    name: str, schema: "pa.Schema", columns: Mapping[str, str] | None, say: bool = True
) -> dict[str, str]:
    """Return the source's column for each of ours that it has; `audio` and `genre` are always there.

    Raises:
        SourceError: A given column does not exist, or `audio` or `genre` cannot be told.
    """
    chosen = dict(columns or {})
    there = f"its columns are: {', '.join(f'{field.name} ({field.type})' for field in schema)}"
    unknown = sorted(set(chosen) - set(COLUMNS))
    if unknown:
        raise SourceError(f"columns: {', '.join(unknown)} is none of ours; allowed are {', '.join(COLUMNS)}")
    missing = sorted(set(chosen.values()) - set(schema.names))
    if missing:
        raise SourceError(f"{name}: no column {', '.join(missing)}; {there}")
    features = _features(schema)
    guesses = {"audio": _guess_audio(schema, features), "genre": _guess_genre(schema, features)}
    for ours, guess in guesses.items():
        if ours in chosen:
            continue
        if guess is None:
            raise SourceError(f"{name}: which column is {ours}? Say it by columns={{{ours!r}: ...}}; {there}")
        if guess != ours and say:
            logger.warning("%s: column %r is read as %s", name, guess, ours)
        chosen[ours] = guess
    for ours in ("track_id", "artist"):
        if ours in schema.names:
            chosen.setdefault(ours, ours)
    if not _is_audio(schema.field(chosen["audio"]).type):
        raise SourceError(f"{name}: column {chosen['audio']!r} holds no audio files; {there}")
    return chosen


def read_audio(path: str, rows: Iterable[int], column: str) -> Iterator[tuple[int, bytes | None]]:
    """Yield row and file content of some rows of a Parquet file, in the file's order, a few in memory at a time."""
    import pyarrow.parquet as pq

    wanted = set(rows)
    first = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=[column]):
            for index, value in enumerate(batch.column(0)):
                if first + index in wanted:
                    content = value.as_py()
                    yield first + index, content.get("bytes") if isinstance(content, dict) else content
            first += batch.num_rows


def _read_labels(path: Path, schema: "pa.Schema", chosen: Mapping[str, str]) -> Iterator[dict[str, str | None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    audio = chosen["audio"]
    has_path = pa.types.is_struct(schema.field(audio).type) and schema.field(audio).type.get_field_index("path") >= 0
    names = [chosen[ours] for ours in COLUMNS if ours != "audio" and ours in chosen]
    with pq.ParquetFile(path) as file:
        table = file.read(columns=names + ([f"{audio}.path"] if has_path else []))
    classes = class_names(schema, chosen["genre"])
    for row in table.to_pylist():
        genre = row[chosen["genre"]]
        if isinstance(genre, int) and classes:
            genre = classes[genre] if 0 <= genre < len(classes) else None
        yield {
            "path": (row[audio] or {}).get("path") if has_path else None,
            "genre": _text(genre),
            "track_id": _text(row.get(chosen.get("track_id", ""))),
            "artist": _text(row.get(chosen.get("artist", ""))),
        }


def _clip_name(path: str | None, split: str | None, row: int) -> str:
    if not path:
        return f"{split or 'row'}/{row:05d}"
    posix = PurePosixPath(path.replace("\\", "/"))
    return posix.name if posix.is_absolute() or ".." in posix.parts or ":" in path else str(posix)


def class_names(schema: "pa.Schema", column: str) -> list[str] | None:
    """Return the names of a column's classes, `None` where it is no `ClassLabel`."""
    names = _features(schema).get(column, {}).get("names")
    return names if isinstance(names, list) else None


def _features(schema: "pa.Schema") -> dict[str, dict[str, Any]]:
    """Return the features that `datasets` wrote into the schema, by column."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return {name: feature for name, feature in features.items() if isinstance(feature, dict)}


def _guess_audio(schema: "pa.Schema", features: Mapping[str, dict[str, Any]]) -> str | None:
    marked = [name for name in schema.names if features.get(name, {}).get("_type") == "Audio"]
    if "audio" in schema.names and ("audio" in marked or not marked):
        return "audio"
    if not marked:
        marked = [field.name for field in schema if _is_audio(field.type)]
    return marked[0] if len(marked) == 1 else None


def _guess_genre(schema: "pa.Schema", features: Mapping[str, dict[str, Any]]) -> str | None:
    named = [name for name in _GENRE_NAMES if name in schema.names]
    classes = [name for name in schema.names if features.get(name, {}).get("_type") == "ClassLabel"]
    if named:
        return named[0]
    return classes[0] if len(classes) == 1 else None


def _is_audio(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _is_audio(kind.field(index).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _text(value: Any) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None
