"""A local folder of audio, sorted by genre, as GTZAN's copies and most other collections come.

Read are Marsyas' layout (`genres/blues/blues.00000.au`), Kaggle's (`Data/genres_original/blues/blues.00000.wav` beside
pictures and feature tables) and any other `<genre>/.../<file>` tree, from the genre folders' parent or from a folder
above it; with `train/`, `valid/`, `test/` above or in the genres, or a CSV in the folder, they define a split. The first
folder below the detected root is the genre. File names are taken as they are: nothing is expanded, links are followed
by their own names, hidden files and the droppings of macOS and Windows are ignored.
"""

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mgc_hf.data.listing import (
    GENRE_ROOTS,
    Clip,
    Fault,
    Listing,
    folder_name,
    is_audio_name,
    is_ignored,
    make_clip,
    part_name,
)
from mgc_hf.data.tables import Table, find_table, list_table
from mgc_hf.errors import SourceError
from mgc_hf.labels import gtzan_name

logger = logging.getLogger(__name__)

#: Folders below a genre that say how its files are kept, not who plays.
_KEEPING = re.compile(
    r"\d*|(audio|clip|file|song|track|recording|sample|wav|wave|mp3|flac|ogg|aiff?|au)s?|music|(cd|dis[ck]|part|vol)[ ._-]*\d*",
    re.IGNORECASE,
)


@dataclass
class _Folder:
    """A folder with its audio files and sub-folders, both sorted; `count` is the audio files in and below it."""

    path: Path
    files: list[str] = field(default_factory=list)
    folders: list["_Folder"] = field(default_factory=list)
    count: int = 0

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def holders(self) -> list["_Folder"]:
        """Sub-folders with audio in or below them."""
        return [folder for folder in self.folders if folder.count]


def list_folder(source: str | os.PathLike[str]) -> Listing:
    """List the clips of a folder.

    Args:
        source (`str` or `PathLike`): The folder.

    Returns:
        [`Listing`]: Not yet finished; names of clips are relative to the folder that holds the genres, or to the
        table's folder where a CSV lists the clips.

    Raises:
        SourceError: There are no genre folders, or a folder or table cannot be read or understood.
    """
    root = Path(source)
    tree = _scan(root, ())
    passed, top = _descend(tree)
    name = folder_name(root)
    table = find_table([folder.path for folder in passed], least_rows=tree.count // 2 if top.holders else 0)
    if table is not None:
        return _list_by_table(name, tree, top, table)
    loose = [folder.path / file for folder in passed for file in folder.files]
    if not top.holders:
        raise _no_genres(root, loose)
    clips, faults = _list_tree(top)
    faults += [
        Fault(path.relative_to(root).as_posix(), "lies outside the genre folders", "left_out") for path in loose
    ]
    return Listing(name, clips, faults)


def audio_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return every audio file in and below a folder, by extension, in a fixed order.

    Raises:
        SourceError: A folder cannot be read.
    """
    return list(walk_audio(folder))


def walk_audio(folder: str | os.PathLike[str], *, stop_at_unreadable: bool = True) -> Iterator[Path]:
    """Yield what [`audio_files`] lists; held are the names of one folder and of those above it, however many lie below.

    Args:
        folder (`str` or `PathLike`): Where to begin.
        stop_at_unreadable (`bool`, *optional*, defaults to `True`): Whether a folder below that cannot be read is an
            error; else it is yielded itself, and whoever opens it learns why.

    Raises:
        SourceError: A folder cannot be read.
    """
    return _walk(Path(folder), (), stop_at_unreadable)


def _walk(path: Path, ancestors: tuple[tuple[int, int], ...], stop_at_unreadable: bool) -> Iterator[Path]:
    try:
        folder, inside = _look(path, ancestors)
    except SourceError:
        if stop_at_unreadable or not ancestors:
            raise
        yield path
        return
    yield from (path / file for file in folder.files)
    for below in folder.folders:
        yield from _walk(below.path, inside, stop_at_unreadable)


def _scan(path: Path, ancestors: tuple[tuple[int, int], ...]) -> _Folder:
    """Read a folder tree."""
    folder, inside = _look(path, ancestors)
    folder.folders = [_scan(below.path, inside) for below in folder.folders]
    folder.count = len(folder.files) + sum(below.count for below in folder.folders)
    return folder


def _look(path: Path, ancestors: tuple[tuple[int, int], ...]) -> tuple[_Folder, tuple[tuple[int, int], ...]]:
    """Read one folder; a link back to a folder above is taken for empty. Also returned are the folders above the next."""
    folder = _Folder(path)
    try:
        status = path.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in ancestors:
            return folder, ancestors
        with os.scandir(path) as entries:
            found = sorted((entry for entry in entries if not is_ignored(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"{path}: this folder cannot be read ({error.strerror})") from error
    folders = {entry.name for entry in found if _is_folder(entry)}
    folder.folders = [_Folder(path / entry.name) for entry in found if entry.name in folders]
    folder.files = [entry.name for entry in found if entry.name not in folders and is_audio_name(entry.name)]
    return folder, (*ancestors, identity)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; links to nothing are no folders without an error
        return False


def _descend(folder: _Folder) -> tuple[list[_Folder], _Folder]:
    """Find the folder that holds the genres; also returned are the folders passed on the way, it included."""
    passed = [folder]
    while True:
        holders = folder.holders
        deeper = [holder for holder in holders if holder.holders]
        known = [holder for holder in deeper if holder.name.casefold() in GENRE_ROOTS]
        if len(known) == 1:
            beside = [holder.name for holder in holders if holder is not known[0]]
            if beside:
                logger.warning("%s: reading %s; left out beside it: %s", folder.path, known[0].name, ", ".join(beside))
            folder = known[0]
        elif len(holders) == 1 and deeper and not holders[0].files and gtzan_name(holders[0].name) is None:
            folder = holders[0]
        else:
            return passed, folder
        passed.append(folder)


def _list_tree(top: _Folder) -> tuple[list[Clip], list[Fault]]:
    parts = {holder.name: part_name(holder.name) for holder in top.holders}
    named = [name for name, part in parts.items() if part]
    if len({parts[name] for name in named}) < 2:
        return _list_genres(top, top.path, None)
    others = [name for name in parts if name not in named]
    if others:
        raise SourceError(
            f"{top.path}: {', '.join(named)} look like the parts of a split, but {', '.join(others)} lie beside them; "
            "give a folder that holds either parts or genres"
        )
    clips: list[Clip] = []
    faults: list[Fault] = []
    for holder in top.holders:
        _, genres = _descend(holder)
        if not genres.holders:
            raise _no_genres(genres.path, [genres.path / file for file in genres.files])
        found = _list_genres(genres, top.path, parts[holder.name])
        clips += found[0]
        faults += found[1]
    return clips, faults


def _list_genres(folder: _Folder, root: Path, part: str | None) -> tuple[list[Clip], list[Fault]]:
    empty = [below.name for below in folder.folders if not below.count]
    if empty:
        logger.warning("%s: no audio in the folder %s; left out", folder.path, ", ".join(empty))
    by_part = part is None and _divided_by_part(folder.holders)
    listed = [
        (genre.name, below, path)
        for genre in folder.holders
        for below in (genre.holders if by_part else [genre])
        for path in _files_below(below)
    ]
    made = [
        make_clip(path, path.relative_to(root).as_posix(), genre, part_name(below.name) if by_part else part)
        for genre, below, path in listed
    ]
    folders = _artist_folders([(genre, path.relative_to(below.path)) for genre, below, path in listed])
    clips = [
        replace(item, artist_folder=name) for item, name in zip(made, folders, strict=True) if isinstance(item, Clip)
    ]
    return clips, [item for item in made if isinstance(item, Fault)]


def _artist_folders(files: Sequence[tuple[str, Path]]) -> list[str | None]:
    """Return for each file the folder directly below its genre's, where that may be named for a band or an album.

    Names that say how files are kept (`mp3`, `CD 1`, numbers) are none, nor are those that stand below every genre.

    Args:
        files (`Sequence[tuple[str, Path]]`): Genre, and path below the genre's folder.
    """
    names = [path.parts[0] if len(path.parts) > 1 else None for _, path in files]
    genres: dict[str, set[str]] = defaultdict(set)
    for (genre, _), name in zip(files, names, strict=True):
        genres[name or ""].add(genre)
    every = len({genre for genre, _ in files})
    kept = {name for name, its in genres.items() if len(its) < max(every, 2) and not _KEEPING.fullmatch(name)}
    return [name if name in kept else None for name in names]


def _divided_by_part(genres: list[_Folder]) -> bool:
    """Whether every genre holds its clips in folders named for the parts of a split (`blues/train`, `blues/test`)."""
    names = [{part_name(below.name) for below in genre.holders} for genre in genres]
    whole = all(found and None not in found and not genre.files for genre, found in zip(genres, names, strict=True))
    return whole and len(set().union(*names)) > 1


def _files_below(folder: _Folder) -> Iterator[Path]:
    yield from (folder.path / file for file in folder.files)
    for below in folder.folders:
        yield from _files_below(below)


def _list_by_table(name: str, tree: _Folder, top: _Folder, table: Table) -> Listing:
    genre_of = {}
    if not table.has("genre") and top.holders:
        genre_of = {clip.path: clip.genre for clip in _list_tree(top)[0] if clip.path}
    listing = list_table(table, name, top.path, genre_of)
    listed = {clip.path for clip in listing.clips}
    unlisted = [
        path.relative_to(tree.path).as_posix() for path in _files_below(tree) if os.path.abspath(path) not in listed
    ]
    if unlisted:
        more = f" and {len(unlisted) - 20} more" if len(unlisted) > 20 else ""
        logger.warning(
            "%s: audio files that %s does not list are left out, %d in all: %s%s",
            name,
            table.path.name,
            len(unlisted),
            ", ".join(unlisted[:20]),
            more,
        )
    return listing


def _no_genres(folder: Path, loose: list[Path]) -> SourceError:
    wanted = (
        "wanted are genre folders with audio in them (blues/blues.00000.wav, ...), or a CSV with the columns "
        "path and genre"
    )
    archives = [path.name for path in sorted(folder.iterdir()) if path.name.casefold().endswith((".tar.gz", ".tgz"))]
    if archives and not loose:
        return SourceError(f"{folder}: no audio below this folder, but {archives[0]}: give that as the source")
    if loose:
        return SourceError(f"{folder}: {len(loose)} audio files lie in no genre folder; {wanted}")
    return SourceError(f"{folder}: no audio below this folder; {wanted}")
