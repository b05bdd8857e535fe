"""Pages for a browser, and the switches for what goes wrong."""

import json

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from tests.hub import pages
from tests.hub.core import Hub, kind_of, route
from tests.hub.errors import HubError
from tests.hub.faults import KINDS, Fault
from tests.hub.routes.repositories import card_data


@route("GET", "/")
async def home(hub: Hub, request: Request) -> Response:
    """All repositories that the caller may see."""
    return HTMLResponse(pages.home([repo for repo in hub.store.repos.values() if not repo.private]))


@route("GET", "/(?!api/|_){P}{ID}(?:/(?P<view>tree|blob|commits|commit)/{REV}(?:/{PATH})?)?")
async def page(
    hub: Hub,
    request: Request,
    prefix: str | None,
    repo_id: str,
    view: str | None,
    revision: str | None,
    path: str | None,
) -> Response:
    """A repository as a reader sees it: the card, the files, the history."""
    repo = hub.readable(request, kind_of(prefix), repo_id)
    commit = repo.resolve(revision or "main")
    text = pages.repository(
        hub.store, repo, commit, view or "card", path or "", revision or "main", card_data(hub, commit)
    )
    return HTMLResponse(text)


@route("GET", "/_control")
async def log(hub: Hub, request: Request) -> Response:
    """The requests so far."""
    return JSONResponse([[seen.method, seen.path, seen.user, seen.status] for seen in hub.log])


@route("PUT", "/_control/faults")
async def set_faults(hub: Hub, request: Request) -> Response:
    """Set what goes wrong: a list of the values of `Fault`."""
    asked = json.loads(await hub.body(request))
    unknown = [one["kind"] for one in asked if one["kind"] not in KINDS]
    if unknown:
        raise HubError(400, f"no such fault: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    hub.faults = [Fault(**one) for one in asked]
    return JSONResponse({})
