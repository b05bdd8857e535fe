"""The server: who asks, what they may do, which route answers, what goes wrong on purpose.

Revisions come percent-encoded (`refs%2Fpr%2F1`), so requests are told apart by their raw path.
"""

import asyncio
import base64
import hashlib
import re
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from tests.hub.errors import HubError
from tests.hub.faults import Arrival, Fault, Progress, Seen, error_of
from tests.hub.store import Entry, Repo, Store, git_sha1, pointer
from tests.hub.xet import Stores

#: User -> tokens that may write and read. All of them belong to the organisation.
USERS = {
    "alice": {"token": "hf_aliceWritesAndReads000000000000000", "read_token": "hf_aliceReadsOnly0000000000000000000"},
    "bob": {"token": "hf_bobWritesAndReads00000000000000000"},
}
ORGANISATION = "studio"
TREE_PAGE, LIST_PAGE = 1000, 100

_ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = []
_PARTS = {
    "T": "(?P<kind>models|datasets|spaces)",
    "ID": "(?P<repo_id>[^/]+/[^/]+)",
    "P": "(?P<prefix>datasets/|spaces/)?",
    "REV": "(?P<revision>[^/]+)",
    "PATH": "(?P<path>.+)",
    "NUM": r"(?P<num>\d+)",
    "NAME": "(?P<name>.+)",
}
#: Where the namespace would stand in a path that has none: only the oldest repositories of the real Hub do without.
_NO_NAMESPACE = re.compile(r"^(/api/(?:models|datasets|spaces)/|/(?:datasets/|spaces/)?)")


def route(methods: str, pattern: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Answer requests of these methods whose raw path matches, with `{T}`, `{ID}`, ... for the parts that vary."""
    expression = re.compile(re.sub(r"\{([A-Z]+)\}", lambda found: _PARTS[found[1]], pattern))

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        _ROUTES.extend((method, expression, handler) for method in methods.split())
        return handler

    return register


class Hub:
    """The ASGI application.

    Args:
        root (`Path`): Where repositories lie.

    Attributes:
        endpoint (`str`): Its own address; set when it is known.
        faults (`list[Fault]`): What goes wrong.
        on_arrival (`Arrival`, *optional*): Hears of each request.
        on_bytes (`Progress`, *optional*): Hears of each piece of a body.
        log (`list[Seen]`): All requests so far.
        open (`int`): Requests that are being answered.
        lfs_chunk (`int`, *optional*): Larger LFS files are uploaded in parts of so many bytes.
        all_regular (`bool`): Whether every file is sent inside the commit.
        xet (`Stores`): Where clients with Xet put large files; those without it use LFS.
    """

    def __init__(self, root: Path):
        self.store = Store(root)
        self.xet = Stores(root / "xet")
        self.endpoint = ""
        self.faults: list[Fault] = []
        self.on_arrival: Arrival | None = None
        self.on_bytes: Progress | None = None
        self.log: list[Seen] = []
        self.open = 0
        self.lfs_chunk: int | None = None
        self.all_regular = False
        self.parts: dict[str, dict[str, Any]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.open += 1
        try:
            await self._request(scope, receive, send)
        finally:
            self.open -= 1

    async def _request(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        raw = scope["raw_path"].decode()
        number = len(self.log) + 1
        seen = Seen(number, request.method, raw, user_of(request)[0])
        self.log.append(seen)
        if self.on_arrival is not None and not raw.startswith("/_control"):
            self.on_arrival(seen)
        strikes = [fault for fault in self.faults if fault.strikes(request.method, raw)]
        request.state.hub, request.state.slow = self, None
        try:
            for fault in strikes:
                await self._before(fault, request, receive)
            response = await self._answer(request, raw)
        except HubError as error:
            response = _error_response(error)
        except (_Cut, ClientDisconnect):
            return
        if any(fault.kind == "lost_reply" for fault in strikes):
            _abort(receive)
            return
        self.log[number - 1] = Seen(number, seen.method, seen.path, seen.user, response.status_code)
        response.headers["X-Request-Id"] = f"Root={number}"
        await response(scope, receive, send)

    async def _before(self, fault: Fault, request: Request, receive: Any) -> None:
        if fault.kind == "slow_reply":
            await asyncio.sleep(float(fault.values.get("after", 1.0)))
        elif fault.kind == "meet":
            deadline = time.monotonic() + 60
            while fault.seen < int(fault.values.get("count", 2)) and time.monotonic() < deadline:
                await asyncio.sleep(0.005)
        elif fault.kind == "slow":
            request.state.slow = float(fault.values.get("rate", 1e6))
        elif fault.kind == "cut":
            wanted, came = int(fault.values.get("after", 0)), 0
            if wanted:
                async for chunk in request.stream():
                    came += len(chunk)
                    if came >= wanted:
                        break
            _abort(receive)
            raise _Cut
        elif fault.kind != "lost_reply":
            raise error_of(fault)

    async def _answer(self, request: Request, raw: str) -> Response:
        allowed = False
        for method, expression, handler in _ROUTES:
            found = expression.fullmatch(raw)
            if found is None:
                continue
            allowed = True
            if method == request.method:
                values = {name: None if part is None else _decoded(part) for name, part in found.groupdict().items()}
                return await handler(self, request, **values)
        if allowed:
            raise HubError(405, "Method not allowed")
        spelled_out = _NO_NAMESPACE.sub(r"\1-/", raw)
        if any(expression.fullmatch(spelled_out) for _, expression, _ in _ROUTES):
            raise HubError(404, "Repository not found", code="RepoNotFound")
        raise HubError(404, f"Sorry, we can't find the page you are looking for: {raw}")

    # Who may do what

    def readable(self, request: Request, kind: str, repo_id: str) -> Repo:
        """Return a repository that the caller may read; one that is private to others is not there."""
        user = self.caller(request)
        repo = self.store.get(repo_type_of(kind), repo_id)
        if repo.private and not (user and owns(user, repo.namespace)):
            raise HubError(404 if user else 401, "Repository not found", code="RepoNotFound")
        return repo

    def downloadable(self, request: Request, kind: str, repo_id: str) -> Repo:
        """Return a repository whose files the caller may have: a gated one is for those who own it."""
        repo, user = self.readable(request, kind, repo_id), self.caller(request)
        if repo.gated and not (user and owns(user, repo.namespace)):
            told = f"Access to {repo.type} {repo.id} is restricted"
            told += " and you are not in the authorized list." if user else ". You must be authenticated to access it."
            raise HubError(403 if user else 401, told, code="GatedRepo")
        return repo

    def writable(self, request: Request, kind: str, repo_id: str) -> tuple[Repo, str]:
        """Return a repository that the caller may write, and the caller."""
        repo = self.readable(request, kind, repo_id)
        return repo, self.writer(request, repo.namespace)

    def caller(self, request: Request) -> str | None:
        """Return who asks, `None` without a token.

        Raises:
            HubError: 401 for a token that nobody has.
        """
        user, _, is_given = user_of(request)
        if is_given and user is None:
            raise HubError(401, "Invalid credentials in Authorization header")
        return user

    def writer(self, request: Request, namespace: str) -> str:
        """Return who asks, if that user may write in a namespace.

        Raises:
            HubError: 401 or 403.
        """
        user = self.caller(request)
        if user is None:
            raise HubError(401, "Invalid username or password.")
        if not user_of(request)[1]:
            raise HubError(403, "Forbidden: you must use a write token to upload to a repository.")
        if not owns(user, namespace):
            raise HubError(403, f"Forbidden: you don't have the rights to write in the namespace {namespace}")
        return user

    # Content

    async def body(self, request: Request) -> bytes:
        """Return the whole body."""
        return b"".join([chunk async for chunk in self.chunks(request)])

    async def chunks(self, request: Request) -> Any:
        """Yield the body's pieces, slowly if a fault says so."""
        came = 0
        async for chunk in request.stream():
            if request.state.slow:
                await asyncio.sleep(len(chunk) / request.state.slow)
            came += len(chunk)
            if self.on_bytes is not None:
                self.on_bytes(request.method, request.url.path, came)
            yield chunk

    def entry(self, content: bytes) -> Entry:
        """Keep a regular file."""
        return Entry(git_sha1(content), len(content), self.store.put(content), lfs=False)

    def lfs_entry(self, sha256: str) -> Entry:
        """Return the entry of a large file that was uploaded.

        Raises:
            HubError: 400 where it was not uploaded.
        """
        if not self.store.has(sha256):
            raise HubError(400, f"LFS pointer pointed to a file that does not exist: {sha256}")
        size = self.store.path_of(sha256).stat().st_size
        return Entry(git_sha1(pointer(sha256, size)), size, sha256, lfs=True)

    def take_from_xet(self, wanted: set[str]) -> None:
        """Keep those of these files that clients with Xet have put down as a whole."""
        with tempfile.TemporaryDirectory(dir=self.store.incoming) as target:
            self.xet.fetch(wanted, Path(target))
            for sha256 in wanted:
                path = Path(target) / sha256
                if path.is_file() and _sha256(path) == sha256:
                    self.store.take(path, sha256)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Cut(Exception):
    """The connection is gone."""


def _abort(receive: Any) -> None:
    receive.__self__.transport.abort()


def _decoded(part: str) -> str:
    return urllib.parse.unquote(part)


def content_of(file: dict[str, Any]) -> bytes:
    """Return what a file that is sent inside JSON holds."""
    return base64.b64decode(file["content"]) if file.get("encoding") == "base64" else file["content"].encode()


def repo_type_of(kind: str) -> str:
    return kind.removesuffix("s")


def kind_of(prefix: str | None) -> str:
    return prefix.rstrip("/") if prefix else "models"


def user_of(request: Request) -> tuple[str | None, bool, bool]:
    """Return user, whether the token may write, and whether a token came along."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None, False, False
    for user, tokens in USERS.items():
        for name, known in tokens.items():
            if known == token:
                return user, name == "token", True
    return None, False, True


def owns(user: str, namespace: str) -> bool:
    return namespace.lower() in (user, ORGANISATION)


def _error_response(error: HubError) -> Response:
    headers = {"X-Error-Message": error.message, **error.headers}
    if error.code:
        headers["X-Error-Code"] = error.code
    headers = {name: value.encode("latin-1", "replace").decode("latin-1") for name, value in headers.items()}
    return JSONResponse({"error": error.message, **error.body}, status_code=error.status, headers=headers)


def linked(request: Request, items: list[Any], page: int, cursor_name: str = "cursor") -> Response:
    """Return one page of a list, with the address of the next."""
    start = int(request.query_params.get(cursor_name) or 0)
    limit = request.query_params.get("limit")
    page = min(page, int(limit)) if limit else page
    headers = {"X-Total-Count": str(len(items))}
    if start + page < len(items):
        address = request.url.include_query_params(**{cursor_name: start + page})
        headers["Link"] = f'<{address}>; rel="next"'
    return JSONResponse(items[start : start + page], headers=headers)
