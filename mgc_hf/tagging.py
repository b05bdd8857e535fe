"""A genre into the tags of an audio file, without ever leaving it half written.

mutagen writes in place, so a kill could destroy somebody's music: the file is copied beside itself, the copy is tagged,
synced, and renamed over the file. Mode, times and, where allowed, owner stay. The content decides the
format: ID3 for MP3, WAV and AIFF, Vorbis comments for FLAC, Ogg and Opus, MP4 atoms for M4A.
"""

import hashlib
import itertools
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf.errors import AudioError, OptionError
from mgc_hf.files import sync_path

#: What may become of a file.
WRITTEN, KEPT, UNSURE, NO_TAGS, FAILED = "written", "kept", "unsure", "no tags in this format", "failed"
_SUFFIX = ".mgc_hf-tagging"


class Tagger:
    """Writes genres into files and counts what came of it.

    Args:
        above (`float`, *optional*, defaults to 0.0): Only genres of this probability or more are written.
        overwrite (`bool`, *optional*, defaults to `False`): Replace a genre that is there.
        dry_run (`bool`, *optional*, defaults to `False`): Only say what would be done.

    Attributes:
        counts (`Counter[str]`): Files, by outcome.

    Raises:
        OptionError: mutagen is not installed.
    """

    def __init__(self, above: float = 0.0, overwrite: bool = False, dry_run: bool = False):
        import importlib.util

        if importlib.util.find_spec("mutagen") is None:
            raise OptionError("--write_tags needs mutagen: pip install 'mgc_hf[tags]'")
        self.above, self.overwrite, self.dry_run = above, overwrite, dry_run
        self.counts: Counter[str] = Counter()

    def write(self, row: dict[str, Any]) -> str | None:
        """Write the genre of a row of [`make_row`] into the row's file.

        Returns:
            `str`, *optional*: What came of it, one of `written`, `would be written`, `kept` (a genre is there, or the
            very genre), `unsure`, `no tags in this format`, or `failed: ` and the reason; `None` for a row with an error.
        """
        if row["error"]:
            return None
        outcome = self._write(Path(row["path"]), row["genre"], row["probability"])
        self.counts[outcome.partition(":")[0]] += 1
        return outcome

    def _write(self, path: Path, genre: str, probability: float) -> str:
        if genre == UNSURE or probability < self.above:
            return UNSURE
        try:
            return write_genre(path, genre, overwrite=self.overwrite, dry_run=self.dry_run)
        except OSError as error:
            return f"{FAILED}: {error.strerror or error}"
        except Exception as error:  # of damaged files mutagen lets struct.error and the like through
            return f"{FAILED}: its tags cannot be read or written ({type(error).__name__}: {error})"


def write_genre(path: str | Path, genre: str, *, overwrite: bool = False, dry_run: bool = False) -> str:
    """Write a genre into the tags of one file.

    Args:
        path (`str` or `Path`): The file; of a link the file that it leads to, the link stays.
        genre (`str`): What to write.
        overwrite (`bool`, *optional*, defaults to `False`): Replace a genre that is there.
        dry_run (`bool`, *optional*, defaults to `False`): Change nothing.

    Returns:
        `str`: As for [`Tagger.write`].

    Raises:
        OSError: The file or its folder cannot be read or written; the file is as it was.
        Exception: What mutagen raises beside its own errors; the file is as it was.
    """
    import mutagen

    target = Path(os.path.realpath(path))
    temporary = _beside(target)
    temporary.unlink(missing_ok=True)  # of a killed run
    try:
        tagged = _opened(target)
    except mutagen.MutagenError as error:
        return f"{FAILED}: its tags cannot be read ({error})"
    if tagged is None:
        return NO_TAGS
    present = _genre_of(tagged)
    if present and (not overwrite or present == [genre]):
        return KEPT
    if dry_run:
        return "would be written"
    if not os.access(target, os.W_OK):
        return f"{FAILED}: the file is write-protected"
    before = target.stat()
    try:
        shutil.copy2(target, temporary)
        copy = _opened(temporary)
        if copy is None:
            return NO_TAGS
        _set_genre(copy, genre)
        if not _sound_alike(target, temporary):  # a header that is wrong about where the audio lies
            return f"{FAILED}: tags would change its audio, since its header is damaged; write the file again first"
        shutil.copystat(target, temporary)
        _keep_owner(temporary, before)
        sync_path(temporary)
        after = target.stat()
        if (after.st_mtime_ns, after.st_size, after.st_ino) != (before.st_mtime_ns, before.st_size, before.st_ino):
            return f"{FAILED}: the file was changed in the meantime"
        os.replace(temporary, target)
        sync_path(target.parent)
    except mutagen.MutagenError as error:
        return f"{FAILED}: its tags cannot be written ({error})"
    finally:
        temporary.unlink(missing_ok=True)
    return WRITTEN


def _beside(target: Path) -> Path:
    """Return where a file's copy lies until it is whole: under a digest of the name, which is never too long."""
    return target.with_name(f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}{_SUFFIX}")


def _sound_alike(one: Path, other: Path) -> bool:
    """Whether two files decode to the same samples; both are read as streams."""
    from mgc_hf.data.audio import stream

    try:
        return all(np.array_equal(*blocks) for blocks in itertools.zip_longest(stream(one), stream(other)))
    except AudioError:
        return False


def _opened(path: Path) -> Any:
    """Open a file by its content alone, tags made where there are none; `None` for a format without tags."""
    import mutagen
    from mutagen import aiff, flac, mp3, mp4, oggopus, oggvorbis, wave

    with open(path, "rb") as opened:
        head = opened.read(64)
    kind: Any = None
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        kind = wave.WAVE
    elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        kind = aiff.AIFF
    elif head[:4] == b"fLaC":
        kind = flac.FLAC
    elif head[:4] == b"OggS":
        kind = oggopus.OggOpus if b"OpusHead" in head else oggvorbis.OggVorbis if b"vorbis" in head else None
    elif head[4:8] == b"ftyp":
        kind = mp4.MP4
    elif head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0):
        kind = mp3.MP3
    if kind is None:
        return None
    try:
        found = kind(path)
    except mutagen.MutagenError:
        if head[:3] == b"ID3" and kind is mp3.MP3 and b"fLaC" in path.open("rb").read(2**20):
            return None  # FLAC behind an ID3 tag: not to be taken for MP3
        raise
    if found.tags is None:
        found.add_tags()
    return found


def _genre_of(tagged: Any) -> list[str]:
    tags = tagged.tags
    if hasattr(tags, "getall"):  # ID3
        return [str(text) for frame in tags.getall("TCON") for text in frame.genres if str(text).strip()]
    name = "\xa9gen" if type(tagged).__name__ == "MP4" else "genre"
    return [str(text) for text in tags.get(name, []) if str(text).strip()]


def _set_genre(tagged: Any, genre: str) -> None:
    tags = tagged.tags
    if hasattr(tags, "getall"):
        from mutagen.id3 import TCON

        tags.setall("TCON", [TCON(encoding=3, text=[genre])])
    else:
        tags["\xa9gen" if type(tagged).__name__ == "MP4" else "genre"] = [genre]
    tagged.save()


def _keep_owner(path: Path, status: os.stat_result) -> None:
    try:
        os.chown(path, status.st_uid, status.st_gid)
    except (OSError, AttributeError):
        return  # somebody else's file in a folder of ours: it becomes ours
