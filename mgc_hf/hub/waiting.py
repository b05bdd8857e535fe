"""One limit for all the waiting that the Hub's client does by itself.

huggingface_hub tries again after 429, 5xx and lost connections, up to five times each, and sleeps as long as
`Retry-After` says. Here its HTTP client adds up what it is about to sleep, and refuses where that would be too long.
hf-xet, which sends large files, has a client of its own and is told its limit.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: What huggingface_hub tries again, and its first and longest wait without `Retry-After` (`http_backoff`), seconds.
STATUSES = (408, 429, 500, 502, 503, 504)
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 8.0
#: For how long a Hub may be silent in the middle of a request, seconds: as long as is left, within these bounds.
_LEAST_SILENCE, _MOST_SILENCE = 5.0, 60.0
#: For how long hf-xet tries again; six minutes by default.
_XET_LIMIT = "HF_XET_CLIENT_RETRY_MAX_DURATION"


class WaitedTooLong(Exception):
    """The next wait would go past the limit.

    Args:
        status (`int`): HTTP status of the answer that asks for it; 0 where the connection was lost.
        seconds (`float`): How long it would be.
        waited (`float`): What was waited before, seconds.
    """

    def __init__(self, status: int, seconds: float, waited: float):
        super().__init__(f"{status}: {seconds:.0f} s more after {waited:.0f} s")
        self.status, self.seconds, self.waited = status, seconds, waited


class _Patience:
    """Adds up waits; those of several threads at the same time count once."""

    def __init__(self, limit: float, now: Callable[[], float] = time.monotonic):
        self._limit, self._now = limit, now
        self._lock = threading.Lock()
        self._tries: dict[tuple[str, str], int] = {}
        self._waited, self._until = 0.0, 0.0
        #: How long the newest failure is to be waited out, seconds.
        self.wait = 0.0

    def failed(self, method: str, url: str, status: int, asked: float | None) -> None:
        """Take in a failure.

        Raises:
            WaitedTooLong: Waiting for another try would pass the limit.
        """
        with self._lock:
            key = method, url
            self._tries[key] = tries = self._tries.get(key, 0) + 1
            wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tries - 1)) if asked is None else asked + 1
            now = self._now()
            more = max(0.0, now + wait - max(now, self._until))
            if self._waited + more > self._limit:
                raise WaitedTooLong(status, wait, self._waited)
            self._waited += more
            self.wait = wait
            self._until = max(self._until, now + wait)

    def silent_for(self, seconds: float) -> None:
        """Take in that a request was not answered for so long."""
        with self._lock:
            self._waited += seconds

    @property
    def left(self) -> float:
        """What may still be waited, seconds."""
        with self._lock:
            return max(0.0, self._limit - self._waited)

    def succeeded(self, method: str, url: str) -> None:
        """Take in an answer."""
        with self._lock:
            self._tries.pop((method, url), None)


@contextmanager
def limited_waiting(seconds: float) -> Iterator["_Patience"]:
    """Let huggingface_hub wait no longer than this in all, while the block lasts.

    Args:
        seconds (`float`): The limit. Time in which something is sent or received does not count; a Hub that takes a
            request and is silent is waited for as long as is left, at least 5 s.

    Yields:
        What adds up; its `wait` is for requests that huggingface_hub does not send again by itself.

    Raises:
        WaitedTooLong: From the call that would wait longer, perhaps as the cause of another exception.
    """
    import httpx2
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    patience = _Patience(seconds)

    class PatientClient(httpx2.Client):
        def send(self, request: Any, **kwargs: Any) -> Any:
            method, url = request.method, str(request.url)
            silence = max(_LEAST_SILENCE, min(_MOST_SILENCE, patience.left))
            # huggingface_hub asks for no limit at all in some of its requests
            given = request.extensions.get("timeout") or {}
            limits = {name: min(given.get(name) or silence, silence) for name in ("connect", "read", "write", "pool")}
            request.extensions = {**request.extensions, "timeout": limits}
            try:
                response = super().send(request, **kwargs)
            except httpx2.TransportError as error:
                if isinstance(error, httpx2.TimeoutException):
                    patience.silent_for(limits["read"])
                patience.failed(method, url, 0, None)
                raise
            if response.status_code in STATUSES:
                patience.failed(method, url, response.status_code, _asked(_http, response))
            else:
                patience.succeeded(method, url)
            return response

    def factory() -> Any:
        hooks = {"request": [_http.hf_request_event_hook]}
        return PatientClient(event_hooks=hooks, follow_redirects=True, timeout=httpx2.Timeout(60.0))

    before, is_ours = _http._GLOBAL_CLIENT_FACTORY, _XET_LIMIT not in os.environ
    set_client_factory(factory)
    if is_ours:  # read when the first large file of this process is sent
        os.environ[_XET_LIMIT] = f"{round(seconds * 1000)}ms"
    try:
        yield patience
    finally:
        set_client_factory(before)
        if is_ours:
            os.environ.pop(_XET_LIMIT, None)


def _asked(http: Any, response: Any) -> float | None:
    """Return how long an answer asks to wait, seconds, as huggingface_hub reads it."""
    limits = http.parse_ratelimit_headers(response.headers) if response.status_code == 429 else None
    if limits is not None and limits.remaining == 0:
        return float(limits.reset_in_seconds)
    value = response.headers.get("Retry-After", "").strip()
    return float(value) if value.isdigit() else None
