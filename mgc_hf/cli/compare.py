"""`mgc-hf compare`: two runs on the test tracks that they share, or a report on many."""

from pathlib import Path
from typing import Annotated

import typer

from mgc_hf.errors import OptionError
from mgc_hf.schema import json_text


def compare_command(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [RUN...]",
            help="Folders of runs, or ORG/NAME (ORG/NAME@REVISION) on the Hub. For a report, NAME=RUN names a system.",
        ),
    ],
    output_dir: Annotated[
        Path | None,
        typer.Option("--output_dir", help="Write a report on all the runs into this folder."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the report in --output_dir, once the new one is whole.")
    ] = False,
    audio: Annotated[
        str | None,
        typer.Option("--audio", help="Your copy of the data, for players and spectrograms of the errors."),
    ] = None,
    embed_audio: Annotated[
        bool,
        typer.Option(
            "--embed_audio",
            "--embed-audio",
            help="Embed 5 s of each error in the page; mind whose recordings they are.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON and nothing else.")] = False,
) -> None:
    """Compare two runs of one protocol on the test tracks that they share, from their predictions.

    With --output_dir, any number of runs, systems, protocols and seeds in one report: Markdown, a page, pictures, figures.

    Exit status: 0 when they were compared, whatever came out; 1 when they could not be, 2 for wrong usage.
    """
    if output_dir is not None:
        if as_json:
            raise OptionError("--json goes without --output_dir; the report has its figures in results.parquet")
        _report(runs, output_dir, overwrite, audio, embed_audio)
        return
    given = {"--overwrite": overwrite, "--audio": audio is not None, "--embed_audio": embed_audio}
    alone = [name for name, is_given in given.items() if is_given]
    if alone:
        raise OptionError(f"{alone[0]} goes with --output_dir alone")
    if len(runs) != 2:
        raise OptionError(
            f"{len(runs)} run{'' if len(runs) == 1 else 's'} given: without --output_dir two are compared; for a report on "
            "any number give --output_dir"
        )
    _pair(runs[0], runs[1], as_json)


def _pair(first: str, second: str, as_json: bool) -> None:
    from mgc_hf.comparison.pair import compare

    result = compare(first, second)
    if as_json:
        print(json_text(result.to_dict()))
    else:
        print(result.summary())


def _report(runs: list[str], folder: Path, overwrite: bool, audio: str | None, embed_audio: bool) -> None:
    from mgc_hf.comparison.material import read_material
    from mgc_hf.comparison.writing import check_report_folder, tell_report, write_comparison

    check_report_folder(folder, overwrite)
    material = read_material(runs)
    write_comparison(material, folder, audio=audio, embed_audio=embed_audio, overwrite=overwrite)
    print(tell_report(material, folder))
