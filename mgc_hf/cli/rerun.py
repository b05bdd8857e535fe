"""`mgc-hf rerun`: a published run made again, and the difference to what it published."""

from pathlib import Path
from typing import Annotated

import typer

from mgc_hf.schema import json_text


def rerun_command(
    source: Annotated[str, typer.Argument(metavar="ORG/NAME|FOLDER", help="Published run, or a run's folder.")],
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", help="Where its audio lies here; the demo corpus and Hub data are found by themselves."
        ),
    ] = None,
    test_dataset: Annotated[
        str | None,
        typer.Option("--test_dataset", help="Where the audio of its test part lies here."),
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option("--audio", help="Folder with the audio of a Hub data set that is an index without it."),
    ] = None,
    test_audio: Annotated[
        Path | None,
        typer.Option("--test_audio", help="The same for the data set of its test part."),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output_dir",
            "--output-dir",
            help="Folder for the new run; outputs/rerun-NAME, or -2, -3, ..., by default.",
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit of the repository.")
    ] = None,
    model_name_or_path: Annotated[
        str | None,
        typer.Option("--model_name_or_path", help="The checkpoint it began from, where that was local."),
    ] = None,
    cache_dir: Annotated[str | None, typer.Option("--cache_dir", help="Folder for prepared data.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON and nothing else.")] = False,
) -> None:
    """Train a published run again from what its repository says of it, and compare the figures.

    Before training the audio is compared by its digests. Nothing is published, and no folder in use is written to.

    Exit status: 0 when the run was made again, whatever the difference; 1 when it could not be, 2 for wrong usage.
    """
    from mgc_hf.cli.console import set_up_progress
    from mgc_hf.rerunning import rerun

    set_up_progress()
    result = rerun(
        source,
        dataset=dataset,
        test_dataset=test_dataset,
        audio=audio,
        test_audio=test_audio,
        output_dir=output_dir,
        revision=revision,
        model_name_or_path=model_name_or_path,
        cache_dir=cache_dir,
    )
    if as_json:
        print(json_text(result.to_dict()))
    else:
        print(result.summary())
        print(f"the new run: {result.output_dir}")
