"""What went wrong on the way to the Hub, in one sentence that says what to do."""

import datetime
import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from mgc_hf.errors import MgcHfError, PublishError
from mgc_hf.hub.waiting import WaitedTooLong
from mgc_hf.models.reasons import causes

_TOKENS = "https://huggingface.co/settings/tokens"
#: What the system says of a disk that takes nothing more, or of a folder that takes nothing at all.
_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full: its quota is used up",
    errno.EFBIG: "a file is not allowed to grow so large (see ulimit -f)",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "a file or folder may not be read or written",
    errno.EPERM: "a file or folder may not be read or written",
    errno.ENOTDIR: "what should be a folder is a file",
    errno.EIO: "the disk does not work",
}
_DISK_CURE = "a push writes to HF_HOME and TMPDIR: make room there, or let them name another disk"
_AGAIN = "nothing was published in part, and the same command again finishes the job"


@contextmanager
def explained(repo_id: str, endpoint: str) -> Iterator[None]:
    """Raise what goes wrong in a block as [`explain`] says it, and what it does not know as it is."""
    try:
        yield
    except MgcHfError:
        raise
    except Exception as error:
        told = explain(error, repo_id, endpoint)
        if told is None:
            raise
        raise told from error


def explain(error: BaseException, repo_id: str, endpoint: str) -> MgcHfError | None:
    """Return the error that a user shall see.

    Args:
        error (`BaseException`): What huggingface_hub raised.
        repo_id (`str`): The repository.
        endpoint (`str`): The Hub's address.

    Returns:
        [`PublishError`], or `None` where it is no failure of the Hub, the network or the disk.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    for cause in causes(error):
        text = None
        if isinstance(cause, MgcHfError):
            return cause
        if isinstance(cause, WaitedTooLong):
            text = _too_long(cause, endpoint)
        elif isinstance(cause, LocalTokenNotFoundError):
            text = no_token()
        elif isinstance(cause, OfflineModeIsEnabled):
            text = "HF_HUB_OFFLINE is set, so nothing can be published; unset it, then push again"
        elif isinstance(cause, HfHubHTTPError):
            text = _refused(cause, endpoint)
        elif isinstance(cause, httpx2.ConnectError):
            text = f"{endpoint} cannot be reached ({cause}); check the network (or HF_ENDPOINT): {_AGAIN}"
        elif isinstance(cause, httpx2.TransportError):
            text = f"the connection to {endpoint} was lost ({cause or type(cause).__name__}): {_AGAIN}"
        elif isinstance(cause, OSError) and cause.errno in _DISK:
            text = _disk(cause.errno, cause.filename)
        elif isinstance(cause, ConnectionError | RuntimeError):
            text = _of_xet(cause, endpoint)
        elif isinstance(cause, ValueError) and str(cause).startswith("Invalid metadata"):
            text = f"the Hub does not take the card's header ({' '.join(str(cause).split())}); mend README.md"
        if text:
            return PublishError(f"{repo_id}: {text}")
    return None


def no_token() -> str:
    """Return what is said where there is no token."""
    return f"no token; run `hf auth login`, or set HF_TOKEN to one with write access ({_TOKENS})"


def how_busy(cause: WaitedTooLong) -> str:
    """Say what a Hub does that would have to be waited for, and when to come back."""
    when = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=cause.seconds)
    what = "does not answer" if cause.status == 0 else f"is busy (status {cause.status})"
    if cause.seconds > 60:
        return f"{what}; it asks to come back in {cause.seconds / 60:.0f} minutes, at {when:%H:%M}"
    return f"{what}; come back in a few minutes"


def _too_long(cause: WaitedTooLong, endpoint: str) -> str:
    return f"{endpoint} {how_busy(cause)} (--timeout is what one command waits in all): {_AGAIN}"


def _disk(number: int, file: str | None = None) -> str:
    where = f" ({file})" if file else ""
    return f"{_DISK[number]}{where}; {_DISK_CURE}: {_AGAIN}"


def _of_xet(cause: Exception, endpoint: str) -> str | None:
    """Tell an error of hf-xet, which sends large files: it raises Python's own classes, and only its text says more."""
    said = (str(cause).splitlines() or [""])[0]
    number = re.search(r"\(os error (\d+)\)", said)
    if number and int(number[1]) in _DISK:
        return _disk(int(number[1]))
    status = re.search(r"HTTP status \w+ error \((\d{3})", said)
    if status:
        return _of_status(int(status[1]), said, endpoint)
    if isinstance(cause, ConnectionError):
        return f"the connection to {endpoint} was lost ({said or type(cause).__name__}): {_AGAIN}"
    return None


def _refused(cause: "Exception", endpoint: str) -> str:
    response = getattr(cause, "response", None)
    status = getattr(response, "status_code", 0)
    said = (getattr(cause, "server_message", None) or "").strip() or str(cause).splitlines()[0]
    return _of_status(status, said, endpoint)


def _of_status(status: int, said: str, endpoint: str) -> str:
    if status == 401:
        return f"the Hub does not know the token ({said}); it may have expired: make one at {_TOKENS}, `hf auth login`"
    if status == 403 and "storage" in said.lower():
        return f"no storage left ({said}); free some, or publish to another namespace: {_AGAIN}"
    if status == 403:
        return (
            f"no right to write there ({said}); the token needs write access ({_TOKENS}), and its user a place in the "
            "organisation"
        )
    if status == 404:
        return f"the Hub has no such repository or revision ({said}); check the name, and the token's access"
    if status == 409:
        return f"the name cannot be had ({said}); choose another"
    if status == 413:
        return f"a file or the commit is too large for the Hub ({said}); {_AGAIN} once it is smaller"
    if status == 429 or status >= 500:
        return f"{endpoint} is busy (status {status}: {said}); come back in a few minutes: {_AGAIN}"
    return f"the Hub refused (status {status}: {said})"
