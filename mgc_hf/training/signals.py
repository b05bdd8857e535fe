"""SIGTERM and SIGINT during training: finish the step, save, leave with the status that a shell expects."""

import os
import signal
import threading
import time
from types import FrameType
from typing import Any, NoReturn

#: A launcher such as torchrun repeats a signal that the terminal has already sent to the whole process group.
_REPEATED_WITHIN_SECONDS = 2.0


class StoppedBySignal(SystemExit):
    """Training ended because of a signal; the exit status is 128 + its number (143 for SIGTERM, 130 for SIGINT).

    Being a `SystemExit`, it passes through `except Exception` and ends a command without a traceback.

    Args:
        signum (`int`): The signal.
        message (`str`): What was saved and how to go on, for the user.
    """

    def __init__(self, signum: int, message: str):
        super().__init__(128 + signum)
        self.signum = signum
        self.message = message


class StopSignals:
    """Turns the first SIGTERM or SIGINT into a request (`signum`); a second one ends the process at once.

    A context manager: handlers are installed on entry, and only in the main thread (Python allows no other); the
    former ones are back on exit. Processes forked meanwhile (data loader workers) take a first signal in silence, so
    that Ctrl-C, which reaches the whole process group, does not take the data away from a step that is to be finished.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self._since = 0.0
        self._owner = os.getpid()
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGTERM, signal.SIGINT):
                self._former[signum] = signal.signal(signum, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._former.items():
            # `None` is a handler that was not installed from Python and cannot be put back from it
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
        self._former = {}

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is None:
            self.signum, self._since = signum, time.monotonic()
            if os.getpid() == self._owner:
                self._say(
                    f"\n{signal.Signals(signum).name}: finishing this step, then saving; once more stops at once\n"
                )
            return
        if "TORCHELASTIC_RUN_ID" in os.environ and time.monotonic() - self._since < _REPEATED_WITHIN_SECONDS:
            return
        self._die(signum)

    @staticmethod
    def _say(text: str) -> None:
        os.write(2, text.encode())  # the handler may run in the middle of any other write

    @staticmethod
    def _die(signum: int) -> NoReturn:
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
        raise SystemExit(128 + signum)  # not reached: the default action of both signals ends the process
