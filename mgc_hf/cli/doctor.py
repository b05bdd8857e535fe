"""`mgc-hf doctor`: what would stop a run on this machine, and the command that mends it."""

import contextlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer


def doctor_command(
    output_dir: Annotated[
        Path, typer.Option(help="Where a run would write.", show_default="the folder that it is run in")
    ] = Path("."),
    cache_dir: Annotated[str | None, typer.Option(help="Folder for prepared data; default the usual cache.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data to read once: clips per genre, files that would be left out.")
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the Hub too: whether it answers, what the token may do.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object and nothing else.")] = False,
) -> None:
    """Say what would stop a run on this machine, and the command that mends it.

    Looks at Python, torch and its device, transformers, the versions of all packages, the decoders of each audio format,
    and the folders that are written to. Asks nothing of the network unless told --online.

    Exit status: 0 if a run would start, 1 if something would stop it, 2 for wrong usage.
    """
    from mgc_hf.cli.console import set_up_progress
    from mgc_hf.doctor import check_data, check_environment, check_hub, check_places, check_sound

    with contextlib.suppress(Exception):  # it imports transformers, whose faults are told below
        set_up_progress()
    found = [
        *check_environment(),
        *check_sound(),
        *check_places(str(output_dir), cache_dir),
    ]
    if dataset is not None:
        found += check_data(dataset, online, cache_dir)
    if online:
        found += check_hub()
    stops = any(finding.status == "error" for finding in found)
    if as_json:
        print(json.dumps({"ready": not stops, "findings": [finding.to_dict() for finding in found]}, indent=2))
    else:
        _print(found)
    if stops:
        raise typer.Exit(1)


def _print(found: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    marks = {"ok": ("ok", "green"), "warning": ("!", "yellow"), "error": ("stops", "bold red")}
    table = Table(box=None, show_header=False, padding=(0, 1))
    for finding in found:
        mark, style = marks[finding.status]
        text = Text(finding.text)
        if finding.cure:
            text.append(f"\n-> {finding.cure}", style="bold")
        table.add_row(Text(mark, style=style), Text(finding.name), text)
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 120)
    console.print(table)
    errors = sum(finding.status == "error" for finding in found)
    warnings = sum(finding.status == "warning" for finding in found)
    said = (
        "a run would start"
        if not errors
        else f"{errors} would stop a run"
        if errors > 1
        else "1 thing would stop a run"
    )
    if warnings:
        said += f"; {warnings} to know of"
    console.print(said)
