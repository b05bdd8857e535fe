"""The options that every command has which publishes on the Hub."""

from typing import Annotated

import typer

from mgc_hf.errors import OptionError


def _way(value: str | None) -> str | None:
    if value not in (None, "keep", "overwrite"):
        raise OptionError(f"--card is {value!r}; it must be keep or overwrite")
    return value


Private = Annotated[bool, typer.Option("--private", help="Make a new repository private.")]
Revision = Annotated[str | None, typer.Option("--revision", help="Branch to write; made if it is not there.")]
CreatePr = Annotated[bool, typer.Option("--create_pr", help="Open a pull request.")]
Tag = Annotated[str | None, typer.Option("--tag", help="Tag for the commit.")]
Card = Annotated[
    str | None,
    typer.Option(
        "--card",
        help="Somebody's edits to the card on the Hub: keep or overwrite them.",
        metavar="WAY",
        callback=_way,
    ),
]
CommitMessage = Annotated[str | None, typer.Option("--commit_message", help="First line of the commit.")]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait in all for a Hub that is busy.", min=0)]
