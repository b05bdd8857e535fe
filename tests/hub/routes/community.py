"""Discussions and pull requests."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.hub import discussions
from tests.hub.core import Hub, route
from tests.hub.errors import HubError


@route("GET", "/api/{T}/{ID}/discussions")
async def list_discussions(hub: Hub, request: Request, kind: str, repo_id: str) -> Response:
    """Discussions and pull requests."""
    repo, query = hub.readable(request, kind, repo_id), request.query_params
    found = [discussions.summary(repo, one) for one in reversed(repo.discussions.values())]
    if query.get("author"):
        found = [one for one in found if one["author"]["name"] == query["author"]]
    if query.get("type") in ("discussion", "pull_request"):
        found = [one for one in found if one["isPullRequest"] == (query["type"] == "pull_request")]
    if query.get("status") in ("open", "closed"):
        is_open = query["status"] == "open"
        found = [one for one in found if (one["status"] in ("open", "draft")) == is_open]
    start = 10 * int(query.get("p") or 0)
    return JSONResponse({"discussions": found[start : start + 10], "count": len(found), "start": start})


@route("POST", "/api/{T}/{ID}/discussions")
async def create_discussion(hub: Hub, request: Request, kind: str, repo_id: str) -> Response:
    """Open a discussion or a pull request."""
    repo, user = hub.readable(request, kind, repo_id), hub.caller(request)
    if user is None:
        raise HubError(401, "Invalid username or password.")
    asked = json.loads(await hub.body(request))
    base = repo.resolve("main") if asked.get("pullRequest") else None
    made = discussions.open_one(
        hub.store, repo, user, asked["title"], asked.get("description") or "", base, "main", draft=True
    )
    return JSONResponse({"num": made.num, "pullRequest": made.is_pull_request})


@route("GET", "/api/{T}/{ID}/discussions/{NUM}")
async def discussion(hub: Hub, request: Request, kind: str, repo_id: str, num: str) -> Response:
    """One discussion, with all that was said."""
    repo = hub.readable(request, kind, repo_id)
    return JSONResponse(discussions.details(repo, discussions.find(repo, int(num))))


@route("POST", "/api/{T}/{ID}/discussions/{NUM}/(?P<what>comment|title|status|merge)")
async def change_discussion(hub: Hub, request: Request, kind: str, repo_id: str, num: str, what: str) -> Response:
    """Comment, rename, close, open or merge."""
    repo, user = hub.readable(request, kind, repo_id), hub.caller(request)
    if user is None:
        raise HubError(401, "Invalid username or password.")
    if what != "comment":
        hub.writer(request, repo.namespace)
    asked = json.loads(await hub.body(request) or b"{}")
    event = discussions.change(hub.store, repo, discussions.find(repo, int(num)), user, what, asked)
    key = {"comment": "newMessage", "title": "newTitle", "status": "newStatus", "merge": "commit"}[what]
    return JSONResponse({key: event})


@route("POST", "/api/{T}/{ID}/discussions/{NUM}/comment/(?P<event>[0-9a-f]+)/(?P<what>edit|hide)")
async def change_comment(
    hub: Hub, request: Request, kind: str, repo_id: str, num: str, event: str, what: str
) -> Response:
    """Give a comment another text, or hide it."""
    repo, user = hub.readable(request, kind, repo_id), hub.caller(request)
    if user is None:
        raise HubError(401, "Invalid username or password.")
    asked = json.loads(await hub.body(request) or b"{}")
    text = asked["content"] if what == "edit" else None
    changed = discussions.edit(hub.store, repo, discussions.find(repo, int(num)), user, event, text)
    return JSONResponse({"updatedComment": changed})
