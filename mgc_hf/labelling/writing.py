"""Rows on the disk: JSON lines, CSV or Parquet, so that a kill at any moment loses none that was written.

Lines are appended and a torn last one is cut off when work goes on; Parquet is written in parts that are renamed when
whole. One process alone writes a file; several write parts of one folder, each its own.
"""

import csv
import io
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from mgc_hf.errors import OptionError
from mgc_hf.files import sync_path
from mgc_hf.labelling.items import Keys, Share, key_of
from mgc_hf.labelling.rows import csv_columns, csv_row
from mgc_hf.schema import json_text

FORMATS = ("jsonl", "csv", "parquet")
#: A Parquet part is closed after so many rows, or so many seconds: no more is done again after a kill.
PART_ROWS, PART_SECONDS = 20_000, 60.0
#: Lines are synced to the disk this often, seconds.
_SYNC_SECONDS = 5.0
_FORMAT_OF = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_PART = re.compile(r"part-(\d+)(?:-(\d+))?\.(jsonl|csv|parquet)")


class Output(Protocol):
    """Where rows go."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row."""

    def close(self) -> None:
        """Finish; what was added is on the disk."""


def open_output(
    path: str,
    genres: Sequence[str],
    *,
    output_format: str | None = None,
    resume: bool = False,
    share: Share | None = None,
    revision: str | None = None,
) -> tuple[Output, Keys]:
    """Open an output for adding rows.

    Args:
        path (`str`): A file (`.jsonl`, `.csv`), or a folder of parts: the only form for Parquet, which pandas, polars
            and `datasets` read as one table, and for several processes. `-` is the standard output (JSON lines).
        genres (`Sequence[str]`): The model's, in label order.
        output_format (`str`, *optional*): `jsonl`, `csv` or `parquet`; by the ending of `path` where not given, for a
            folder without one `parquet`.
        resume (`bool`, *optional*, defaults to `False`): Go on with what is there.
        share ([`Share`], *optional*): Which process this is.
        revision (`str`, *optional*): The model's; rows of another are refused.

    Returns:
        `tuple[Output, Keys]`: The output, and what it has.

    Raises:
        OptionError: There is something already and it is not to be resumed, or it is of another model, or of no such
            format, or the path cannot be written.
    """
    share = share or Share()
    if path == "-":
        return JsonLines(None), Keys()
    target, suffix = Path(path), Path(path).suffix.casefold()
    form = output_format or _FORMAT_OF.get(suffix) or ("parquet" if not suffix or target.is_dir() else None)
    if form not in FORMATS:
        raise OptionError(
            f"--output {path}: not known by its ending; name one of {', '.join(FORMATS)} by --output_format"
        )
    in_parts = form == "parquet" or share.world_size > 1 or target.is_dir()
    if in_parts and target.exists() and not target.is_dir():
        why = "Parquet is written in parts" if form == "parquet" else "several processes write a part each"
        raise OptionError(f"--output {path}: is a file, but {why}; name a folder")
    try:
        target = target if in_parts else target.parent / target.name
        (target if in_parts else target.parent).mkdir(parents=True, exist_ok=True)
        files = sorted(file for file in target.iterdir() if _PART.fullmatch(file.name)) if in_parts else [target]
        files = [file for file in files if file.exists()]
        # of several processes one that starts late finds what another has written a moment ago
        earlier = [file for file in files if share.world_size == 1 or _rank_of(file) == share.rank]
        if not resume and any(file.stat().st_size for file in earlier):
            raise OptionError(f"--output {path}: has labels already; --resume goes on with them, or name another")
        return _open(form, target, files if resume else [], list(genres), share, revision, in_parts)
    except OSError as error:
        raise OptionError(f"--output {path}: cannot be written ({error.strerror})") from error


def _open(
    form: str,
    target: Path,
    files: Sequence[Path],
    genres: list[str],
    share: Share,
    revision: str | None,
    in_parts: bool,
) -> tuple[Output, Keys]:
    keys: list[np.ndarray] = []
    for file in files:
        if file.suffix[1:] != form and in_parts:
            raise OptionError(f"--output {target}: holds parts of format {file.suffix[1:]}, not {form}")
        if form == "parquet":
            keys.append(_keys_of_parquet(file, revision))
            continue
        whole = _whole_length(file, form)
        keys.append(_keys_of_lines(file, form, whole, revision))  # first, so that a file of others is refused whole
        if _rank_of(file) % share.world_size == share.rank and whole < file.stat().st_size:
            os.truncate(file, whole)
    done = Keys(np.concatenate(keys) if keys else None)
    if form == "parquet":
        return ParquetParts(target, genres, share.rank), done
    own = target / f"part-{share.rank:05d}.{form}" if in_parts else target
    return (JsonLines(own) if form == "jsonl" else CsvLines(own, genres)), done


def _rank_of(file: Path) -> int:
    named = _PART.fullmatch(file.name)
    return int(named[1]) if named else 0


class _Lines:
    """A file that grows by whole lines."""

    def __init__(self, path: Path | None):
        import sys

        self._file: IO[bytes] = sys.stdout.buffer if path is None else open(path, "ab")  # noqa: SIM115
        self._is_own = path is not None
        self._synced = time.monotonic()
        if self._is_own:
            _lock(self._file, str(path))

    def _add(self, line: bytes) -> None:
        self._file.write(line)
        if not self._is_own:
            self._file.flush()
        elif time.monotonic() - self._synced > _SYNC_SECONDS:
            self._sync()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def close(self) -> None:
        """Finish; what was added is on the disk."""
        if self._is_own:
            self._sync()
            self._file.close()
        else:
            self._file.flush()


class JsonLines(_Lines):
    """One JSON object a line, UTF-8; to the standard output where there is no path."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        self._add(json_text(row, indent=None).encode() + b"\n")


class CsvLines(_Lines):
    """Comma-separated values under a header, UTF-8; bytes of a name that are not UTF-8 stay as they are."""

    def __init__(self, path: Path, genres: Sequence[str]):
        super().__init__(path)
        self._genres = genres
        if not path.stat().st_size:
            self._add(_csv_line(csv_columns(genres)))

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        self._add(_csv_line(csv_row(dict(row), self._genres)))


class ParquetParts:
    """Parts of a table in a folder, `part-RANK-NUMBER.parquet`, each renamed to that when whole."""

    def __init__(self, folder: Path, genres: Sequence[str], rank: int = 0):
        import pyarrow as pa

        self._folder, self._genres, self._rank = folder, genres, rank
        self._rows: list[dict[str, Any]] = []
        self._began = time.monotonic()
        numbers = [int(named[2]) for file in folder.iterdir() if (named := _PART.fullmatch(file.name)) and named[2]]
        self._number = max(numbers, default=-1) + 1
        self._temporary = folder / f".tmp-{rank:05d}.parquet"
        self._temporary.unlink(missing_ok=True)  # of a killed process of this rank
        self._schema = pa.schema(
            [
                ("path", pa.string()),
                ("genre", pa.string()),
                ("probability", pa.float64()),
                ("probabilities", pa.struct([(genre, pa.float64()) for genre in genres])),
                ("seconds", pa.float64()),
                ("windows", pa.int64()),
                ("aggregation", pa.string()),
                ("notes", pa.list_(pa.string())),
                ("revision", pa.string()),
                ("error", pa.string()),
                ("tag", pa.string()),
            ]
        )

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        self._rows.append(dict(row))
        if len(self._rows) >= PART_ROWS or time.monotonic() - self._began > PART_SECONDS:
            self._finish_part()

    def close(self) -> None:
        """Finish; what was added is on the disk."""
        self._finish_part()

    def _finish_part(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._began = time.monotonic()
        if not self._rows:
            return
        rows = [{**row, "path": _valid(row["path"]), "tag": row.get("tag")} for row in self._rows]
        table = pa.Table.from_pylist(rows, schema=self._schema)
        pq.write_table(table, self._temporary)
        sync_path(self._temporary)
        os.replace(self._temporary, self._folder / f"part-{self._rank:05d}-{self._number:06d}.parquet")
        sync_path(self._folder)
        self._number += 1
        self._rows.clear()


def _valid(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _csv_line(cells: Sequence[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # what is in the terminator is quoted in a cell
    return (text.getvalue()[:-2] + "\n").encode("utf-8", "surrogateescape")


def _lock(file: IO[bytes], name: str) -> None:
    """Keep a second command from writing to the same file; without effect where the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OptionError(
            f"--output {name}: another process writes to it at this moment; wait for it, or name another"
        ) from error
    except OSError:  # a file system without locks
        return


def _whole_length(file: Path, form: str) -> int:
    """Return the bytes of a file up to the end of its last whole line; in CSV a quoted cell may hold line ends."""
    whole = at = quotes = 0
    with open(file, "rb") as opened:
        for line in opened:
            at += len(line)
            quotes += line.count(b'"')
            if line.endswith(b"\n") and (form == "jsonl" or quotes % 2 == 0):
                whole = at
    return whole


def _keys_of_lines(file: Path, form: str, length: int, revision: str | None) -> np.ndarray:
    keys: list[int] = []
    with open(file, "rb") as opened:
        lines = _first_lines(opened, length)
        rows: Iterator[Mapping[str, Any]]
        if form == "jsonl":
            rows = (_json_row(line, file) for line in lines if line.strip())
        else:
            rows = csv.DictReader(line.decode("utf-8", "surrogateescape") for line in lines)
            if length and "path" not in (rows.fieldnames or ()):
                raise OptionError(f"{file}: has no column path; this is no output of mgc-hf predict")
        for row in rows:
            _check_revision(file, row.get("revision") or None, revision)
            keys.append(key_of(str(row.get("path"))))
    return np.array(keys, dtype=np.uint64)


def _first_lines(opened: IO[bytes], length: int) -> Iterator[bytes]:
    """Yield the lines of the first bytes: what follows is torn, and another process's, which cuts it off."""
    for line in opened:
        length -= len(line)
        if length < 0:
            return
        yield line


def _json_row(line: bytes, file: Path) -> Any:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise OptionError(f"{file}: holds a line that is no JSON; this is no output of mgc-hf predict") from error
    if not isinstance(row, dict):
        raise OptionError(f"{file}: holds a line that is no row; this is no output of mgc-hf predict")
    return row


def _keys_of_parquet(file: Path, revision: str | None) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file, columns=["path", "revision"])
    except (pa.ArrowException, OSError) as error:
        raise OptionError(f"{file}: cannot be read as a part of earlier labels; move it away") from error
    for known in table["revision"].unique().to_pylist():
        _check_revision(file, known, revision)
    return np.array([key_of(path) for path in table["path"].to_pylist()], dtype=np.uint64)


def _check_revision(file: Path, found: str | None, revision: str | None) -> None:
    if found is not None and revision is not None and found != revision:
        raise OptionError(
            f"--output {file}: has labels of the model {found}, this one is {revision}; name another output, so that one "
            "table holds one model's labels"
        )
