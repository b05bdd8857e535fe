"""What the server can be told to do wrong, and to whom it tells that a request has come."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.hub.errors import HubError


@dataclass
class Fault:
    """Goes wrong where method and path fit, from the `first` such request on, `times` times.

    Args:
        kind (`str`): A name in `ERRORS`, or `cut` (the connection ends after `after` bytes of the request's body),
            `lost_reply` (the request is carried out, then the connection ends), `slow` (the body is read at `rate` bytes
            a second), `slow_reply` (the answer begins after `after` seconds) or `meet` (the first of `count` such requests
            wait until all of them have come).
        method, path (`str`): Regular expressions; the whole method, any part of the path.
        first (`int`): 1 is the first request that fits.
        times (`int`): How often; 0 for always.
        values (`dict`): More for the kind: `after`, `rate`, `retry_after`, `status`.
    """

    kind: str
    method: str = ".*"
    path: str = ""
    first: int = 1
    times: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    seen: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether it applies to a request, which is counted."""
        if not (re.fullmatch(self.method, method) and re.search(self.path, path)):
            return False
        self.seen += 1
        return self.seen >= self.first and (not self.times or self.seen < self.first + self.times)


def error_of(fault: Fault) -> HubError:
    """Return the answer that a fault stands for."""
    if fault.kind == "rate_limited":
        seconds = str(fault.values.get("retry_after", 1))
        return HubError(429, "Rate limit exceeded", headers={"Retry-After": seconds})
    if fault.kind == "unavailable":
        return HubError(int(fault.values.get("status", 503)), "Service unavailable")
    status, message, code = ERRORS[fault.kind]
    return HubError(status, message, code=code)


#: Kind -> status, message, error code. The messages of the real Hub, as far as they are known.
ERRORS: dict[str, tuple[int, str, str | None]] = {
    "expired_token": (401, "Invalid credentials in Authorization header", None),
    "no_right": (403, "You don't have the rights to create or update this repository", None),
    "quota": (
        403,
        "Private repository storage limit reached, please upgrade your plan to increase your private storage limit",
        None,
    ),
    "taken": (409, "A dataset of this name exists", None),
    "too_large": (413, "Payload too large", None),
    "not_found": (404, "Repository not found", "RepoNotFound"),
}
KINDS = (*ERRORS, "rate_limited", "unavailable", "cut", "lost_reply", "slow", "slow_reply", "meet")


@dataclass(frozen=True)
class Seen:
    """A request that the server has received; `status` is 0 until it is answered."""

    number: int
    method: str
    path: str
    user: str | None
    status: int = 0


#: Called with a request when it has arrived, before it is answered; may kill the client.
Arrival = Callable[[Seen], None]
#: Called with method, path and the bytes of the body so far, for each piece that the server reads.
Progress = Callable[[str, str, int], None]
