"""A finished run's folder to the Hub: what is looked at before anything is sent, and the card as it stands there."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from mgc_hf.cards.card import FOLDER, address, render_card
from mgc_hf.cards.signature import is_as_generated
from mgc_hf.errors import RecordError
from mgc_hf.hub.committing import CARD, PushResult, publish
from mgc_hf.hub.contents import Content, check_metadata, is_published, list_contents, refuse_secrets
from mgc_hf.hub.failures import explained
from mgc_hf.hub.targets import check_name, check_ref, check_tag, check_target
from mgc_hf.hub.trial import try_folder
from mgc_hf.results import RunResult


def push(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    tag: str | None = None,
    card: Literal["keep", "overwrite"] | None = None,
    commit_message: str | None = None,
    token: str | None = None,
    timeout: float = 60.0,
    tell: Callable[[Sequence[Content]], None] | None = None,
) -> PushResult:
    """Publish a finished run.

    What goes is `PUBLISHED`, the card in a copy whose examples name the repository; what is published there and is no
    longer in the folder goes away, so that a page never mixes two runs. Before anything is sent the folder is searched
    for secrets and loaded once in a new process; after the commit its files are read back and compared. Where nothing
    has changed there is no commit.

    Args:
        folder (`str` or `Path`): The folder of a finished run.
        repo_id (`str`): `namespace/name`; made if it is not there.
        private (`bool`, *optional*, defaults to `False`): Make a new repository private.
        revision (`str`, *optional*): Branch; made from `main` if it is not there. `main` by default.
        create_pr (`bool`, *optional*, defaults to `False`): Open a pull request in place of a commit.
        tag (`str`, *optional*): Tag for the commit.
        card (`str`, *optional*): What becomes of edits that somebody made to the card on the Hub: `keep` or
            `overwrite` them; by default they stop the push, unless the generated card is the one that was edited.
        commit_message (`str`, *optional*): First line of the commit.
        token (`str`, *optional*): Token; the one that is stored or in `HF_TOKEN` by default.
        timeout (`float`, *optional*, defaults to 60.0): Seconds to wait in all for a Hub that is busy.
        tell (`Callable`, *optional*): Is called with what goes, before anything is sent.

    Returns:
        [`PushResult`]

    Raises:
        PublishError: One sentence that says what to do. The branch is as it was, or holds the whole commit; a repository
            that was made for it may stay, empty.
    """
    from huggingface_hub import HfApi

    folder = Path(folder)
    check_name(repo_id)
    check_tag(tag, create_pr)
    if revision is not None:
        check_ref("--revision", revision)
    endpoint = HfApi().endpoint
    with explained(repo_id, endpoint), tempfile.TemporaryDirectory(prefix="mgc_hf-") as own:
        contents = list_contents(folder)
        refuse_secrets(contents)
        check_metadata(contents)
        token = check_target(repo_id, token)
        try_folder(folder)
        if tell is not None:
            tell(contents)
        return publish(
            [_addressed(content, repo_id, endpoint, Path(own)) for content in contents],
            repo_id,
            is_published=is_published,
            private=private,
            revision=revision,
            create_pr=create_pr,
            tag=tag,
            card=card,
            commit_message=commit_message or f"{folder.resolve().name}: model, results and card",
            token=token,
            timeout=timeout,
        )


def _addressed(content: Content, repo_id: str, endpoint: str, own: Path) -> Content:
    """Return a content as it stands on the Hub: the card in a copy that names the repository, others as they are."""
    if content.path != CARD:
        return content
    text = content.file.read_text(encoding="utf-8")
    if FOLDER not in text and is_as_generated(text):  # it stands for another repository, or for this one already
        with suppress(RecordError):  # a record of another version: the card is as it is
            text = render_card(RunResult.load(content.file.with_name("results.json")))
    copy = own / CARD
    copy.write_text(address(text, repo_id, endpoint), encoding="utf-8")
    return Content(CARD, copy, copy.stat().st_size)
