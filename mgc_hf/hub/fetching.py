"""Files of a published run, from the Hub or its cache; never its weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mgc_hf.errors import CheckpointError
from mgc_hf.hub.failures import how_busy
from mgc_hf.hub.waiting import WaitedTooLong, limited_waiting
from mgc_hf.models.reasons import why_not

#: Seconds that reading waits in all for a Hub that is busy.
PATIENCE = 15.0


def fetch_files(repo_id: str, names: Sequence[str], revision: str | None = None) -> Path:
    """Fetch some files of a model repository, or find them in the cache.

    Args:
        repo_id (`str`): `owner/name`.
        names (`Sequence[str]`): Their paths in the repository.
        revision (`str`, *optional*): Branch, tag or commit; the main branch where not given.

    Returns:
        `Path`: A folder named like the commit, with those of the files that the repository has.

    Raises:
        CheckpointError: There is no such repository or revision, access is refused, or neither Hub nor cache has the
            files. It says which, in one line.
    """
    from huggingface_hub import errors, snapshot_download
    from huggingface_hub.utils import tqdm

    class NoBar(tqdm):
        """The files are small."""

        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **{**kwargs, "disable": True})

    try:
        with patient_reading(repo_id):
            folder = Path(snapshot_download(repo_id, revision=revision, allow_patterns=list(names), tqdm_class=NoBar))
            for name in names:
                if not (folder / name).is_file():
                    _make_sure(repo_id, name, folder.name)
            return folder
    except errors.HFValidationError as error:
        raise CheckpointError(f"{repo_id}: is neither a folder nor a Hub id ({error})") from error
    except (errors.HTTPError, OSError, ValueError) as error:
        why = why_not(error, repo_id) or str(error).splitlines()[0]
        raise CheckpointError(f"{repo_id}{f'@{revision}' if revision else ''}: {why}") from error


def find_run(source: str, names: Sequence[str], revision: str | None = None) -> tuple[Path, str | None]:
    """Find the folder of a run, or fetch some of its files from the Hub.

    Args:
        source (`str`): A run's folder, or `owner/name`.
        names (`Sequence[str]`): Files that are fetched from a repository, by their paths in it.
        revision (`str`, *optional*): Branch, tag or commit; of a repository only.

    Returns:
        `tuple[Path, str | None]`: A folder, which may lack any of the files, and the commit on the Hub.

    Raises:
        CheckpointError: There is no such folder, or what [`fetch_files`] raises.
        OptionError: A revision of a folder.
    """
    from mgc_hf.models.checkpoint import is_local, refuse_local_revision

    refuse_local_revision(source, revision)
    if not is_local(source):
        fetched = fetch_files(source, names, revision)
        return fetched, fetched.name
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise CheckpointError(f"{source}: no such folder; give the folder of a finished run, or ORG/NAME on the Hub")
    return folder, None


@contextmanager
def patient_reading(name: str) -> Iterator[None]:
    """Wait no longer than `PATIENCE` in all for a busy Hub while something is read from it.

    Args:
        name (`str`): What is read, for the error.

    Raises:
        CheckpointError: It asks for more.
    """
    from huggingface_hub import constants

    try:
        with limited_waiting(PATIENCE):
            yield
    except WaitedTooLong as error:
        raise CheckpointError(
            f"{name}: the Hub at {constants.ENDPOINT} {how_busy(error)}, or set HF_HUB_OFFLINE=1 to use what is in the cache"
        ) from error


def _make_sure(repo_id: str, name: str, commit: str) -> None:
    """Make sure that a file is not in the repository, rather than only not in the cache.

    Raises:
        LocalEntryNotFoundError: The Hub cannot be asked, and was not before.
    """
    from huggingface_hub import _CACHED_NO_EXIST, errors, hf_hub_download, try_to_load_from_cache

    if try_to_load_from_cache(repo_id, name, revision=commit) is _CACHED_NO_EXIST:
        return
    try:
        hf_hub_download(repo_id, name, revision=commit)
    except errors.RemoteEntryNotFoundError:
        return
