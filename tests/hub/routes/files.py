"""Files and history: trees, content, commits, branches, tags."""

import hashlib
import html
import json
import urllib.parse
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from tests.hub import pages
from tests.hub.core import TREE_PAGE, Hub, kind_of, linked, route
from tests.hub.errors import HubError
from tests.hub.store import Commit, Entry, Repo, pointer


def _item(path: str, entry: Entry, last: Commit | None) -> dict[str, Any]:
    item: dict[str, Any] = {"type": "file", "path": path, "size": entry.size, "oid": entry.oid}
    if entry.lfs:
        item["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}
    return item | _last(last)


def _folder(path: str, commit: Commit, last: Commit | None) -> dict[str, Any]:
    inside = [f"{name} {entry.oid}" for name, entry in commit.tree.items() if name.startswith(f"{path}/")]
    oid = hashlib.sha1("\n".join(inside).encode()).hexdigest()
    return {"type": "directory", "path": path, "size": 0, "oid": oid} | _last(last)


def _last(commit: Commit | None) -> dict[str, Any]:
    if commit is None:
        return {}
    security = {"status": "safe", "avScan": None, "pickleImportScan": None}
    return {
        "lastCommit": {"id": commit.id, "title": commit.title, "date": commit.date},
        "securityFileStatus": security,
    }


def _last_change(repo: Repo, commit: Commit, path: str) -> Commit:
    """Return the commit that gave a file or folder what it holds."""

    def state(one: Commit) -> list[tuple[str, str]]:
        return [(name, e.oid) for name, e in one.tree.items() if name == path or name.startswith(f"{path}/")]

    found = commit
    for before in repo.history(commit):
        if state(before) != state(commit):
            break
        found = before
    return found


@route("GET", "/api/{T}/{ID}/tree/{REV}(?:/{PATH})?")
async def tree(hub: Hub, request: Request, kind: str, repo_id: str, revision: str, path: str | None) -> Response:
    """List a folder, or all below it."""
    repo = hub.readable(request, kind, repo_id)
    commit, query = repo.resolve(revision), request.query_params
    below = f"{path.strip('/')}/" if path else ""
    names = [name for name in commit.tree if name.startswith(below)]
    if below and not names:
        raise _no_entry(commit, path or "")
    recursive, expand = (query.get(name, "").lower() in ("true", "1") for name in ("recursive", "expand"))
    items: dict[str, dict[str, Any]] = {}
    for name in names:
        parts = name[len(below) :].split("/")
        for depth in range(1, len(parts) + 1 if recursive else 2):
            inner = below + "/".join(parts[:depth])
            if inner not in items:
                last = _last_change(repo, commit, inner) if expand else None
                is_file = inner == name
                items[inner] = _item(inner, commit.tree[name], last) if is_file else _folder(inner, commit, last)
    ordered = sorted(items.values(), key=lambda item: (item["type"] != "directory", item["path"]))
    return linked(request, ordered, 50 if expand else TREE_PAGE)


@route("POST", "/api/{T}/{ID}/paths-info/{REV}")
async def paths_info(hub: Hub, request: Request, kind: str, repo_id: str, revision: str) -> Response:
    """What some paths are; those that are not there are left out. The Python client sends a form, JavaScript's JSON."""
    repo = hub.readable(request, kind, repo_id)
    commit, body = repo.resolve(revision), await hub.body(request)
    if "json" in request.headers.get("content-type", ""):
        asked = json.loads(body)
        paths, expand = asked.get("paths", []), bool(asked.get("expand"))
        paths = [paths] if isinstance(paths, str) else paths
    else:
        form = urllib.parse.parse_qs(body.decode())
        paths, expand = form.get("paths", []), form.get("expand", ["false"])[0].lower() == "true"
    items = []
    for path in paths:
        name = path.strip("/")
        last = _last_change(repo, commit, name) if expand else None
        if name in commit.tree:
            items.append(_item(name, commit.tree[name], last))
        elif name and any(one.startswith(f"{name}/") for one in commit.tree):
            items.append(_folder(name, commit, last))
    return JSONResponse(items)


@route("GET", "/api/{T}/{ID}/refs")
async def refs(hub: Hub, request: Request, kind: str, repo_id: str) -> Response:
    """Branches, tags, pull requests."""
    repo = hub.readable(request, kind, repo_id)

    def named(start: str, name_at: int) -> list[dict[str, str]]:
        found = [(ref, commit) for ref, commit in repo.refs.items() if ref.startswith(start)]
        return [{"name": ref[name_at:], "ref": ref, "targetCommit": commit} for ref, commit in found]

    answer: dict[str, Any] = {
        "branches": named("refs/heads/", len("refs/heads/")),
        "tags": named("refs/tags/", len("refs/tags/")),
        "converts": [],
    }
    if request.query_params.get("include_prs") in ("1", "true", "True"):
        answer["pullRequests"] = named("refs/pr/", len("refs/"))
        for one in answer["pullRequests"]:
            one["name"] = one["ref"]
    return JSONResponse(answer)


@route("GET", "/api/{T}/{ID}/commits/{REV}")
async def commits(hub: Hub, request: Request, kind: str, repo_id: str, revision: str) -> Response:
    """The history of a revision, newest first."""
    repo = hub.readable(request, kind, repo_id)
    is_formatted = "formatted" in request.query_params.getlist("expand[]")
    listed: list[dict[str, Any]] = [
        {
            "id": commit.id,
            "title": commit.title,
            "message": commit.message,
            "date": commit.date,
            "authors": [{"user": commit.author, "avatar": ""}],
        }
        for commit in repo.history(repo.resolve(revision))
    ]
    if is_formatted:
        for one in listed:
            one["formatted"] = {name: html.escape(one[name]) for name in ("title", "message")}
    return linked(request, listed, 50)


@route("POST", "/api/{T}/{ID}/branch/{NAME}")
async def create_branch(hub: Hub, request: Request, kind: str, repo_id: str, name: str) -> Response:
    """Make a branch."""
    repo, user = hub.writable(request, kind, repo_id)
    asked = json.loads(await hub.body(request) or b"{}")
    hub.store.check_ref_name(name)
    if name.startswith("refs/"):
        raise HubError(400, "Invalid reference for a branch")
    ref = f"refs/heads/{name}"
    if ref in repo.refs and not asked.get("overwrite"):
        raise HubError(409, f"Reference {ref} already exists")
    if asked.get("emptyBranch"):
        hub.store.add_commit(repo, ref, None, {}, "initial commit", "", user)
    else:
        repo.refs[ref] = repo.resolve(asked.get("startingPoint") or "main").id
        hub.store.save(repo)
    return JSONResponse({}, status_code=201)


@route("DELETE", "/api/{T}/{ID}/branch/{NAME}")
async def delete_branch(hub: Hub, request: Request, kind: str, repo_id: str, name: str) -> Response:
    """Remove a branch."""
    repo, _ = hub.writable(request, kind, repo_id)
    ref = f"refs/heads/{name}"
    if name == "main":
        raise HubError(403, f"Cannot delete {ref}")
    if ref not in repo.refs:
        raise HubError(404, "Invalid rev id", code="RevisionNotFound")
    del repo.refs[ref]
    hub.store.save(repo)
    return JSONResponse({})


@route("POST", "/api/{T}/{ID}/tag/{REV}")
async def create_tag(hub: Hub, request: Request, kind: str, repo_id: str, revision: str) -> Response:
    """Make a tag."""
    repo, _ = hub.writable(request, kind, repo_id)
    asked = json.loads(await hub.body(request))
    commit, ref = repo.resolve(revision), f"refs/tags/{asked['tag']}"
    hub.store.check_ref_name(asked["tag"])
    if ref in repo.refs:
        raise HubError(409, f"Tag {asked['tag']} already exists")
    repo.refs[ref] = commit.id
    hub.store.save(repo)
    return JSONResponse({})


@route("DELETE", "/api/{T}/{ID}/tag/{NAME}")
async def delete_tag(hub: Hub, request: Request, kind: str, repo_id: str, name: str) -> Response:
    """Remove a tag."""
    repo, _ = hub.writable(request, kind, repo_id)
    if repo.refs.pop(f"refs/tags/{name}", None) is None:
        raise HubError(404, f"Tag {name} not found", code="RevisionNotFound")
    hub.store.save(repo)
    return JSONResponse({})


@route("POST", "/api/{T}/{ID}/super-squash/{NAME}")
async def super_squash(hub: Hub, request: Request, kind: str, repo_id: str, name: str) -> Response:
    """Make one commit of a branch."""
    repo, user = hub.writable(request, kind, repo_id)
    asked = json.loads(await hub.body(request) or b"{}")
    hub.store.squash(
        repo, name if name.startswith("refs/") else f"refs/heads/{name}", asked.get("message") or "", user
    )
    return JSONResponse({})


def _no_entry(commit: Commit, path: str) -> HubError:
    # with the commit's id, or a client cannot remember that the file is absent
    return HubError(404, f"Entry not found: {path}", code="EntryNotFound", headers={"X-Repo-Commit": commit.id})


@route("GET HEAD", "/{P}{ID}/(?P<view>resolve|raw)/{REV}/{PATH}")
async def resolve(
    hub: Hub, request: Request, prefix: str | None, repo_id: str, view: str, revision: str, path: str
) -> Response:
    """A file's content, or as git has it: the pointer of an LFS file."""
    repo = hub.downloadable(request, kind_of(prefix), repo_id)
    commit = repo.resolve(revision)
    entry = commit.tree.get(path)
    if entry is None:
        raise _no_entry(commit, path)
    if view == "raw" and entry.lfs:
        text = pointer(entry.sha256, entry.size)
        entry = Entry(entry.oid, len(text), hub.store.put(text), lfs=False)
    headers = {"X-Repo-Commit": commit.id, "ETag": f'"{entry.etag}"', "Accept-Ranges": "bytes"}
    if entry.lfs:
        headers |= {"X-Linked-Etag": f'"{entry.etag}"', "X-Linked-Size": str(entry.size)}
    name = path.rpartition("/")[2]
    return FileResponse(hub.store.path_of(entry.sha256), headers=headers, media_type=pages.media_type(name))
