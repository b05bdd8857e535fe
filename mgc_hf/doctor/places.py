"""Folders that a run writes to: whether it may, and whether there is room."""

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from mgc_hf.doctor.findings import ERROR, OK, WARNING, Finding

#: Under the first nothing can be saved; a run on GTZAN prepares about as much as the second (bytes).
_LEAST, _COMFORTABLE = 100 * 2**20, 5 * 2**30


def check_places(output_dir: str | None = None, cache_dir: str | None = None) -> list[Finding]:
    """Look at the cache and, where given, the output folder.

    Args:
        output_dir (`str`, *optional*): Where a run will write.
        cache_dir (`str`, *optional*): Where it prepares data; the cache of `datasets` where not given.
    """
    cache = _check("cache", cache_dir or _cache(), "HF_HOME, or --cache_dir")
    if cache_dir is None and cache.status == ERROR:  # data/caching.py takes a folder of its own then
        cache = replace(cache, status=WARNING, text=f"{cache.text}; data are prepared in a temporary folder")
    found = [cache]
    if output_dir is not None:
        found.append(_check("output folder", output_dir, "--output_dir"))
    return found


def _cache() -> str:
    """Return the folder of `datasets`' cache as that package finds it, without importing it."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return os.path.expanduser(os.environ.get("HF_DATASETS_CACHE") or os.path.join(home, "datasets"))


def _check(name: str, folder: str, option: str) -> Finding:
    there = Path(os.path.abspath(folder))
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        return Finding(name, ERROR, f"{folder}: {there} is no folder", f"name another by {option}")
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            pass
        free = shutil.disk_usage(there).free
    except OSError as error:
        text = f"{folder}: cannot be written to ({error.strerror})"
        return Finding(name, ERROR, text, f"make it writable, or name another by {option}")
    text = f"{folder}: {free / 2**30:.1f} GiB free"
    if free < _LEAST:
        return Finding(name, ERROR, text, f"make room, or name another disk by {option}")
    if free < _COMFORTABLE:
        return Finding(name, WARNING, f"{text}; a run on GTZAN takes up to 5 GiB", f"make room, or {option}")
    return Finding(name, OK, text)
