"""Writing that is never half done: a temporary name beside the target, synced, then renamed."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mgc_hf.errors import WriteError
from mgc_hf.schema import json_text

#: What the operating system says where a disk does not take a file: full, over quota, file too large, broken.
_REFUSALS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EIO)
_CURE = "free some space, or name another folder"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_path(path: str | Path) -> None:
    """Flush a file or folder entry to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def set_normal_mode(path: str | Path) -> None:
    """Give a file the mode that `open` would have given it (safetensors and `tempfile` write 0600)."""
    os.chmod(path, 0o666 & ~_umask())


def is_write_failure(error: BaseException) -> bool:
    """Whether an exception means that the disk refused to take a file (full, over quota, file too large).

    safetensors and `torch.save` wrap the operating system's error, so their texts are looked at too.
    """
    if isinstance(error, OSError):
        return error.errno in _REFUSALS
    text = f"{type(error).__name__} {error}"
    return any(
        mark in text for mark in ("SafetensorError", "PytorchStreamWriter", "inline_container", "No space left")
    )


def free_bytes(path: str | Path) -> int:
    """Return what is free on the disk that a path would lie on, which need not be there yet."""
    folder = next(parent for parent in Path(path).absolute().parents if parent.is_dir())
    return shutil.disk_usage(folder).free


def _write_error(path: str | Path, error: BaseException, cure: str) -> WriteError:
    number, reason = getattr(error, "errno", None), getattr(error, "strerror", None)
    lines = str(reason or error).strip().splitlines() or [type(error).__name__]
    free = f"{free_bytes(path) / 2**20:,.1f} MiB are free on that disk"
    return WriteError(f"{path}: cannot be written ({lines[0]}; {free}); {cure}", number, lines[0])


@contextmanager
def as_write_errors(path: str | Path, cure: str = _CURE) -> Iterator[None]:
    """Turn a disk's refusal into a [`WriteError`]; all else that is raised passes.

    Args:
        path (`str` or `Path`): What is written.
        cure (`str`, *optional*): What to do about it.
    """
    try:
        yield
    except WriteError:
        raise
    except Exception as error:  # libraries wrap the operating system's error in types of their own
        cause: BaseException | None = error
        while cause is not None and not is_write_failure(cause):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        raise _write_error(path, cause, cure) from error


def make_folder(path: str | Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        WriteError: It cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:  # here each of them is the place's: no right, a file where a folder should be
        raise _write_error(path, error, _CURE) from error


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; on success it is synced and renamed to `path`.

    On any exception the temporary file is removed and `path` stays as it was. The temporary name keeps the target's
    suffix, so that libraries which choose a format by it work.

    Raises:
        WriteError: The folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    make_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=path.suffix)
    except OSError as error:
        raise _write_error(path, error, _CURE) from error
    os.close(handle)
    temporary = Path(name)
    try:
        with as_write_errors(path):
            yield temporary
            set_normal_mode(temporary)
            sync_path(temporary)
            os.replace(temporary, path)
            sync_path(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success its files are synced and it is renamed to `path`.

    Args:
        path (`str` or `Path`): The folder.
        replace (`bool`, *optional*, defaults to `False`): Put it in the place of a folder that is there, which stays
            as it is until the new one is whole.

    Raises:
        FileExistsError: `path` exists (a folder is never replaced in silence).
        WriteError: The folder above it cannot be written to, or the disk is full.
    """
    path = Path(path)
    if path.exists() and not replace:
        raise FileExistsError(f"{path} exists")
    make_folder(path.parent)
    try:
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=".tmp-"))
    except OSError as error:
        raise _write_error(path, error, _CURE) from error
    earlier = temporary.with_name(f"{temporary.name}-earlier")
    try:
        with as_write_errors(path):
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            for file in temporary.rglob("*"):
                if file.is_file():
                    sync_path(file)
            if path.exists():
                os.rename(path, earlier)
            os.rename(temporary, path)
            sync_path(path.parent)
    finally:
        if earlier.exists() and not path.exists():
            os.rename(earlier, path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(earlier, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write strict JSON (two-space indent, no NaN) atomically.

    Raises:
        ValueError: A number is not finite, or a value is of no plain type ([`mgc_hf.schema.to_plain`]).
    """
    write_text(path, json_text(value, Path(path).name) + "\n")
