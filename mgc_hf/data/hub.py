"""A data set on the Hub: which of its files hold the audio, fetched into the Hub's own cache.

Loading scripts no longer run, so three things are tried in this order: Parquet files in the repository, the Hub's own
conversion (revision `refs/convert/parquet`), and GTZAN's `data/genres.tar.gz`. What was found is remembered by commit,
so that a second load works without the network.
"""

import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from mgc_hf.errors import SourceError
from mgc_hf.files import write_json

logger = logging.getLogger(__name__)

#: The Hub's revision with its own conversion of a repository to Parquet.
CONVERTED = "refs/convert/parquet"
#: The archive in `marsyas/gtzan`.
ARCHIVE = "data/genres.tar.gz"
#: Longest wait for the Hub's first answer, in seconds.
TIMEOUT_SECONDS = 10.0
#: Configurations that are taken without asking, in this order.
_USUAL_CONFIGS = ("default", "all", "data", "")

_ID = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PREFIXES = ("hf://datasets/", "https://huggingface.co/datasets/")
_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}(-[0-9a-f]+)?")
_INSTEAD = "instead, give a local folder (<genre>/<file>), a local genres.tar.gz, or --dataset demo (the embedded synthetic corpus)"
_T = TypeVar("_T")


@dataclass(frozen=True)
class HubFile:
    """One file of a repository at a commit, and the split that its name states."""

    name: str
    split: str | None


@dataclass(frozen=True)
class HubData:
    """The files that hold a repository's audio: Parquet files, or one archive."""

    repo_id: str
    revision: str
    files: tuple[HubFile, ...]

    @property
    def is_archive(self) -> bool:
        """Whether the data is `genres.tar.gz` rather than Parquet."""
        return self.files[0].name == ARCHIVE


def parse_hub_id(source: str) -> str | None:
    """Return the `owner/name` that a source spells, with or without `hf://datasets/`; `None` where it is none."""
    for prefix in _PREFIXES:
        source = source.removeprefix(prefix)
    return source if _ID.fullmatch(source) and len(source) <= 96 else None


def has_hub_prefix(source: str) -> bool:
    """Whether a source says itself that it is a Hub id."""
    return source.startswith(_PREFIXES)


def find_data(repo_id: str, revision: str | None, config: str | None, cache_dir: str | os.PathLike[str]) -> HubData:
    """Find the files that hold a repository's audio.

    Args:
        repo_id (`str`): `owner/name`.
        revision (`str`, *optional*): Branch, tag or commit; the main branch where not given.
        config (`str`, *optional*): Configuration, for a repository with several.
        cache_dir (`str` or `PathLike`): Folder in which the finding is remembered.

    Raises:
        SourceError: The Hub cannot be reached, or has no such repository, revision or configuration, or access is
            refused, or the repository holds neither Parquet nor GTZAN's archive.
    """
    key = re.sub(r"[^\w.-]", "--", f"{repo_id}@{revision or 'main'}" + (f"@{config}" if config else ""))
    note = Path(cache_dir) / f"{key}.json"
    try:
        found = _ask(repo_id, revision, config)
    except _Unreachable as error:
        known = _read_note(note)
        if known is None:
            raise SourceError(f"{repo_id}: {error}, and it is not in the cache; {_INSTEAD}") from error
        logger.warning("%s: %s; using commit %s from the cache", repo_id, error, known.revision[:12])
        return known
    try:
        write_json(note, asdict(found))
    except OSError as error:
        raise SourceError(f"{note.parent}: cannot be written ({error.strerror}); name another cache_dir") from error
    return found


def download(data: HubData, file: HubFile, hub_cache: str | os.PathLike[str] | None) -> Path:
    """Fetch a file, or find it in the Hub's cache.

    Args:
        data ([`HubData`]): As found.
        file ([`HubFile`]): One of its files.
        hub_cache (`str` or `PathLike`, *optional*): The Hub's cache; its default where not given.

    Raises:
        SourceError: The file is not in the cache and the Hub cannot be reached.
    """
    from huggingface_hub import hf_hub_download

    arguments: dict[str, Any] = {
        "repo_id": data.repo_id,
        "filename": file.name,
        "repo_type": "dataset",
        "revision": data.revision,
        "cache_dir": hub_cache,
    }
    try:
        return Path(_call(data.repo_id, lambda: hf_hub_download(**arguments)))
    except _Unreachable as error:
        raise SourceError(f"{data.repo_id}: {file.name}: {error}, and it is not in the cache; {_INSTEAD}") from error


class _Unreachable(Exception):
    """The Hub gave no answer; the text says why."""


def _ask(repo_id: str, revision: str | None, config: str | None) -> HubData:
    sha, names = _list_files(repo_id, revision)
    parquet = [name for name in names if name.endswith(".parquet")]
    if not parquet and revision is None:
        converted = _list_converted(repo_id)
        if converted and any(name.endswith(".parquet") for name in converted[1]):
            sha, parquet = converted[0], [name for name in converted[1] if name.endswith(".parquet")]
    if parquet:
        return HubData(repo_id, sha, _choose(repo_id, parquet, config))
    if ARCHIVE in names:
        return HubData(repo_id, sha, (HubFile(ARCHIVE, None),))
    raise SourceError(
        f"{repo_id}: this repository holds neither Parquet files nor {ARCHIVE}, and the Hub has no Parquet conversion of "
        "it; download its audio and give the folder"
    )


def _list_converted(repo_id: str) -> tuple[str, list[str]] | None:
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        return _list_files(repo_id, CONVERTED)
    except SourceError as error:
        if isinstance(error.__cause__, RevisionNotFoundError):
            return None
        raise


def _list_files(repo_id: str, revision: str | None) -> tuple[str, list[str]]:
    from huggingface_hub import HfApi

    info = _call(repo_id, lambda: HfApi().dataset_info(repo_id, revision=revision, timeout=TIMEOUT_SECONDS))
    return str(info.sha), sorted(item.rfilename for item in info.siblings or [])


def _call(repo_id: str, request: Callable[[], _T]) -> _T:
    """Run a request and turn the Hub's errors into ours."""
    from huggingface_hub import constants, errors

    try:
        return request()
    except errors.GatedRepoError as error:
        raise SourceError(
            f"{repo_id}: access is gated; accept its conditions at {constants.ENDPOINT}/datasets/{repo_id} and log in "
            "with `hf auth login`"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError(
            f"{repo_id}: the Hub has no such data set, or it is private (then log in with `hf auth login`)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise SourceError(f"{repo_id}: no such revision; see {constants.ENDPOINT}/datasets/{repo_id}") from error
    except errors.OfflineModeIsEnabled as error:
        raise _Unreachable("the Hub is switched off by HF_HUB_OFFLINE") from error
    except errors.LocalEntryNotFoundError as error:
        raise _Unreachable(_reason(error.__cause__ or error)) from error
    except errors.HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            raise SourceError(
                f"{repo_id}: the Hub refuses access (HTTP {error.response.status_code}); log in with `hf auth login`"
            ) from error
        raise _Unreachable(f"the Hub at {constants.ENDPOINT} answers HTTP {error.response.status_code}") from error
    except (errors.HTTPError, OSError, ValueError) as error:
        raise _Unreachable(_reason(error)) from error


def _reason(error: BaseException) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "the Hub is switched off by HF_HUB_OFFLINE"
    first = (str(error) or type(error).__name__).splitlines()[0]
    return f"the Hub at {constants.ENDPOINT} cannot be reached ({first})"


def _choose(repo_id: str, names: list[str], config: str | None) -> tuple[HubFile, ...]:
    """Take the files of one configuration."""
    by_config: dict[str, list[HubFile]] = {}
    for name in names:
        in_config, split = _place(name)
        by_config.setdefault(in_config, []).append(HubFile(name, split))
    wanted = (config,) if config is not None else _USUAL_CONFIGS if len(by_config) > 1 else tuple(by_config)
    chosen = next((name for name in wanted if name in by_config), None)
    if chosen is None:
        asked = f"no configuration {config!r}" if config else "several configurations"
        raise SourceError(f"{repo_id}: {asked}; give config as one of: {', '.join(sorted(by_config))}")
    return tuple(by_config[chosen])


def _place(name: str) -> tuple[str, str | None]:
    """Return the configuration and split that a Parquet file's path states.

    Known layouts: `data/train-00000-of-00002.parquet`, `CONFIG/train-...parquet`, `train.parquet`, and the Hub's own
    `CONFIG/train/0000.parquet` (`partial-train` where it converted only a part).
    """
    path = PurePosixPath(name)
    shard = _SHARD.fullmatch(path.stem)
    if shard:
        split, folder = shard["split"], path.parent
    elif path.stem.isdigit() and path.parent.name:
        split, folder = path.parent.name, path.parent.parent
    else:
        split, folder = path.stem, path.parent
    if split.startswith("partial-"):
        logger.warning("%s holds only a part of the data set: the Hub converts large ones in part", name)
        split = split.removeprefix("partial-")
    return "" if str(folder) == "." else str(folder), split


def _read_note(note: Path) -> HubData | None:
    try:
        value = json.loads(note.read_text(encoding="utf-8"))
        files = tuple(HubFile(**file) for file in value["files"])
        return HubData(value["repo_id"], value["revision"], files)
    except (OSError, ValueError, KeyError, TypeError):
        return None
