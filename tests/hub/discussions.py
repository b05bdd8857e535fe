"""Discussions and pull requests."""

import uuid
from typing import Any

from tests.hub.errors import HubError
from tests.hub.store import Commit, Discussion, Repo, Store, now


def open_one(
    store: Store,
    repo: Repo,
    author: str,
    title: str,
    description: str,
    base: Commit | None,
    target: str,
    draft: bool = False,
) -> Discussion:
    """Open a discussion, or with a base commit a pull request on a branch."""
    num = max(repo.discussions, default=0) + 1
    status = "draft" if draft and base else "open"
    made = Discussion(num, title, author, now(), base is not None, status, base.id if base else None, target)
    if description:
        made.events.append(_comment(author, description))
    repo.discussions[num] = made
    if base is not None:
        repo.refs[f"refs/pr/{num}"] = base.id
    store.save(repo)
    return made


def remove(store: Store, repo: Repo, discussion: Discussion) -> None:
    """Take back what was opened for a commit that then failed."""
    repo.discussions.pop(discussion.num)
    repo.refs.pop(f"refs/pr/{discussion.num}", None)
    store.save(repo)


def find(repo: Repo, num: int) -> Discussion:
    """Return a discussion.

    Raises:
        HubError: 404.
    """
    if num not in repo.discussions:
        raise HubError(404, f"Discussion {num} not found")
    return repo.discussions[num]


def note_commit(store: Store, repo: Repo, ref: str, commit: Commit) -> None:
    """Show a commit to `refs/pr/<num>` among what was said."""
    num = ref.removeprefix("refs/pr/")
    if num != ref and int(num) in repo.discussions:
        event = _event(commit.author, "commit", {"subject": commit.title, "oid": commit.id})
        repo.discussions[int(num)].events.append(event)
        store.save(repo)


def change(
    store: Store, repo: Repo, discussion: Discussion, user: str, what: str, asked: dict[str, Any]
) -> dict[str, Any]:
    """Comment, rename, close, open or merge; what happened.

    Raises:
        HubError: 400 for what cannot be, 409 for files that both sides have changed.
    """
    if what == "comment":
        event = _comment(user, asked["comment"])
    elif what == "title":
        event = _event(user, "title-change", {"from": discussion.title, "to": asked["title"]})
        discussion.title = asked["title"]
    elif what == "status":
        event = _event(user, "status-change", {"status": asked["status"]})
        discussion.status = asked["status"]
        if asked.get("comment"):
            discussion.events.append(_comment(user, asked["comment"]))
    else:
        event = _merge(store, repo, discussion, user, asked.get("comment"))
    discussion.events.append(event)
    store.save(repo)
    return event


def edit(
    store: Store, repo: Repo, discussion: Discussion, user: str, event_id: str, text: str | None
) -> dict[str, Any]:
    """Give a comment another text, or with `None` hide it; the comment.

    Raises:
        HubError: 404, or 403 for a comment of somebody else.
    """
    found = [event for event in discussion.events if event["id"] == event_id and event["type"] == "comment"]
    if not found:
        raise HubError(404, "Comment not found")
    event, data = found[0], found[0]["data"]
    if user not in (event["author"]["name"], repo.namespace):
        raise HubError(403, "This is somebody else's comment")
    if text is None:
        data["hidden"] = True
    else:
        data["latest"] = _comment(user, text)["data"]["latest"]
        data["history"] = [*data["history"], data["latest"]]
        data["edited"] = True
    store.save(repo)
    return event


def _merge(store: Store, repo: Repo, discussion: Discussion, user: str, comment: str | None) -> dict[str, Any]:
    if not discussion.is_pull_request or discussion.status in ("merged", "closed"):
        raise HubError(400, f"Discussion {discussion.num} cannot be merged")
    conflicts = _conflicts(repo, discussion)
    if conflicts:
        raise HubError(409, f"These files have changed on both sides: {', '.join(conflicts)}")
    base, ours = repo.commits[discussion.base or ""], repo.resolve(f"refs/pr/{discussion.num}")
    changes = [(path, entry) for path, entry in ours.tree.items() if base.tree.get(path) != entry]
    changes += [(path, None) for path in base.tree if path not in ours.tree]
    title = f"{discussion.title} (#{discussion.num})"
    made = store.commit(repo, f"refs/heads/{discussion.target}", changes, title, author=user)
    discussion.status, discussion.merge_commit = "merged", made.id
    if comment:
        discussion.events.append(_comment(user, comment))
    return _event(user, "status-change", {"status": "merged"})


def _conflicts(repo: Repo, discussion: Discussion) -> list[str]:
    base, ours = repo.commits[discussion.base or ""], repo.resolve(f"refs/pr/{discussion.num}")
    theirs = repo.resolve(discussion.target)
    paths = set(base.tree) | set(ours.tree) | set(theirs.tree)
    trees = (base.tree, ours.tree, theirs.tree)
    return sorted(path for path in paths if len({tree.get(path) for tree in trees}) == 3)


def summary(repo: Repo, discussion: Discussion) -> dict[str, Any]:
    """Return a discussion as it stands in a list."""
    return {
        "num": discussion.num,
        "title": discussion.title,
        "author": {"name": discussion.author},
        "createdAt": discussion.created,
        "status": discussion.status,
        "repo": {"name": repo.id, "type": repo.type},
        "isPullRequest": discussion.is_pull_request,
    }


def details(repo: Repo, discussion: Discussion) -> dict[str, Any]:
    """Return a discussion with all that was said, and of a pull request what it would change."""
    answer = {**summary(repo, discussion), "events": discussion.events}
    if discussion.is_pull_request:
        is_open = discussion.status in ("open", "draft")
        answer["filesWithConflicts"] = _conflicts(repo, discussion) if is_open else []
        answer["changes"] = {"base": f"refs/heads/{discussion.target}", "mergeCommitId": discussion.merge_commit}
        answer["diff"] = ""
    return answer


def _comment(author: str, text: str) -> dict[str, Any]:
    latest = {"raw": text, "html": "", "updatedAt": now(), "author": {"name": author}}
    return _event(author, "comment", {"edited": False, "hidden": False, "latest": latest, "history": [latest]})


def _event(author: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"id": uuid.uuid4().hex[:24], "type": kind, "author": {"name": author}, "createdAt": now(), "data": data}
