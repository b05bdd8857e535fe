"""A CSV that lists clips: a path per row, with genre, split, artist or track id where it has those columns.

Byte-order marks, `;` or tabs between fields, backslashes in paths and Windows line ends are read as meant. Labels come
from the genre column, never from a path that a row happens to spell. A table of extracted features is refused by name.
"""

import csv
import io
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mgc_hf.data.listing import Clip, Fault, Listing, is_ignored, make_clip, part_name
from mgc_hf.errors import SourceError

logger = logging.getLogger(__name__)

#: For each of our columns, the names that tables give it.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file_name", "filename", "file", "filepath", "file_path", "audio", "audio_path", "audio_file"),
    "genre": ("genre", "label", "class", "genres", "labels", "genre_top"),
    "part": ("split", "part", "subset", "set", "partition"),
    "track_id": ("track_id",),
    "artist": ("artist", "artist_name"),
}
_FEATURE_COLUMN = re.compile(
    r"mfcc|chroma|spectral_|zero_crossing|roll_?off|.*_(mean|var|std)$|rms(e)?$", re.IGNORECASE
)
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Table:
    """A CSV as text: `columns` maps our names to its own, `rows` are its rows by its own names, each with its line."""

    path: Path
    header: tuple[str, ...]
    columns: dict[str, str]
    rows: list[tuple[int, dict[str, str]]]

    def has(self, column: str) -> bool:
        """Whether the table has one of our columns."""
        return column in self.columns

    @property
    def features(self) -> list[str]:
        """Columns that look like extracted audio features."""
        return [name for name in self.header if _FEATURE_COLUMN.match(name)]


def read_table(path: Path) -> Table:
    """Read a CSV.

    Raises:
        SourceError: It cannot be read, is no text, or is empty.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    return _parse(path, _to_text(path, content))


def _parse(path: Path, text: str) -> Table:
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, row) for row in reader if any(field.strip() for field in row)]
    except csv.Error as error:
        raise SourceError(f"{path}: line {reader.line_num} is no valid CSV ({error})") from error
    if not lines:
        raise SourceError(f"{path}: this table is empty")
    header = tuple(name.strip() for name in lines[0][1])
    rows = [
        (number, {name: value.strip() for name, value in zip(header, row, strict=False)}) for number, row in lines[1:]
    ]
    return Table(path, header, _our_columns(header), rows)


def find_table(folders: Sequence[Path], least_rows: int = 0) -> Table | None:
    """Return the table that lists the clips of a folder tree, if there is one.

    `metadata.csv` comes first; else any one CSV with a path column and a genre or split column. Feature tables, as
    Kaggle's copy of GTZAN holds, are passed over, and so, with a warning, is a CSV of another name that lists fewer
    than `least_rows` files: somebody's notes, not the list of the collection.

    Raises:
        SourceError: Several tables could be meant, or `metadata.csv` cannot be read.
    """
    paths = sorted(
        (path for folder in folders for path in folder.iterdir() if _is_csv(path) and path.is_file()),
        key=lambda path: (path.name.casefold() != "metadata.csv", path),
    )
    candidates = []
    for path in paths:
        header = _header(path)
        if header is None or header.features:
            continue
        if path.name.casefold() == "metadata.csv" or (
            header.has("path") and (header.has("genre") or header.has("part"))
        ):
            candidates.append(path)
    candidates = [path for path in candidates if _lists_enough(path, least_rows)]
    if not candidates:
        return None
    if len(candidates) > 1 and candidates[0].name.casefold() != "metadata.csv":
        names = ", ".join(map(str, candidates))
        raise SourceError(f"several tables list clips: {names}; give the one that is meant as the source")
    return read_table(candidates[0])


def _lists_enough(path: Path, least_rows: int) -> bool:
    if path.name.casefold() == "metadata.csv" or (count := len(read_table(path).rows)) >= least_rows:
        return True
    logger.warning(
        "%s: lists %d files where there are at least %d, so it is passed over; give it as the source if it is meant",
        path,
        count,
        2 * least_rows,
    )
    return False


def list_csv(source: str | os.PathLike[str]) -> Listing:
    """List the clips of a CSV that is given as the source; paths in it are relative to its folder.

    Raises:
        SourceError: It is a table of features, lacks a path or genre column, or a row cannot be understood.
    """
    path = Path(source)
    table = read_table(path)
    if table.features:
        raise SourceError(
            f"{path}: this is a features table, not audio (columns {', '.join(table.features[:3])}, ...); give the "
            "folder with the audio files, or a CSV with the columns path and genre"
        )
    return list_table(table, path.name, path.parent, {})


def list_table(table: Table, name: str, genre_root: Path, genre_of: Mapping[str, str]) -> Listing:
    """Make the clips of a table's rows.

    Args:
        table ([`Table`]): The table.
        name (`str`): Name of the source.
        genre_root (`Path`): The folder that holds the genre folders: a second place to look for a row's file.
        genre_of (`Mapping[str, str]`): Genre by absolute path, for a table without a genre column.

    Raises:
        SourceError: No row's file exists, a split's name is unknown, or one file has two labels.
    """
    _require_path(table)
    if not table.has("genre") and not genre_of:
        raise SourceError(
            f"{table.path}: no genre column; its columns are {', '.join(table.header)}, wanted is one of "
            f"{', '.join(COLUMN_NAMES['genre'])}"
        )
    clips: dict[str, Clip] = {}
    faults: list[Fault] = []
    placed = [_place_row(table, line, row, genre_root) for line, row in table.rows]
    root = _names_root(table.path.parent, [path for _, _, path in placed if path])
    for line, row, path in placed:
        item = _row_to_clip(table, line, row, path, root, genre_of)
        if isinstance(item, Fault):
            faults.append(item)
        elif clips.setdefault(item.path or "", item) != item:
            raise SourceError(f"{table.path}: line {line}: {item.name} is listed twice, with different values")
    if not clips:
        first = f" (first: {faults[0].file}: {faults[0].reason})" if faults else ""
        raise SourceError(
            f"{table.path}: none of its {len(table.rows)} rows gives a clip{first}; paths are relative to the table's folder"
        )
    return Listing(name, list(clips.values()), faults)


def _place_row(
    table: Table, line: int, row: dict[str, str], genre_root: Path
) -> tuple[int, dict[str, str], str | None]:
    """Rename a row's fields to our columns and find its file, as an absolute path."""
    values = {ours: row[theirs] for ours, theirs in table.columns.items() if row.get(theirs)}
    written = values.get("path")
    return line, values, _find(written, table.path.parent, genre_root, values.get("genre")) if written else None


def _row_to_clip(
    table: Table, line: int, values: dict[str, str], path: str | None, root: str, genre_of: Mapping[str, str]
) -> Clip | Fault:
    if path is None:
        return Fault(f"{table.path.name}, line {line}", "has no path", "left_out")
    name = Path(os.path.relpath(path, root)).as_posix()
    if not os.path.lexists(path):
        return Fault(name, f"listed in {table.path.name}, but there is no such file")
    genre = values.get("genre") if table.has("genre") else genre_of.get(path)
    if not genre:
        return Fault(name, f"has no genre in {table.path.name}", "left_out")
    item = make_clip(Path(path), name, genre, _part(table, line, values.get("part")))
    if isinstance(item, Fault):
        return item
    return replace(item, track_id=values.get("track_id"), artist=values.get("artist"))


def _find(written: str, base: Path, genre_root: Path, genre: str | None) -> str:
    """Return where a row's file is: as written, or with Windows' separators, below the table or the genre folders."""
    spellings = (written, written.replace("\\", "/"))
    folders = [base, genre_root] + ([base / genre, genre_root / genre] if genre else [])
    for spelling in spellings:
        for folder in folders:
            if (path := folder / spelling).is_file():
                return os.path.abspath(path)
    return os.path.abspath(base / spellings[1])


def _names_root(base: Path, paths: Sequence[str]) -> str:
    """Return the folder that names are relative to: the table's, or what all files share where one lies outside."""
    root = os.path.abspath(base)
    if all(os.path.commonpath([root, path]) == root for path in paths):
        return root
    return os.path.commonpath([os.path.dirname(path) for path in paths])


def _part(table: Table, line: int, written: str | None) -> str | None:
    part = part_name(written) if written else None
    if written and part is None:
        raise SourceError(
            f"{table.path}: line {line}: {written!r} in column {table.columns['part']} is no part of a split; allowed "
            "are train, validation (valid, val, dev) and test, or nothing"
        )
    return part


def _our_columns(header: Sequence[str]) -> dict[str, str]:
    folded = {name.casefold().replace(" ", "_"): name for name in reversed(header)}
    found = {}
    for column, names in COLUMN_NAMES.items():
        name = next((name for name in names if name in folded), None)
        if name:
            found[column] = folded[name]
    return found


def _require_path(table: Table) -> None:
    if not table.has("path"):
        raise SourceError(
            f"{table.path}: no column with paths; its columns are {', '.join(table.header)}, wanted is one of "
            f"{', '.join(COLUMN_NAMES['path'])}"
        )


def _header(path: Path) -> Table | None:
    """Read the first line of a CSV that happens to lie in a folder; `None` where it is no table."""
    try:
        with path.open("rb") as file:
            return _parse(path, _to_text(path, file.readline(1_000_000)))
    except (OSError, SourceError):
        return None


def _is_csv(path: Path) -> bool:
    return path.suffix.casefold() == ".csv" and not is_ignored(path.name)


def _to_text(path: Path, content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1252")  # type: ignore[assignment]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise SourceError(f"{path}: this is no text file, so no CSV")
