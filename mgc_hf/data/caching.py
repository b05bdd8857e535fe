"""Where prepared data lie when nobody says so: the cache of `datasets`, or where that cannot be, a temporary folder."""

import functools
import logging
import os
import tempfile
from pathlib import Path

from mgc_hf.errors import WriteError

logger = logging.getLogger(__name__)


@functools.cache
def default_cache() -> str:
    """Return the folder of `datasets`' cache; of a home that cannot be written to, one for this user under `/tmp`.

    Every process of a machine gets the same one. Told once.

    Raises:
        WriteError: Neither can be written to.
    """
    import datasets

    usual = str(datasets.config.HF_DATASETS_CACHE)
    if _takes_files(usual, 0o777):
        return usual
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    other = str(Path(tempfile.gettempdir(), f"mgc_hf-{user}"))
    if not _takes_files(other, 0o700) or not _is_ours(other):
        raise WriteError(
            f"{usual}: cannot be written to, and neither can {other}; name a folder for prepared data by --cache_dir"
        )
    logger.warning("%s cannot be written to; data are prepared in %s (--cache_dir names another)", usual, other)
    return other


def _takes_files(folder: str, mode: int) -> bool:
    try:
        os.makedirs(folder, mode=mode, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _is_ours(folder: str) -> bool:
    """Whether nobody else can have put files into it."""
    found = os.lstat(folder)
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not os.path.islink(folder))
