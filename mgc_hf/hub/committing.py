"""Files to a repository of the Hub, in one commit that is either there as a whole or not at all."""

import difflib
import hashlib
import io
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mgc_hf.cards.companions import LICENCE_FILE, licence_text
from mgc_hf.cards.signature import is_as_generated, signature
from mgc_hf.errors import PublishError
from mgc_hf.hub.contents import Content
from mgc_hf.hub.failures import explained
from mgc_hf.hub.targets import check_tag
from mgc_hf.hub.waiting import STATUSES, limited_waiting

T = TypeVar("T")
#: Is told a repository's files by path, and what fetches one of them.
CheckTree = Callable[[Mapping[str, Any], Callable[[str], Path]], bool]
CARD = "README.md"
#: Commits that are tried on a head that others have moved.
_TRIES = 4
#: Commits that are looked through for the card that somebody has edited.
_LOOKED_BACK = 20


@dataclass(frozen=True)
class PushResult:
    """What a push came to.

    Args:
        url (`str`): Page of the repository, the commit or the pull request.
        commit (`str`): Id of the commit, 40 hexadecimal digits; the head where nothing had changed.
        written, deleted (`tuple[str, ...]`): Paths that the commit changed.
        kept_card (`bool`): Whether somebody's edits to the card were kept.
    """

    url: str
    commit: str
    written: tuple[str, ...]
    deleted: tuple[str, ...]
    kept_card: bool


def publish(
    contents: list[Content],
    repo_id: str,
    *,
    is_published: Callable[[str], bool],
    commit_message: str,
    repo_type: str = "model",
    space_sdk: str | None = None,
    check_tree: CheckTree | None = None,
    private: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    tag: str | None = None,
    card: str | None = None,
    token: str | None = None,
    timeout: float = 60.0,
) -> PushResult:
    """Make one commit of files: what a push does once it knows them.

    Args:
        contents (`list[Content]`): What the repository shall hold, a card (`README.md`) among it.
        repo_id (`str`): `namespace/name`; made if it is not there.
        is_published (`Callable`): Whether a path of the repository is one that such a push writes. What is there under
            such a path and is not in `contents` goes away; all else stays.
        commit_message (`str`): First line of the commit.
        repo_type (`str`, *optional*, defaults to `"model"`): `model`, `dataset` or `space`.
        space_sdk (`str`, *optional*): What a new Space runs on.
        check_tree (`Callable`, *optional*): Called with the files that are there, by path, and with what fetches one
            of them, before anything is sent; raises [`PublishError`] where they must not be touched.
        private, revision, create_pr, tag, card, token, timeout: As for [`mgc_hf.hub.push`].

    Returns:
        [`PushResult`]

    Raises:
        PublishError: One sentence that says what to do. The branch is as it was, or holds the whole commit; a repository
            that was made for it may stay, empty.
    """
    from huggingface_hub import HfApi

    check_tag(tag, create_pr)
    api = HfApi(token=token, library_name="mgc_hf")
    with explained(repo_id, api.endpoint), limited_waiting(timeout) as patience:
        work = _Push(
            api, repo_id, repo_type, contents, is_published, revision, create_pr, card, space_sdk, check_tree, patience
        )
        return work.run(private, tag, commit_message)


class _Push:
    def __init__(
        self,
        api: Any,
        repo_id: str,
        repo_type: str,
        contents: list[Content],
        is_published: Callable[[str], bool],
        revision: str | None,
        create_pr: bool,
        card: str | None,
        space_sdk: str | None,
        check_tree: CheckTree | None,
        patience: Any,
    ):
        self.api, self.repo_id, self.patience = api, repo_id, patience
        #: The repository, as the client's methods want it.
        self.repo = {"repo_id": repo_id, "repo_type": repo_type}
        self.is_published = is_published
        self.contents = {content.path: content for content in contents}
        self.revision, self.create_pr, self.card = revision or "main", create_pr, card
        self.ids = {content.path: git_and_lfs_ids(content.file) for content in contents}
        self.sent: tuple[tuple[str, ...], tuple[str, ...]] = (), ()
        self.space_sdk, self.check_tree, self.is_new = space_sdk, check_tree, False

    def run(self, private: bool, tag: str | None, message: str) -> PushResult:
        self._prepare_repository(private)
        first_tree: Mapping[str, Any] | None = None
        self.lost_races = 0
        while self.lost_races < _TRIES:
            head = self._patiently(lambda: self.api.repo_info(**self.repo, revision=self.revision)).sha
            tree = self._tree(head)
            if self.check_tree is not None:
                self.is_new = self.check_tree(tree, lambda path, head=head: self._fetch(path, head))  # type: ignore[misc]
            if first_tree is not None:
                self._refuse_their_changes(first_tree, tree)
            first_tree = first_tree or tree
            writes, deletes, kept_card = self._changes(head, tree)
            if not writes and not deletes:
                prefix = "" if self.repo["repo_type"] == "model" else f"{self.repo['repo_type']}s/"
                page = f"{self.api.endpoint}/{prefix}{self.repo_id}"
                page += "" if self.revision == "main" else f"/tree/{self.revision}"
                return self._finish(page, head, *self.sent, kept_card, tag)
            if self.create_pr and (known := self._open_request(message)) is not None:
                return self._finish(*known, *self.sent, kept_card, tag)
            if tag is not None:
                self._refuse_taken(tag)
            made = self._commit(head, writes, deletes, message, is_ignoring=".gitignore" in tree)
            if made is not None:
                self._check(made.oid, writes, deletes)
                url = made.pr_url or made.commit_url
                return self._finish(url, made.oid, tuple(writes), tuple(deletes), kept_card, tag)
        raise PublishError(
            f"{self.repo_id}: others commit to {self.revision} all the time, and {_TRIES} tries came too late; push again"
        )

    def _prepare_repository(self, private: bool) -> None:
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        try:
            info = self._patiently(lambda: self.api.repo_info(**self.repo))
        except RepositoryNotFoundError:
            try:
                made = {**self.repo, "space_sdk": self.space_sdk, "private": private, "exist_ok": True}
                self._patiently(lambda: self.api.create_repo(**made))
            except KeyError as error:  # a 409 without the address of what is there
                raise PublishError(f"{self.repo_id}: the name is taken; choose another") from error
            # somebody else may have made it just before
            info = self._patiently(lambda: self.api.repo_info(**self.repo)) if private else None
        if private and info is not None and not info.private:
            raise PublishError(
                f"{self.repo_id}: exists and is public, so --private would not hide it; make it private in its "
                "settings on the Hub first, or name another repository"
            )
        if self.revision != "main" and not self.create_pr:
            try:
                self._patiently(lambda: self.api.repo_info(**self.repo, revision=self.revision))
            except RevisionNotFoundError:
                self._patiently(lambda: self.api.create_branch(**self.repo, branch=self.revision, exist_ok=True))

    def _fetch(self, path: str, commit: str) -> Path:
        return Path(self.api.hf_hub_download(**self.repo, filename=path, revision=commit))

    def _patiently(self, work: Callable[[], T]) -> T:
        """Ask again, within the limit of waiting, what huggingface_hub asks once; what is done twice does no harm."""
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError

        while True:
            try:
                return work()
            except httpx2.ConnectError:
                raise
            except (httpx2.TransportError, HfHubHTTPError) as error:
                self._wait_out(error)

    def _wait_out(self, error: Any) -> None:
        """Sleep where a lost connection or a busy Hub is worth another try, else raise."""
        response = getattr(error, "response", None)
        if response is not None and response.status_code not in STATUSES:
            raise error
        time.sleep(self.patience.wait)

    def _tree(self, commit: str) -> dict[str, Any]:
        items = self.api.list_repo_tree(**self.repo, revision=commit, recursive=True)
        return {item.path: item for item in items if hasattr(item, "blob_id")}

    def _changes(self, head: str, tree: Mapping[str, Any]) -> tuple[list[str], list[str], bool]:
        """Return the paths to write and to delete, and whether edits to the card stay."""
        writes = [path for path in self.contents if not self._is_ours(tree, path)]
        deletes = [path for path in tree if self.is_published(path) and path not in self.contents]
        self._spare_their_licence(tree, writes, deletes)
        foreign = [path for path in (*writes, *deletes) if path in tree and path not in (CARD, LICENCE_FILE)]
        if foreign and CARD not in tree and self.card is None:
            raise PublishError(
                f"{self.repo_id}: holds {', '.join(foreign[:5])} and no card, so it was not published from here; name "
                "another repository, or push with --card overwrite to replace them"
            )
        kept_card = CARD in writes and CARD in tree and not self._may_overwrite_card(head)
        if kept_card:
            writes.remove(CARD)
        return writes, deletes, kept_card

    def _open_request(self, message: str) -> tuple[str, str] | None:
        """Return address and commit of an open pull request that holds what would be sent: its reply was lost, or the
        same command was given before."""
        title = message.splitlines()[0]
        found = self._patiently(
            lambda: [
                one
                for one in self.api.get_repo_discussions(
                    **self.repo, discussion_type="pull_request", discussion_status="open"
                )
                if one.title == title
            ]
        )
        for one in found:
            head = self._patiently(
                lambda one=one: self.api.repo_info(**self.repo, revision=f"refs/pr/{one.num}")  # type: ignore[misc]
            ).sha
            tree = self._tree(head)
            if all(self._is_ours(tree, path) for path in {*self.contents, *filter(self.is_published, tree)}):
                return one.url, head
        return None

    def _spare_their_licence(self, tree: Mapping[str, Any], writes: list[str], deletes: list[str]) -> None:
        """Leave a licence that somebody put on the Hub: only one of their own takes its place."""
        generated = set(git_and_lfs_ids(licence_text()))
        if LICENCE_FILE not in tree or remote_id(tree[LICENCE_FILE]) in generated:
            return
        if LICENCE_FILE in deletes:
            deletes.remove(LICENCE_FILE)
        elif LICENCE_FILE in writes and set(self.ids[LICENCE_FILE]) == generated:
            writes.remove(LICENCE_FILE)

    def _may_overwrite_card(self, head: str) -> bool:
        """Whether the card on the Hub may go: nobody has edited it, or the user says so.

        Raises:
            PublishError: Somebody has, and there is a new text: shows the edits.
        """
        theirs = self._fetch(CARD, head).read_text(encoding="utf-8", errors="replace")
        ours = self.contents[CARD].file.read_text(encoding="utf-8")
        if self.card == "overwrite" or self.is_new or is_as_generated(theirs):
            return True
        if self.card == "keep" or (signature(theirs) is not None and signature(theirs) == signature(ours)):
            return False
        lines = list(
            difflib.unified_diff(
                self._card_before_edits(head, theirs, ours).splitlines(),
                theirs.splitlines(),
                "generated",
                "on the Hub",
                lineterm="",
                n=0,
            )
        )
        error = PublishError(
            f"{self.repo_id}: its card was edited on the Hub, and there is a new one. Push with --card keep or --card "
            "overwrite, or move the edits. What differs:"
        )
        error.attached = "\n".join(lines[:40] + [f"... and {len(lines) - 40} lines more"] * (len(lines) > 40))
        raise error

    def _card_before_edits(self, head: str, theirs: str, ours: str) -> str:
        """Return the generated card that somebody has edited, from the history; the new one where it is not found."""
        from huggingface_hub.errors import EntryNotFoundError

        for commit in self.api.list_repo_commits(**self.repo, revision=head)[1:_LOOKED_BACK]:
            try:
                text = self._fetch(CARD, commit.commit_id).read_text(encoding="utf-8", errors="replace")
            except EntryNotFoundError:
                break
            if is_as_generated(text) and signature(text) == signature(theirs):
                return text
        return ours

    def _commit(self, head: str, writes: list[str], deletes: list[str], message: str, is_ignoring: bool) -> Any:
        """Commit on top of `head`; `None` where it must be tried again: the branch has moved on, or the Hub is busy."""
        import httpx2
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete
        from huggingface_hub.errors import HfHubHTTPError

        operations = [
            *(CommitOperationAdd(path, str(self.contents[path].file)) for path in writes),
            *(CommitOperationDelete(path, is_folder=False) for path in deletes),
        ]
        self.sent = tuple(writes), tuple(deletes)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*about to commit a data file")  # the predictions
                if is_ignoring:
                    self._refuse_ignored(operations[: len(writes)])
                return self.api.create_commit(
                    **self.repo,
                    operations=operations,
                    commit_message=message,
                    revision=self.revision,
                    parent_commit=head,
                    create_pr=self.create_pr,
                )
        except (httpx2.TransportError, HfHubHTTPError) as error:
            if isinstance(error, HfHubHTTPError) and error.response.status_code == 412:
                self.lost_races += 1
            else:  # perhaps the commit was made, and its reply lost: the head will tell
                self._wait_out(error)
            return None

    def _refuse_ignored(self, additions: list[Any]) -> None:
        """Stop where the repository's `.gitignore` names our files: the client would leave them out of the commit.

        Raises:
            PublishError: Names the files.
        """
        self.api.preupload_lfs_files(
            **self.repo, additions=additions, revision=self.revision, create_pr=self.create_pr, free_memory=False
        )
        ignored = [addition.path_in_repo for addition in additions if addition._should_ignore]
        if ignored:
            raise PublishError(
                f"{self.repo_id}: its .gitignore leaves out {', '.join(ignored)}; change it on the Hub, then push again"
            )

    def _refuse_their_changes(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Stop if somebody else has meanwhile changed a file that this push writes to something else.

        Raises:
            PublishError: Names the files.
        """
        theirs = [
            path
            for path in {*before, *now}
            if self.is_published(path) and _id_at(before, path) != _id_at(now, path) and not self._is_ours(now, path)
        ]
        if theirs:
            raise PublishError(
                f"{self.repo_id}: somebody else has changed {', '.join(sorted(theirs))} during this push; look at it on "
                "the Hub, then push again to replace it"
            )

    def _is_ours(self, tree: Mapping[str, Any], path: str) -> bool:
        """Whether a path of the Hub's tree holds what is published there, or nothing where nothing is."""
        if path not in self.contents:
            return path not in tree
        return path in tree and remote_id(tree[path]) in self.ids[path]

    def _check(self, commit: str, writes: list[str], deletes: list[str]) -> None:
        tree = self._tree(commit)
        wrong = [path for path in (*writes, *deletes) if not self._is_ours(tree, path)]
        if wrong:
            raise PublishError(
                f"{self.repo_id}: commit {commit} does not hold what was sent ({', '.join(wrong)}); did a file "
                "change meanwhile? Push again"
            )

    def _finish(
        self, url: str, commit: str, written: tuple[str, ...], deleted: tuple[str, ...], kept: bool, tag: str | None
    ) -> PushResult:
        if tag is not None:
            self._tag(tag, commit)
        return PushResult(url, commit, written, deleted, kept)

    def _refuse_taken(self, tag: str) -> None:
        """Refuse, before there is a commit for it, a tag that names another one.

        Raises:
            PublishError: Says what to do.
        """
        if self._tagged(tag) is not None:
            raise PublishError(
                f"{self.repo_id}: the tag {tag} is there and names another commit; choose another tag, or delete it on the Hub"
            )

    def _tag(self, tag: str, commit: str) -> None:
        from huggingface_hub.errors import HfHubHTTPError

        try:
            self._patiently(lambda: self.api.create_tag(**self.repo, tag=tag, revision=commit))
        except HfHubHTTPError as error:
            if error.response.status_code != 409:
                raise
            if self._tagged(tag) != commit:
                raise PublishError(
                    f"{self.repo_id}: the commit is there ({commit}), but the tag {tag} names another one; choose "
                    "another tag, or delete it on the Hub"
                ) from error

    def _tagged(self, tag: str) -> str | None:
        """Return the commit that a tag names, `None` where there is no such tag."""
        refs = self._patiently(lambda: self.api.list_repo_refs(**self.repo))
        return next((known.target_commit for known in refs.tags if known.name == tag), None)


def git_and_lfs_ids(file: Path | bytes) -> tuple[str, str]:
    """Return the ids that the Hub may give a file or its content: git's SHA-1 and, in LFS, the SHA-256."""
    size = len(file) if isinstance(file, bytes) else file.stat().st_size
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size)
    with io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb") as stream:
        while block := stream.read(2**20):
            sha256.update(block)
            sha1.update(block)
    return sha1.hexdigest(), sha256.hexdigest()


def remote_id(item: Any) -> str:
    """Return the id by which the Hub knows the content of a file of a tree, one of its [`git_and_lfs_ids`]."""
    return item.lfs.sha256 if item.lfs else item.blob_id


def _id_at(tree: Mapping[str, Any], path: str) -> str | None:
    return remote_id(tree[path]) if path in tree else None
