"""`mgc-hf push`: a finished run's folder to the Hub."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from mgc_hf.cli.publishing import Card, CommitMessage, CreatePr, Private, Revision, Tag, Timeout


def push_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a finished run.")],
    repo_id: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repository; made if it is not there.")],
    dry_run: Annotated[
        bool, typer.Option("--dry_run", help="Only list what would go; needs no network and no token.")
    ] = False,
    private: Private = False,
    revision: Revision = None,
    create_pr: CreatePr = False,
    tag: Tag = None,
    card: Card = None,
    message: CommitMessage = None,
    with_space: Annotated[
        bool,
        typer.Option("--with_space", help="Also publish a page that hears it: Space ORG/NAME-demo."),
    ] = False,
    timeout: Timeout = 60.0,
) -> None:
    """Publish model, results, pictures and card of a finished run, in one commit.

    Exit status: 0 when all is published, 1 when it could not be, 2 for wrong usage.
    """
    from huggingface_hub.utils import disable_progress_bars

    from mgc_hf.cli.console import tell_contents, tell_result
    from mgc_hf.errors import OptionError
    from mgc_hf.hub import list_contents, push
    from mgc_hf.hub.contents import check_metadata, refuse_secrets
    from mgc_hf.hub.space import check_space
    from mgc_hf.hub.targets import check_name

    if with_space:
        if create_pr or revision not in (None, "main"):
            raise OptionError("--with_space: the Space hears what is on main; push there, or leave --with_space out")
        check_space(folder, repo_id)
    if dry_run:
        check_name(repo_id)
        contents = list_contents(folder)
        tell_contents(contents, repo_id)
        if with_space:
            _list_space(repo_id)
        refuse_secrets(contents)
        check_metadata(contents)
        print("looked for secrets and read the card's header; whether the model loads is tried by the push itself")
        return
    if not sys.stderr.isatty():
        disable_progress_bars()
    result = push(
        folder,
        repo_id,
        private=private,
        revision=revision,
        create_pr=create_pr,
        tag=tag,
        card=card,  # type: ignore[arg-type]
        commit_message=message,
        timeout=timeout,
        tell=lambda contents: tell_contents(contents, repo_id, sends=True),
    )
    tell_result(result)
    if with_space:
        _push_space(repo_id, result.commit, private, card, timeout)


def _list_space(repo_id: str) -> None:
    from mgc_hf.cli.console import tell_contents
    from mgc_hf.hub.space import NO_COMMIT, list_space, space_name

    with tempfile.TemporaryDirectory() as temporary:
        tell_contents(list_space(repo_id, NO_COMMIT, Path(temporary)), f"the Space {space_name(repo_id)}")


def _push_space(repo_id: str, commit: str, private: bool, card: str | None, timeout: float) -> None:
    from mgc_hf.cli.console import tell_result
    from mgc_hf.errors import PublishError
    from mgc_hf.hub import push_space

    try:
        result = push_space(repo_id, commit, private=private, card=card, timeout=timeout)
        tell_result(result)
        if private:
            print("a Space that hears a private model needs a secret HF_TOKEN (its settings on the Hub)")
    except PublishError as error:
        told = PublishError(f"the model is published, its Space is not: {error}")
        told.attached = error.attached
        raise told from error
