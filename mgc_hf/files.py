"""Writing that is never half done: a temporary name beside the target, synced, then renamed."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; on success it is synced and renamed to `path`.

    On any exception the temporary file is removed and `path` stays as it was. The temporary name keeps the target's
    suffix, so that libraries which choose a format by it work.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
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
    """
    path = Path(path)
    if path.exists() and not replace:
        raise FileExistsError(f"{path} exists")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=".tmp-"))
    earlier = temporary.with_name(f"{temporary.name}-earlier")
    try:
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
        ValueError: A number is not finite.
        TypeError: A value is no plain JSON type.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # a file name that is no UTF-8 reaches Python as lone surrogates, which JSON can hold only as escapes
    text = re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)
    write_text(path, text + "\n")
