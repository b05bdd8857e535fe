"""Accounts and repositories: who asks, what there is, what it is called, who may read it, what its card says."""

import hashlib
import json
import re
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.hub.core import LIST_PAGE, ORGANISATION, Hub, content_of, linked, owns, repo_type_of, route, user_of
from tests.hub.errors import HubError
from tests.hub.store import PREFIX, TYPES, Commit, Entry, Repo

#: The names of licences that a card may use, as far as they are known.
LICENCES = set(
    """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cdla-permissive-1.0 cdla-permissive-2.0
    cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2
    fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 grok2-community h-research intel-research isc lgpl
    lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by
    ofl-1.1 openmdw-1.0 openrail openrail++ osl-3.0 other pddl postgresql unknown unlicense wtfpl zlib
    """.split()  # noqa: SIM905
)


@route("GET", "/api/whoami-v2")
async def whoami(hub: Hub, request: Request) -> Response:
    """Who asks."""
    user = hub.caller(request)
    if user is None:
        raise HubError(401, "Invalid username or password.")
    role = "write" if user_of(request)[1] else "read"
    return JSONResponse(
        {
            "type": "user",
            "id": hashlib.sha1(user.encode()).hexdigest()[:24],
            "name": user,
            "fullname": user.title(),
            "email": f"{user}@example.org",
            "emailVerified": True,
            "isPro": False,
            "orgs": [{"type": "org", "name": ORGANISATION, "fullname": ORGANISATION.title(), "roleInOrg": "write"}],
            "auth": {"type": "access_token", "accessToken": {"displayName": "test", "role": role}},
        }
    )


@route("GET", "/api/{T}/{ID}/auth-check(?P<write>/write)?")
async def auth_check(hub: Hub, request: Request, kind: str, repo_id: str, write: str | None) -> Response:
    """Whether the caller may read, or write, a repository."""
    (hub.writable if write else hub.downloadable)(request, kind, repo_id)
    return JSONResponse({})


@route("POST", "/api/repos/create")
async def create_repo(hub: Hub, request: Request) -> Response:
    """Make a repository; where it exists the answer says where."""
    asked = json.loads(await hub.body(request))
    user = hub.caller(request)
    namespace = asked.get("organization") or user
    writer = hub.writer(request, namespace or "")
    repo_type = asked.get("type") or "model"
    if repo_type not in TYPES:
        raise HubError(400, f"Invalid repository type {repo_type}")
    repo_id = f"{namespace}/{asked['name']}"
    private = asked.get("visibility") == "private" or bool(asked.get("private"))
    url = f"{hub.endpoint}/{PREFIX[repo_type]}{repo_id}"
    files = {file["path"]: hub.entry(content_of(file)) for file in asked.get("files") or []}
    if repo_type == "space" and asked.get("sdk"):
        files.setdefault("README.md", hub.entry(f"---\ntitle: {asked['name']}\nsdk: {asked['sdk']}\n---\n".encode()))
    try:
        repo = hub.store.create(repo_type, repo_id, writer, private, asked.get("sdk"), files)
    except HubError as error:
        if error.status == 409:
            error.body = {"url": url}
        raise
    return JSONResponse({"url": url, "name": repo_id, "id": repo.key})


@route("DELETE", "/api/repos/delete")
async def delete_repo(hub: Hub, request: Request) -> Response:
    """Remove a repository."""
    asked = json.loads(await hub.body(request))
    repo_type = asked.get("type") or "model"
    namespace = asked.get("organization") or hub.caller(request)
    repo, _ = hub.writable(request, f"{repo_type}s", f"{namespace}/{asked['name']}")
    hub.store.delete(repo)
    return JSONResponse({})


@route("POST", "/api/repos/move")
async def move_repo(hub: Hub, request: Request) -> Response:
    """Rename a repository."""
    asked = json.loads(await hub.body(request))
    repo, _ = hub.writable(request, f"{asked.get('type') or 'model'}s", asked["fromRepo"])
    hub.writer(request, asked["toRepo"].partition("/")[0])
    hub.store.move(repo, asked["toRepo"])
    return JSONResponse({"url": f"{hub.endpoint}/{PREFIX[repo.type]}{repo.id}"})


@route("PUT", "/api/{T}/{ID}/settings")
async def settings(hub: Hub, request: Request, kind: str, repo_id: str) -> Response:
    """Change who may read a repository."""
    repo, _ = hub.writable(request, kind, repo_id)
    asked = json.loads(await hub.body(request))
    if "visibility" in asked or "private" in asked:
        repo.private = asked.get("visibility") == "private" or bool(asked.get("private"))
    if "gated" in asked:
        repo.gated = asked["gated"]
    hub.store.save(repo)
    return JSONResponse({"private": repo.private, "gated": repo.gated})


@route("GET", "/api/{T}")
async def list_repos(hub: Hub, request: Request, kind: str) -> Response:
    """List what the caller may read."""
    query, user = request.query_params, hub.caller(request)
    found = []
    for repo in hub.store.repos.values():
        if repo.type != repo_type_of(kind) or (repo.private and not (user and owns(user, repo.namespace))):
            continue
        info = _info(hub, repo, repo.resolve("main"), query.getlist("expand"), blobs=False)
        if query.get("author") and repo.namespace.lower() != query["author"].lower():
            continue
        if query.get("search") and query["search"].lower() not in repo.id.lower():
            continue
        tags = _tags(card_data(hub, repo.resolve("main")))
        if not set(query.getlist("filter")) <= set(tags):
            continue
        found.append((repo, info))
    order = {"createdAt": "created", "created_at": "created"}.get(query.get("sort", ""), "modified")
    found.sort(key=lambda pair: getattr(pair[0], order), reverse=True)
    return linked(request, [info for _, info in found], LIST_PAGE)


@route("GET HEAD", "/api/{T}/{ID}(?:/revision/{REV})?")
async def repo_info(hub: Hub, request: Request, kind: str, repo_id: str, revision: str | None) -> Response:
    """What a repository is and which files it holds."""
    repo = hub.readable(request, kind, repo_id)
    blobs = request.query_params.get("blobs", "").lower() == "true"
    commit = repo.resolve(revision or "main")
    return JSONResponse(_info(hub, repo, commit, request.query_params.getlist("expand"), blobs))


@route("POST", "/api/validate-yaml")
async def validate_yaml(hub: Hub, request: Request) -> Response:
    """Whether a card's metadata can be read."""
    asked = json.loads(await hub.body(request))
    try:
        metadata = _front_matter(asked.get("content", ""))
    except yaml.YAMLError as error:
        metadata, problem = None, f"Invalid YAML: {error}"
    else:
        problem = "" if isinstance(metadata, dict | None) else "metadata must be a mapping"
        problem = problem or _problem(metadata or {}, asked.get("repoType", "model"))
    if problem and "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse(f"- Error: {problem}", status_code=400)
    if problem:
        return JSONResponse({"errors": [{"message": problem}], "warnings": []}, status_code=400)
    warnings = [] if metadata else [{"message": "empty or missing yaml metadata in repo card"}]
    return JSONResponse({"errors": [], "warnings": warnings})


def _problem(metadata: dict[str, Any], repo_type: str) -> str:
    for name in ("tags", "metrics", "datasets"):
        value = metadata.get(name)
        if value is not None and not (
            isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))
        ):
            return f'"{name}" must be a string or an array of strings'
    for name in ("license", "library_name", "pipeline_tag", "license_name", "license_link"):
        if metadata.get(name) is not None and not isinstance(metadata[name], str):
            if name == "license" and isinstance(metadata[name], list):
                continue
            return f'"{name}" must be a string'
    licences = metadata.get("license") or []
    for licence in [licences] if isinstance(licences, str) else licences:
        if licence not in LICENCES:
            return f'"license" must be one of {sorted(LICENCES)}'
    index = metadata.get("model-index")
    if index is not None and repo_type == "model":
        if not isinstance(index, list):
            return '"model-index" must be an array'
        for number, one in enumerate(index):
            if not isinstance(one, dict) or not isinstance(one.get("name"), str):
                return f'"model-index[{number}].name" is required'
            if not isinstance(one.get("results"), list):
                return f'"model-index[{number}].results" must be an array'
            for result in one["results"]:
                if not (
                    isinstance(result, dict) and isinstance(result.get("task"), dict) and result["task"].get("type")
                ):
                    return f'"model-index[{number}].results[].task.type" is required'
                if "dataset" in result and not (result["dataset"].get("type") and result["dataset"].get("name")):
                    return f'"model-index[{number}].results[].dataset.type" and ".name" are required'
                for metric in result.get("metrics") or [{}]:
                    if not metric.get("type") or metric.get("value") is None:
                        return f'"model-index[{number}].results[].metrics[].type" and ".value" are required'
    return ""


def _front_matter(text: str) -> Any:
    found = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", text, re.DOTALL)
    return yaml.safe_load(found[1]) if found else None


def card_data(hub: Hub, commit: Commit) -> dict[str, Any]:
    entry = commit.tree.get("README.md")
    try:
        data = _front_matter(hub.store.read(entry).decode(errors="replace")) if entry else None
    except yaml.YAMLError:
        data = None
    return data if isinstance(data, dict) else {}


def _tags(card: dict[str, Any]) -> list[str]:
    tags = [tag for tag in card.get("tags") or [] if isinstance(tag, str)]
    for name in ("library_name", "pipeline_tag"):
        if isinstance(card.get(name), str):
            tags.append(card[name])
    for name in ("datasets", "license", "base_model", "language"):
        values = card.get(name) or []
        prefix = {"datasets": "dataset:", "license": "license:", "base_model": "base_model:"}.get(name, "")
        tags += [f"{prefix}{value}" for value in ([values] if isinstance(values, str) else values)]
    return list(dict.fromkeys(tags))


def _info(hub: Hub, repo: Repo, commit: Commit, expand: list[str], blobs: bool) -> dict[str, Any]:
    card = card_data(hub, commit)
    info: dict[str, Any] = {
        "_id": repo.key,
        "id": repo.id,
        "author": repo.namespace,
        "sha": commit.id,
        "lastModified": commit.date,
        "createdAt": repo.created,
        "private": repo.private,
        "disabled": False,
        "gated": repo.gated,
        "downloads": 0,
        "likes": 0,
        "tags": _tags(card),
        "usedStorage": sum(entry.size for entry in commit.tree.values()),
        "siblings": [_sibling(path, entry, blobs) for path, entry in commit.tree.items()],
    }
    if card:
        info["cardData"] = card
    if repo.type == "model":
        info["modelId"] = repo.id
        info |= {name: card[name] for name in ("pipeline_tag", "library_name") if isinstance(card.get(name), str)}
        if isinstance(card.get("model-index"), list):
            info["model-index"] = card["model-index"]
        config = commit.tree.get("config.json")
        if config is not None:
            try:
                content = json.loads(hub.store.read(config))
                info["config"] = {name: content[name] for name in ("architectures", "model_type") if name in content}
            except ValueError:
                pass
    if repo.type == "space":
        info |= {"sdk": repo.sdk or card.get("sdk"), "runtime": {"stage": "STOPPED", "hardware": {"current": None}}}
    if expand:
        return {"_id": repo.key, "id": repo.id} | {name: info[name] for name in expand if name in info}
    return info


def _sibling(path: str, entry: Entry, blobs: bool) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": path}
    if blobs:
        sibling |= {"size": entry.size, "blobId": entry.oid}
        if entry.lfs:
            sibling["lfs"] = {"size": entry.size, "sha256": entry.sha256, "pointerSize": entry.pointer_size}
    return sibling
