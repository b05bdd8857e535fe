"""The errors that a user can mend, each one line of text that names the file or option and says what to do.

Commands and recipes print them without a traceback (exit status 2 for usage, 1 otherwise); everything else that is
raised is a bug of ours and keeps its traceback.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class MgcHfError(Exception):
    """Base of every error that the user can mend.

    `everywhere` says that every process of a run has this error, so that one of each machine tells it; `attached` is
    what is shown below its line.
    """

    exit_status = 1
    everywhere = False
    attached = ""


class OptionError(MgcHfError):
    """A wrong option, option value or option file. Exit status 2, as for any usage error."""

    exit_status = 2
    everywhere = True  # all processes are given the same options


class SetupError(MgcHfError):
    """Something of this machine that would stop any run: a library, a folder, a disk; the text has the cure."""

    everywhere = True


class SourceError(MgcHfError):
    """A data source (folder, archive, Hub id) that cannot be found, reached or understood."""


class WriteError(MgcHfError, OSError):
    """A file or folder that cannot be written: a full disk, no right to, a place that cannot be.

    It is an `OSError` too, with its number and reason, for callers who can say more of what was being written.

    Args:
        message (`str`): What could not be written, why, and what to do.
        number (`int`, *optional*): As of `errno`.
        reason (`str`, *optional*): The operating system's words.
    """

    def __init__(self, message: str, number: int | None = None, reason: str | None = None):
        super().__init__(message)
        self.message, self.errno, self.strerror = message, number, reason

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type, tuple[str, int | None, str | None]]:
        return type(self), (self.message, self.errno, self.strerror)


class AudioError(MgcHfError):
    """A file that gives no usable audio.

    Args:
        path (`str`): The file, as the user named it.
        reason (`str`): What is wrong with it and, where there is a cure, the cure.
        kind (`str`, *optional*, defaults to `"unreadable"`): One of `unreadable`, `unsupported`, `empty`, `silent`,
            `too_short`, `truncated`, `not_finite`, `environment`.
    """

    def __init__(self, path: str, reason: str, kind: str = "unreadable"):
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.kind = kind

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        # the default would call this class with the joined text alone: a worker's error could not be unpickled
        return type(self), (self.path, self.reason, self.kind)


class SplitError(MgcHfError):
    """A split that cannot be made, or a split file that does not fit the data."""


class LabelError(MgcHfError):
    """Labels of the data and of the model that differ; the text shows both sides as lists."""

    def __init__(self, message: str, unknown: Iterable[str] = (), missing: Iterable[str] = ()):
        super().__init__(message)
        self.unknown = list(unknown)
        self.missing = list(missing)


class CheckpointError(MgcHfError):
    """A model folder or training checkpoint that is missing, incomplete or does not fit."""


class RecordError(MgcHfError):
    """A `results.json` or `predictions.parquet` that breaks its schema."""


@contextmanager
def as_record_errors() -> Iterator[None]:
    """Turn a `ValueError` into a [`RecordError`] with the same text."""
    try:
        yield
    except ValueError as error:
        raise RecordError(str(error)) from error


class NonFiniteLossError(MgcHfError):
    """Training reached a loss that is NaN or infinite; the text names the step."""


class DistributedError(MgcHfError):
    """Processes of one run that cannot reach each other, have lost each other, or were given different things."""


class PublishError(MgcHfError):
    """A folder that cannot be published, or a Hub that does not take it; the text says what to do."""
