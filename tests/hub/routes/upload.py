"""Uploads: how each file is to be sent, large files whole or in parts, and the commit."""

import asyncio
import hashlib
import json
import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from tests.hub import discussions
from tests.hub.core import Hub, content_of, kind_of, route
from tests.hub.errors import HubError
from tests.hub.store import PREFIX, Entry, Repo


@route("GET", "/api/{T}/{ID}/xet-write-token/{REV}")
async def xet_write_token(hub: Hub, request: Request, kind: str, repo_id: str, revision: str) -> Response:
    """Where a client with Xet puts large files."""
    _may_upload(hub, request, hub.readable(request, kind, repo_id))
    expires = int(time.time()) + 3600
    return JSONResponse({"casUrl": hub.xet.open(), "exp": expires, "accessToken": "xet"})


def _may_upload(hub: Hub, request: Request, repo: Repo) -> None:
    """Refuse who may not write, or for a pull request who is not known."""
    if not request.query_params.get("create_pr"):
        hub.writer(request, repo.namespace)
    elif hub.caller(request) is None:
        raise HubError(401, "Invalid username or password.")


@route("POST", "/api/{T}/{ID}/preupload/{REV}")
async def preupload(hub: Hub, request: Request, kind: str, repo_id: str, revision: str) -> Response:
    """How each file is to be sent, and what its path holds now."""
    repo = hub.readable(request, kind, repo_id)
    _may_upload(hub, request, repo)
    commit, asked = repo.resolve(revision), json.loads(await hub.body(request))
    if len(asked["files"]) > 256:
        raise HubError(400, "too many files")
    rules = asked.get("gitAttributes") or hub.store.text_of(commit, ".gitattributes")
    ignore = asked.get("gitIgnore") or hub.store.text_of(commit, ".gitignore")
    answers = []
    for file in asked["files"]:
        is_lfs = not hub.all_regular and hub.store.is_lfs(rules, file["path"], file["size"])
        is_ignored = hub.store.is_ignored(ignore, file["path"])
        answer = {"path": file["path"], "uploadMode": "lfs" if is_lfs else "regular", "shouldIgnore": is_ignored}
        if file["path"] in commit.tree:
            answer["oid"] = commit.tree[file["path"]].etag
        answers.append(answer)
    return JSONResponse({"files": answers, "commitOid": commit.id})


@route("POST", "/api/{T}/{ID}/commit/{REV}")
async def commit(hub: Hub, request: Request, kind: str, repo_id: str, revision: str) -> Response:
    """Add a commit to a branch, or to a new pull request."""
    create_pr = request.query_params.get("create_pr") in ("1", "true", "True")
    if create_pr:
        repo, user = hub.readable(request, kind, repo_id), hub.caller(request)
        if user is None:
            raise HubError(401, "Invalid username or password.")
    else:
        repo, user = hub.writable(request, kind, repo_id)
    lines = [json.loads(line) for line in (await hub.body(request)).split(b"\n") if line.strip()]
    if not lines or lines[0].get("key") != "header":
        raise HubError(400, "the first line must be the header")
    header = lines[0]["value"]
    if not header.get("summary"):
        raise HubError(400, "summary is not allowed to be empty")
    absent = {
        line["value"]["oid"] for line in lines if line["key"] == "lfsFile" and not hub.store.has(line["value"]["oid"])
    }
    if absent:
        await asyncio.to_thread(hub.take_from_xet, absent)
    changes = [_change(hub, line["key"], line["value"]) for line in lines[1:]]
    ref = revision if revision.startswith("refs/") else f"refs/heads/{revision}"
    base = hub.store.resolve_ref(repo, ref)
    parent, pull_request = header.get("parentCommit"), None
    if create_pr:
        if parent is not None:
            base = repo.resolve(parent)
        pull_request = discussions.open_one(
            hub.store, repo, user, header["summary"], header.get("description") or "", base, revision
        )
        ref, parent = f"refs/pr/{pull_request.num}", None
    try:
        made = hub.store.commit(
            repo, ref, changes, header["summary"], header.get("description") or "", author=user, parent=parent
        )
    except HubError:
        if pull_request is not None:
            discussions.remove(hub.store, repo, pull_request)
        raise
    discussions.note_commit(hub.store, repo, ref, made)
    address = f"{hub.endpoint}/{PREFIX[repo.type]}{repo.id}"
    return JSONResponse(
        {
            "success": True,
            "commitOid": made.id,
            "commitUrl": f"{address}/commit/{made.id}",
            "hookOutput": "",
            "pullRequestUrl": f"{address}/discussions/{pull_request.num}" if pull_request else None,
        }
    )


def _change(hub: Hub, key: str, value: dict[str, Any]) -> tuple[str, Entry | None]:
    if key == "file":
        return value["path"], hub.entry(content_of(value))
    if key == "lfsFile":
        return value["path"], hub.lfs_entry(value["oid"])
    if key == "deletedFile":
        return value["path"], None
    if key == "deletedFolder":
        return value["path"].rstrip("/") + "/", None
    raise HubError(400, f"unknown operation {key}")


@route("POST", r"/{P}{ID}\.git/info/lfs/objects/batch")
async def lfs_batch(hub: Hub, request: Request, prefix: str | None, repo_id: str) -> Response:
    """Where to put LFS files; nothing to do for those that are here."""
    repo = hub.readable(request, kind_of(prefix), repo_id)
    if hub.caller(request) is None:
        raise HubError(401, "Invalid username or password.")
    asked = json.loads(await hub.body(request))
    objects = []
    for one in asked["objects"]:
        answer = {"oid": one["oid"], "size": one["size"]}
        path = f"{hub.endpoint}/_lfs/{repo.key}/{one['oid']}"
        if asked.get("operation") == "download":
            answer["actions"] = {"download": {"href": path}}
        elif not hub.store.has(one["oid"]):
            verify = {"href": f"{path}/verify"}
            upload: dict[str, Any] = {"href": path}
            if hub.lfs_chunk and one["size"] > hub.lfs_chunk and "multipart" in asked.get("transfers", []):
                upload_id = uuid.uuid4().hex
                count = -(-one["size"] // hub.lfs_chunk)
                self_made = {"oid": one["oid"], "size": one["size"], "count": count}
                hub.parts[upload_id] = self_made
                addresses = {str(n): f"{hub.endpoint}/_lfs/parts/{upload_id}/{n}" for n in range(1, count + 1)}
                upload = {
                    "href": f"{hub.endpoint}/_lfs/parts/{upload_id}/complete",
                    "header": {"chunk_size": str(hub.lfs_chunk), **addresses},
                }
            answer["actions"] = {"upload": upload, "verify": verify}
        objects.append(answer)
    is_multipart = any("header" in one.get("actions", {}).get("upload", {}) for one in objects)
    return JSONResponse(
        {"transfer": "multipart" if is_multipart else "basic", "objects": objects},
        media_type="application/vnd.git-lfs+json",
    )


async def _receive(hub: Hub, request: Request) -> tuple[Path, str, int]:
    """Write a body to a file that nobody sees yet; its path, SHA-256 and size."""
    handle, name = tempfile.mkstemp(dir=hub.store.incoming)
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(handle, "wb") as file:
            async for chunk in hub.chunks(request):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
    except BaseException:
        os.unlink(name)
        raise
    return Path(name), digest.hexdigest(), size


@route("PUT", "/_lfs/(?P<key>[0-9a-f]{24})/(?P<oid>[0-9a-f]{64})")
async def lfs_put(hub: Hub, request: Request, key: str, oid: str) -> Response:
    """Take an LFS file."""
    path, sha256, _ = await _receive(hub, request)
    if sha256 != oid:
        path.unlink()
        raise HubError(400, "The content does not have the announced SHA-256")
    hub.store.take(path, sha256)
    return Response(status_code=200, headers={"ETag": f'"{sha256}"'})


@route("GET", "/_lfs/(?P<key>[0-9a-f]{24})/(?P<oid>[0-9a-f]{64})")
async def lfs_get(hub: Hub, request: Request, key: str, oid: str) -> Response:
    """Give an LFS file."""
    if not hub.store.has(oid):
        raise HubError(404, "no such object")
    return FileResponse(hub.store.path_of(oid))


@route("POST", "/_lfs/(?P<key>[0-9a-f]{24})/(?P<oid>[0-9a-f]{64})/verify")
async def lfs_verify(hub: Hub, request: Request, key: str, oid: str) -> Response:
    """Whether an LFS file is here."""
    asked = json.loads(await hub.body(request))
    if not hub.store.has(oid) or hub.store.path_of(oid).stat().st_size != asked["size"]:
        raise HubError(404, "no such object")
    return JSONResponse({})


@route("PUT", r"/_lfs/parts/(?P<upload_id>[0-9a-f]{32})/(?P<part>\d+)")
async def lfs_put_part(hub: Hub, request: Request, upload_id: str, part: str) -> Response:
    """Take one part of an LFS file."""
    if upload_id not in hub.parts:
        raise HubError(404, "no such upload")
    path, sha256, _ = await _receive(hub, request)
    os.replace(path, hub.store.incoming / f"{upload_id}-{int(part)}")
    return Response(status_code=200, headers={"ETag": f'"{sha256}"'})


@route("POST", "/_lfs/parts/(?P<upload_id>[0-9a-f]{32})/complete")
async def lfs_complete(hub: Hub, request: Request, upload_id: str) -> Response:
    """Join the parts of an LFS file."""
    await hub.body(request)
    if upload_id not in hub.parts:
        raise HubError(404, "no such upload")
    wanted = hub.parts[upload_id]
    paths = [hub.store.incoming / f"{upload_id}-{number}" for number in range(1, wanted["count"] + 1)]
    if not all(path.is_file() for path in paths):
        raise HubError(400, "parts are missing")
    handle, name = tempfile.mkstemp(dir=hub.store.incoming)
    digest = hashlib.sha256()
    with os.fdopen(handle, "wb") as file:
        for path in paths:
            content = path.read_bytes()
            file.write(content)
            digest.update(content)
    if digest.hexdigest() != wanted["oid"]:
        os.unlink(name)
        raise HubError(400, "The content does not have the announced SHA-256")
    hub.store.take(Path(name), wanted["oid"])
    for path in paths:
        path.unlink()
    del hub.parts[upload_id]
    return JSONResponse({})
