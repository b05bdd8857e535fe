"""`mgc-hf push`: a finished run's folder to the Hub."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def push_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a finished run.")],
    repo_id: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repository; made if it is not there.")],
    dry_run: Annotated[
        bool, typer.Option("--dry_run", "--dry-run", help="Only list what would go; needs no network and no token.")
    ] = False,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch; made if it is not there.")] = None,
    create_pr: Annotated[bool, typer.Option("--create_pr", "--create-pr", help="Open a pull request.")] = False,
    tag: Annotated[str | None, typer.Option("--tag", help="Tag for the commit.")] = None,
    card: Annotated[
        str | None,
        typer.Option("--card", help="Somebody's edits to the card on the Hub: keep or overwrite them.", metavar="WAY"),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--commit_message", "--commit-message", help="First line of the commit.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait in all for a Hub that is busy.", min=0)
    ] = 60.0,
) -> None:
    """Publish model, results, pictures and card of a finished run, in one commit.

    Exit status: 0 when all is published, 1 when it could not be, 2 for wrong usage.
    """
    from huggingface_hub.utils import disable_progress_bars

    from mgc_hf.cli.console import tell_contents, tell_result
    from mgc_hf.errors import OptionError
    from mgc_hf.hub import list_contents, push
    from mgc_hf.hub.contents import refuse_secrets

    if card not in (None, "keep", "overwrite"):
        raise OptionError(f"--card is {card!r}; it must be keep or overwrite")
    if dry_run:
        contents = list_contents(folder)
        tell_contents(contents, repo_id)
        refuse_secrets(contents)
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
    )
    tell_result(result)
