"""What a source holds before any audio is decoded: clips with their labels, and what was left out on the way."""

import logging
import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from mgc_hf.data.facts import gtzan_artists, gtzan_genre, gtzan_track_id, recording_of
from mgc_hf.errors import SourceError
from mgc_hf.labels import GTZAN_GENRES, canonical_names

logger = logging.getLogger(__name__)

_DECODED = {".wav", ".wave", ".au", ".snd", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff", ".aifc"}
_FOREIGN = {".caf", ".w64", ".rf64", ".m4a", ".m4b", ".mp4", ".aac", ".wma", ".wv", ".ape"}
#: Extensions (any case) of files that are taken for audio; what is in them, and whether it can be read, the decoder says.
AUDIO_SUFFIXES = frozenset(_DECODED | _FOREIGN)
_IGNORED = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir"})

#: Names that folders and CSV files give to the three parts of a split.
PART_NAMES = {
    "train": "train",
    "training": "train",
    "valid": "validation",
    "validation": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


#: Folders that hold GTZAN's genre folders in its two well-known copies.
GENRE_ROOTS = ("genres_original", "genres")


@dataclass(frozen=True)
class Clip:
    """One clip of a source.

    Args:
        name (`str`): Its name within the source, with `/` between folders: what messages and the report call it.
        genre (`str`): Genre as the source spells it; canonical once [`finish`] has run.
        track_id (`str`, *optional*): Given by the source's own table, or set by [`finish`].
        artist (`str`, *optional*): Given by the source's own table, or set by [`finish`] for GTZAN.
        part (`str`, *optional*): `train`, `validation` or `test`, where the source defines a split.
        path (`str`, *optional*): The audio file, or the Parquet file that holds it.
        row (`int`, *optional*): Row within the Parquet file.
        stamp (`tuple[int, int]`): Size in bytes and modification time in nanoseconds of `path`.
        artist_folder (`str`, *optional*): Folder below the genre's that may name the artist, where nothing else does.
    """

    name: str
    genre: str
    track_id: str | None = None
    artist: str | None = None
    part: str | None = None
    path: str | None = None
    row: int | None = None
    stamp: tuple[int, int] = (0, 0)
    artist_folder: str | None = None


@dataclass(frozen=True)
class Fault:
    """A file left out. `kind` is one of [`AudioError`]'s, or `left_out` for what never was a clip of the data."""

    file: str
    reason: str
    kind: str = "unreadable"


@dataclass(frozen=True)
class Listing:
    """All clips of one source, in a fixed order, and the faults found while listing them.

    Args:
        name (`str`): Name of the source.
        clips (`list[Clip]`): Its clips.
        faults (`list[Fault]`): What was left out.
        revision (`str`, *optional*): Commit on the Hub.
        is_demo (`bool`): Whether it says that it is the synthetic demo corpus, whose ids look like GTZAN's.
        has_artists (`bool`): Whether it says who plays; then the facts about GTZAN are not asked.
    """

    name: str
    clips: list[Clip]
    faults: list[Fault] = field(default_factory=list)
    revision: str | None = None
    is_demo: bool = False
    has_artists: bool = False

    @property
    def genres(self) -> list[str]:
        """Class names in label order."""
        return sorted({clip.genre for clip in self.clips})

    @property
    def has_parts(self) -> bool:
        """Whether the source defines a split of at least two parts."""
        return len({clip.part for clip in self.clips} - {None}) > 1


def finish(listing: Listing) -> Listing:
    """Give every clip its canonical genre, a unique track id and, for GTZAN, its artist; sort by name, or by row.

    Raises:
        SourceError: There is no clip.
    """
    if not listing.clips:
        detail = "".join(f"; {fault.file}: {fault.reason}" for fault in listing.faults[:3])
        raise SourceError(f"{listing.name}: no audio found{detail}")
    clips = sorted(
        listing.clips, key=lambda clip: (clip.path or "", clip.row) if clip.row is not None else (clip.name, 0)
    )
    names = canonical_names(sorted({clip.genre for clip in clips}))
    _note_merged(names)
    clips = [replace(clip, genre=names[clip.genre]) for clip in clips]
    clips = [replace(clip, track_id=track_id) for clip, track_id in zip(clips, unique_track_ids(clips), strict=True)]
    return replace(listing, clips=clips if listing.has_artists else _with_artists(clips))


def make_clip(path: Path, name: str, genre: str, part: str | None = None) -> Clip | Fault:
    """Make the clip of one audio file, or say why it cannot be one."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        return Fault(shown, "its name is not valid UTF-8; rename it")
    try:
        status = path.stat()
    except OSError as error:
        return Fault(name, f"cannot be read ({error.strerror})")
    if not stat.S_ISREG(status.st_mode):
        return Fault(name, "is not a regular file")
    return Clip(
        name=name,
        genre=genre,
        part=part,
        path=os.path.abspath(path),
        stamp=(status.st_size, status.st_mtime_ns),
    )


def is_ignored(name: str) -> bool:
    """Whether a file or folder name is hidden, or a dropping of macOS or Windows."""
    return name.startswith(".") or name.casefold() in _IGNORED


def is_audio_name(name: str) -> bool:
    """Whether a file's extension is one of audio, in any case."""
    return os.path.splitext(name)[1].casefold() in AUDIO_SUFFIXES


def unique_track_ids(clips: Sequence[Clip]) -> list[str]:
    """Return an id per clip: its own, GTZAN's (`blues.00000`), or its name without the extension; unique.

    Where two clips would share an id, both take their whole name.
    """
    ids = [clip.track_id or default_track_id(clip.name) for clip in clips]
    for _ in range(2):  # a whole name can meet another clip's short one
        counts = Counter(ids)
        ids = [track_id if counts[track_id] == 1 else clip.name for clip, track_id in zip(clips, ids, strict=True)]
    if len(set(ids)) != len(ids):
        twice = next(name for name, count in Counter(ids).items() if count > 1)
        raise SourceError(f"{twice}: listed more than once; every clip needs a name of its own")
    return ids


def default_track_id(name: str) -> str:
    """Return the track id of a clip by its name (posix separators)."""
    path = PurePosixPath(name)
    return gtzan_track_id(path.stem) or str(path.with_suffix(""))


def part_name(name: str) -> str | None:
    """Return `train`, `validation` or `test` for a folder's or table's word for it, `None` for any other word."""
    return PART_NAMES.get(name.strip().casefold())


def is_gtzan(clips: Iterable[Clip]) -> bool:
    """Whether clips are GTZAN's: its genres only, most of them named its way, and the names agree with the genres."""
    clips = list(clips)
    named = [gtzan_genre(clip.track_id or "") for clip in clips]
    agreeing = sum(genre == clip.genre for genre, clip in zip(named, clips, strict=True))
    return (
        all(clip.genre in GTZAN_GENRES for clip in clips)
        and sum(genre is not None for genre in named) > len(clips) / 2
        and agreeing >= 0.9 * sum(genre is not None for genre in named)
    )


def _with_artists(clips: list[Clip]) -> list[Clip]:
    if not is_gtzan(clips):
        return clips
    artists = gtzan_artists()
    return [
        replace(clip, artist=artists.get(recording_of(clip.track_id)))
        if clip.artist is None and clip.track_id and gtzan_genre(clip.track_id) == clip.genre
        else clip
        for clip in clips
    ]


def _note_merged(names: dict[str, str]) -> None:
    for canonical, count in Counter(names.values()).items():
        if count > 1:
            spellings = ", ".join(sorted(name for name, value in names.items() if value == canonical))
            logger.warning("genres %s are read as one: %s", spellings, canonical)


def folder_name(path: Path) -> str:
    """Return the name by which a folder or file is told: its last component, or the one above GTZAN's `genres`."""
    path = Path(os.path.abspath(path))
    return (path.parent.name if path.name.casefold() in GENRE_ROOTS else path.name) or path.name or str(path)
