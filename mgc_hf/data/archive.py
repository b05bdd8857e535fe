"""`genres.tar.gz` and other tar archives: unpacked safely, once, into the cache.

Nothing in an archive is trusted. Members with absolute paths or `..`, links and special files are left out and named;
tarfile's own `data` filter checks each path again; the sum of sizes is bounded before anything is written. The unpacked
copy appears under its final name only when it is whole (a manifest inside says so), is named by the archive's SHA-256
and found again by path, size and time, so an archive that changed is unpacked anew and one that was only touched is not.
"""

import gzip
import hashlib
import json
import logging
import lzma
import os
import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from mgc_hf.data.listing import Fault, is_ignored
from mgc_hf.errors import SourceError
from mgc_hf.files import atomic_folder, write_json

logger = logging.getLogger(__name__)

#: Most bytes that an archive may unpack to, in bytes (GTZAN's is 1.3 GB).
MAX_UNPACKED_BYTES = 16 * 2**30
#: Most members that an archive may have.
MAX_MEMBERS = 1_000_000
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_MANIFEST = "unpacked.json"
_LAYOUT_VERSION = 1


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a tar archive (compressed or not), by its content."""
    try:
        return tarfile.is_tarfile(path)
    except (OSError, *_DAMAGE):
        return False


def unpack(
    path: str | os.PathLike[str], cache_dir: str | os.PathLike[str], max_bytes: int = MAX_UNPACKED_BYTES
) -> tuple[Path, list[Fault]]:
    """Unpack an archive into the cache, or find the copy that is there.

    Args:
        path (`str` or `PathLike`): The archive; it is only read.
        cache_dir (`str` or `PathLike`): Folder for unpacked copies.
        max_bytes (`int`, *optional*): Most bytes that it may unpack to.

    Returns:
        `tuple[Path, list[Fault]]`: The folder with its content, and the members left out (kind `left_out`).

    Raises:
        SourceError: The archive is damaged or too large, or the cache cannot be written.
    """
    from filelock import FileLock

    path, cache = Path(path), Path(cache_dir)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".lock"):
            folder = cache / _digest(path, cache)
            if not (folder / _MANIFEST).is_file():
                shutil.rmtree(folder, ignore_errors=True)
                logger.info("unpacking %s into %s", path, folder)
                with atomic_folder(folder) as temporary:
                    left_out = _extract(path, temporary / "content", max_bytes)
                    manifest = {"archive": path.name, "left_out": left_out, "layout": _LAYOUT_VERSION}
                    write_json(temporary / _MANIFEST, manifest)
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except _DAMAGE as error:
        reason = str(error).split("\n")[0].rstrip(":")
        raise SourceError(f"{path}: this archive is damaged ({reason}); fetch it again") from error
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be unpacked into {cache} ({error.strerror or error}); free some space there, or name "
            "another folder by cache_dir"
        ) from error
    return folder / "content", [Fault(name, reason, "left_out") for name, reason in manifest["left_out"]]


def _digest(path: Path, cache: Path) -> str:
    """Return the archive's SHA-256, remembered in the cache by path, size and modification time."""
    status = path.stat()
    key = json.dumps([os.path.realpath(path), status.st_size, status.st_mtime_ns, _LAYOUT_VERSION])
    note = cache / "digests" / f"{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()}.json"
    if note.is_file():
        return str(json.loads(note.read_text(encoding="utf-8"))["sha256"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    write_json(note, {"sha256": digest})
    return digest


def _extract(path: Path, target: Path, max_bytes: int) -> list[tuple[str, str]]:
    """Extract what is safe; return names and reasons of what was left out."""
    target.mkdir()
    left_out = []
    total = 0
    with tarfile.open(path, "r:*") as archive:
        for count, member in enumerate(archive, 1):
            total += member.size
            if total > max_bytes or count > MAX_MEMBERS:
                raise SourceError(
                    f"{path}: unpacks to more than {max_bytes:,} bytes or {MAX_MEMBERS:,} files; unpack it yourself "
                    "and give the folder"
                )
            parts = PurePosixPath(member.name).parts
            if member.isdir() or any(is_ignored(part) for part in parts if part not in ("/", "..")):
                continue
            reason = _refusal(member, target)
            if reason:
                left_out.append((member.name.encode("utf-8", "backslashreplace").decode(), reason))
            else:
                archive.extract(member, target, set_attrs=False, filter="data")
    return left_out


def _refusal(member: tarfile.TarInfo, target: Path) -> str | None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or _DRIVE.match(member.name):
        return "an absolute path; not unpacked"
    if ".." in path.parts:
        return "leads out of the archive's folder; not unpacked"
    if member.issym() or member.islnk():
        return "a link; not unpacked"
    if not member.isreg():
        return "not a regular file; not unpacked"
    try:
        tarfile.data_filter(member, str(target))
    except tarfile.FilterError as error:
        return f"{error}; not unpacked"
    return None
