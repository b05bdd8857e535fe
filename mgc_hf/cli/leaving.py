"""How every program ends: what went wrong in one line on standard error, and the status that goes with it."""

import os
import signal
import sys
import unicodedata
from collections.abc import Callable
from typing import NoReturn

from mgc_hf.errors import MgcHfError
from mgc_hf.files import is_write_failure

#: Unicode categories of what is no text on a line: control, line and paragraph separators.
_UNSEEN = ("Cc", "Zl", "Zp")


def write_any_text() -> None:
    """Let standard output and error take every character: UTF-8, and escapes for what is none (bytes of a name)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where somebody has put another object in its place
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def run_and_leave(work: Callable[[], int | None], name: str) -> NoReturn:
    """Do a program's work and leave the process with its status; a bug of ours keeps its traceback.

    Of several processes one of each machine tells an error that all have.

    Args:
        work (`Callable`): Returns the exit status; `None` is 0.
        name (`str`): What the line begins with.
    """
    write_any_text()
    try:
        status = work() or 0
        sys.stdout.flush()  # a full disk may be heard of here only
    except MgcHfError as error:
        if not error.everywhere or os.environ.get("LOCAL_RANK", "0") == "0":
            _tell(name, str(error), error.attached)
        status = error.exit_status
    except KeyboardInterrupt:
        _tell(name, "interrupted")
        status = 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        if not is_write_failure(error):
            raise
        _tell(name, f"{error.filename or 'the output'}: cannot be written ({error.strerror}); free some space")
        status = 1
    sys.exit(status)


def _tell(name: str, text: str, attached: str = "") -> None:
    below = [_visible(line) for line in attached.splitlines()]
    print(f"{name}: {_visible(text)}", *below, sep="\n", file=sys.stderr, flush=True)


def _visible(text: str) -> str:
    """Return text on one line that moves no terminal: a name may hold line ends and control characters."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _UNSEEN else character
        for character in text
    )
