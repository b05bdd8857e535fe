"""Files of a published run, from the Hub or its cache; never its weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mgc_hf.errors import CheckpointError


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
    from huggingface_hub import constants, errors, snapshot_download
    from huggingface_hub.utils import tqdm

    class NoBar(tqdm):
        """The files are small."""

        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **{**kwargs, "disable": True})

    at = f"{repo_id}@{revision}" if revision else repo_id
    try:
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=list(names), tqdm_class=NoBar))
    except errors.HFValidationError as error:
        raise CheckpointError(f"{repo_id}: is neither a folder nor a Hub id ({error})") from error
    except errors.GatedRepoError as error:
        raise CheckpointError(
            f"{at}: access is gated; accept its conditions at {constants.ENDPOINT}/{repo_id} and log in with "
            "`hf auth login`"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{at}: the Hub has no such model, or it is private (then log in with `hf auth login`)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"{at}: no such revision; see {constants.ENDPOINT}/{repo_id}/tree/main") from error
    except (errors.HTTPError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{at}: {_reason(error)}, and it is not in the cache ({constants.HF_HUB_CACHE})"
        ) from error


def _reason(error: BaseException) -> str:
    from huggingface_hub import constants, errors

    cause = error.__cause__ or error
    if constants.is_offline_mode() or isinstance(cause, errors.OfflineModeIsEnabled):
        return "the Hub is switched off by HF_HUB_OFFLINE"
    if isinstance(cause, errors.HfHubHTTPError):
        return f"the Hub at {constants.ENDPOINT} answers HTTP {cause.response.status_code}"
    if isinstance(cause, OSError) and cause.errno is not None:
        return f"{cause.strerror} ({cause.filename or constants.HF_HUB_CACHE})"
    first = (str(cause) or type(cause).__name__).splitlines()[0]
    return f"the Hub at {constants.ENDPOINT} cannot be reached ({first})"
