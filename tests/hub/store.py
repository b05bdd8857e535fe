"""Repositories as the Hub keeps them: content by its hash, commits, branches, tags, pull requests; all in one folder.

Every write is a whole file under a temporary name that is then renamed, and a repository's state is one JSON file, so a
reader sees a commit or none of it.
"""

import datetime
import hashlib
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.hub.errors import HubError

TYPES = ("model", "dataset", "space")
PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/"}
#: What the Hub's own `.gitattributes` sends to LFS.
LFS_PATTERNS = [
    "*.7z",
    "*.arrow",
    "*.bin",
    "*.bz2",
    "*.ckpt",
    "*.ftz",
    "*.gz",
    "*.h5",
    "*.joblib",
    "*.lfs.*",
    "*.mlmodel",
    "*.model",
    "*.msgpack",
    "*.npy",
    "*.npz",
    "*.onnx",
    "*.ot",
    "*.parquet",
    "*.pb",
    "*.pickle",
    "*.pkl",
    "*.pt",
    "*.pth",
    "*.rar",
    "*.safetensors",
    "saved_model/**/*",
    "*.tar.*",
    "*.tar",
    "*.tflite",
    "*.tgz",
    "*.wasm",
    "*.xz",
    "*.zip",
    "*.zst",
    "*tfevents*",
]
DATASET_LFS_PATTERNS = [
    "*.pcm",
    "*.sam",
    "*.raw",
    "*.aac",
    "*.flac",
    "*.mp3",
    "*.ogg",
    "*.wav",
    "*.bmp",
    "*.gif",
    "*.png",
    "*.tiff",
    "*.jpg",
    "*.jpeg",
    "*.webp",
]
REGULAR_LIMIT = 10_000_000  # bytes; larger files go to LFS whatever their name
_NAME = re.compile(r"^(?!.*(?:--|\.\.))[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}(?<![.-])$")
_REF = re.compile(r"^(?!.*(?:\.\.|//|@\{|\\))[^\s~^:?*\[\x00-\x20/][^\s~^:?*\[\x00-\x20]*(?<![/.])$")
_SHA = re.compile(r"^[0-9a-f]{5,40}$")


def now() -> str:
    """Return the time as the Hub writes it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def git_sha1(content: bytes) -> str:
    """Return the id that git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A file of a commit: its git id (of the pointer, for LFS), bytes, SHA-256, and whether it is in LFS."""

    oid: str
    size: int
    sha256: str
    lfs: bool

    @property
    def etag(self) -> str:
        """The id by which clients cache it."""
        return self.sha256 if self.lfs else self.oid

    @property
    def pointer_size(self) -> int:
        """Bytes of the LFS pointer."""
        return len(pointer(self.sha256, self.size))


def pointer(sha256: str, size: int) -> bytes:
    """Return the text that stands for an LFS file in git."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


@dataclass(frozen=True)
class Commit:
    """A commit: the whole tree, by path."""

    id: str
    parent: str | None
    title: str
    message: str
    date: str
    author: str
    tree: dict[str, Entry]


@dataclass
class Discussion:
    """A discussion or, with `base`, a pull request from `refs/pr/<num>`."""

    num: int
    title: str
    author: str
    created: str
    is_pull_request: bool
    status: str
    base: str | None = None
    target: str = "main"
    merge_commit: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Repo:
    """A repository; `refs` are full names (`refs/heads/main`, `refs/tags/v1`, `refs/pr/1`) and their commits."""

    type: str
    id: str
    key: str
    private: bool
    created: str
    modified: str
    gated: Any = False
    sdk: str | None = None
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    discussions: dict[int, Discussion] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """User or organisation."""
        return self.id.partition("/")[0]

    def resolve(self, revision: str) -> Commit:
        """Return the commit of a branch, tag, full ref or id (whole, or its first digits).

        Raises:
            HubError: 404 RevisionNotFound.
        """
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if name in self.refs:
                return self.commits[self.refs[name]]
        if revision == "HEAD":
            return self.resolve("main")
        if _SHA.match(revision):
            found = [commit for commit in self.commits if commit.startswith(revision)]
            if len(found) == 1:
                return self.commits[found[0]]
        raise HubError(404, f"Invalid rev id: {revision}", code="RevisionNotFound")

    def history(self, commit: Commit) -> Iterator[Commit]:
        """Yield a commit and those before it, newest first."""
        current: Commit | None = commit
        while current is not None:
            yield current
            current = self.commits[current.parent] if current.parent else None


class Store:
    """All repositories under one folder.

    Args:
        root (`Path`): The folder; created if need be, read again if it is there.
    """

    def __init__(self, root: Path):
        self.root = root
        self.objects = root / "objects"
        self.incoming = root / "incoming"
        shutil.rmtree(self.incoming, ignore_errors=True)
        for folder in (self.objects, self.incoming, root / "repos"):
            folder.mkdir(parents=True, exist_ok=True)
        self.repos: dict[tuple[str, str], Repo] = {}
        #: Old name -> new name of what was moved, by type.
        self.moved: dict[tuple[str, str], str] = {}
        for path in sorted((root / "repos").glob("*.json")):
            repo = _read(json.loads(path.read_text()))
            self.repos[repo.type, repo.id.lower()] = repo

    # Content

    def path_of(self, sha256: str) -> Path:
        """Return where content of a hash lies."""
        return self.objects / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether content is here."""
        return bool(re.fullmatch(r"[0-9a-f]{64}", sha256)) and self.path_of(sha256).is_file()

    def put(self, content: bytes) -> str:
        """Keep content; its SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.has(sha256):
            handle, name = tempfile.mkstemp(dir=self.incoming)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            self.take(Path(name), sha256)
        return sha256

    def take(self, path: Path, sha256: str) -> None:
        """Keep a file whose hash is known."""
        target = self.path_of(sha256)
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)

    def read(self, entry: Entry) -> bytes:
        """Return the content of a file."""
        return self.path_of(entry.sha256).read_bytes()

    # Repositories

    def get(self, repo_type: str, repo_id: str) -> Repo:
        """Return a repository, under its old name too.

        Raises:
            HubError: 404 RepoNotFound.
        """
        key = repo_type, repo_id.lower()
        for _ in range(5):
            if key in self.repos:
                return self.repos[key]
            key = repo_type, self.moved.get(key, "").lower()
        raise HubError(404, "Repository not found", code="RepoNotFound")

    def create(
        self,
        repo_type: str,
        repo_id: str,
        author: str,
        private: bool = False,
        sdk: str | None = None,
        files: dict[str, Entry] | None = None,
    ) -> Repo:
        """Make a repository whose first commit holds `.gitattributes`, as the Hub does, and what else is given.

        Raises:
            HubError: 400 for a bad name, 409 where it exists.
        """
        namespace, _, name = repo_id.partition("/")
        if not (_NAME.match(namespace) and _NAME.match(name)) or name.endswith((".git", ".ipynb")):
            raise HubError(400, f"Invalid name: {repo_id}")
        if (repo_type, repo_id.lower()) in self.repos:
            raise HubError(409, f"You already created this {repo_type} repo")
        repo = Repo(repo_type, repo_id, uuid.uuid4().hex[:24], private, now(), now(), sdk=sdk)
        patterns = LFS_PATTERNS + (DATASET_LFS_PATTERNS if repo_type == "dataset" else [])
        attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in patterns).encode()
        self.repos[repo_type, repo_id.lower()] = repo
        entry = Entry(git_sha1(attributes), len(attributes), self.put(attributes), lfs=False)
        tree = {".gitattributes": entry, **(files or {})}
        self.add_commit(repo, "refs/heads/main", None, tree, "initial commit", "", author)
        return repo

    def delete(self, repo: Repo) -> None:
        """Remove a repository."""
        del self.repos[repo.type, repo.id.lower()]
        self._file(repo).unlink(missing_ok=True)

    def move(self, repo: Repo, new_id: str) -> None:
        """Give a repository another name; the old one leads to it.

        Raises:
            HubError: 409 where the new name is taken.
        """
        if (repo.type, new_id.lower()) in self.repos:
            raise HubError(409, f"A {repo.type} repository called {new_id} already exists")
        self.delete(repo)
        self.moved[repo.type, repo.id.lower()] = new_id
        repo.id = new_id
        self.repos[repo.type, new_id.lower()] = repo
        self.save(repo)

    def save(self, repo: Repo) -> None:
        """Write a repository's state."""
        handle, name = tempfile.mkstemp(dir=self.incoming)
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(repo), file)
        os.replace(name, self._file(repo))

    def _file(self, repo: Repo) -> Path:
        return self.root / "repos" / f"{repo.key}.json"

    # Commits

    def commit(
        self,
        repo: Repo,
        ref: str,
        changes: Iterable[tuple[str, Entry | None]],
        title: str,
        message: str = "",
        *,
        author: str,
        parent: str | None = None,
    ) -> Commit:
        """Add a commit to a ref.

        Args:
            repo: The repository.
            ref: Full name.
            changes: Path and its new entry, or `None` for a file or folder that goes (a folder's may end in `/`).
            title, message, author: Of the commit.
            parent: The commit that the author saw.

        Raises:
            HubError: 412 if the ref has moved on, 400 for a file that is not there.
        """
        head = self.resolve_ref(repo, ref)
        if parent is not None and not head.id.startswith(parent.lower()):
            raise HubError(412, "The branch was updated since you opened this page. Please refresh and try again.")
        tree = dict(head.tree)
        for path, entry in changes:
            if entry is not None:
                _check_path(path, tree)
                tree[path] = entry
            elif tree.pop(path, None) is None:
                inside = [name for name in tree if name.startswith(f"{path.rstrip('/')}/")]
                if not inside and not path.endswith("/"):
                    raise HubError(400, f'A file with the name "{path}" does not exist')
                for name in inside:
                    del tree[name]
        return self.add_commit(repo, ref, head.id, tree, title, message, author)

    def resolve_ref(self, repo: Repo, ref: str) -> Commit:
        """Return the head of a full ref.

        Raises:
            HubError: 404 RevisionNotFound.
        """
        if ref not in repo.refs:
            raise HubError(404, f"Invalid rev id: {ref}", code="RevisionNotFound")
        return repo.commits[repo.refs[ref]]

    def squash(self, repo: Repo, ref: str, message: str, author: str) -> Commit:
        """Make one commit of a branch's whole history."""
        head = self.resolve_ref(repo, ref)
        return self.add_commit(repo, ref, None, head.tree, message or "Super-squash branch", "", author)

    def add_commit(
        self, repo: Repo, ref: str, parent: str | None, tree: dict[str, Entry], title: str, message: str, author: str
    ) -> Commit:
        """Put a commit of a whole tree on a ref, whatever that held before."""
        content = {"parent": parent, "tree": {path: asdict(entry) for path, entry in sorted(tree.items())}}
        words = json.dumps([content, title, message, author, now(), uuid.uuid4().hex])
        commit_id = hashlib.sha1(words.encode()).hexdigest()
        commit = Commit(commit_id, parent, title, message, now(), author, dict(sorted(tree.items())))
        repo.commits[commit_id] = commit
        repo.refs[ref] = commit_id
        repo.modified = commit.date
        self.save(repo)
        return commit

    def text_of(self, commit: Commit, path: str) -> str:
        """Return a text file of a commit, empty where it is not there."""
        entry = commit.tree.get(path)
        return "" if entry is None else self.read(entry).decode(errors="replace")

    def is_lfs(self, rules: str, path: str, size: int) -> bool:
        """Whether a file goes to LFS, by the text of `.gitattributes` or its size."""
        if size == 0 or path == ".gitattributes":
            return False
        for line in rules.splitlines():
            pattern, *attributes = line.split() or [""]
            if "filter=lfs" in attributes and (fnmatch(path, pattern) or fnmatch(path.rpartition("/")[2], pattern)):
                return True
        return size > REGULAR_LIMIT

    def is_ignored(self, rules: str, path: str) -> bool:
        """Whether the text of a `.gitignore` leaves a file out; the last line that fits decides."""
        parts, ignored = path.split("/"), False
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        for line in rules.splitlines():
            pattern = line.strip().removeprefix("!").strip("/")
            candidates = above if "/" in pattern or line.strip().startswith(("/", "!/")) else parts
            if pattern and not line.startswith("#") and any(fnmatch(one, pattern) for one in candidates):
                ignored = not line.startswith("!")
        return ignored

    def check_ref_name(self, name: str) -> None:
        """Raise 400 for what git takes for no name of a branch or tag."""
        if not _REF.match(name) or name.endswith(".lock") or (_SHA.fullmatch(name) and len(name) == 40):
            raise HubError(400, "Invalid reference for a branch")


def _check_path(path: str, tree: dict[str, Entry]) -> None:
    parts = path.split("/")
    if path.startswith("..\\"):
        raise HubError(422, f'Invalid path in repo: "{path}"')
    if not path or path.startswith("/") or any(part in ("", ".", "..", ".git") for part in parts):
        raise HubError(400, f'Invalid path in repo: "{path}"')
    for depth in range(1, len(parts)):
        if "/".join(parts[:depth]) in tree:
            raise HubError(400, f'"{path}" lies under a file')


def _read(state: dict[str, Any]) -> Repo:
    commits = {
        name: Commit(**{**one, "tree": {path: Entry(**entry) for path, entry in one["tree"].items()}})
        for name, one in state.pop("commits").items()
    }
    discussions = {int(num): Discussion(**one) for num, one in state.pop("discussions").items()}
    return Repo(**state, commits=commits, discussions=discussions)
