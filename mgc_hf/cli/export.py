"""`mgc-hf export`: a finished model for a runtime that is not torch."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mgc_hf.errors import OptionError
from mgc_hf.schema import json_text


def export_command(
    model: Annotated[str, typer.Argument(metavar="FOLDER|ORG/NAME", help="Model folder or Hub repository.")],
    to: Annotated[str, typer.Option(help="The format; onnx.")] = "onnx",
    output_dir: Annotated[
        Path | None, typer.Option(help="Folder for the export; onnx/ in the model's folder by default.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Audio to compare both models on: any source that the recipes take.")
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Also with weights of 8 bits, where 98 % of the labels stay; wants --dataset."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export that is there.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub repository.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print export.json and nothing else.")] = False,
) -> None:
    """Write a finished model as an ONNX file that onnxruntime runs alone.

    The file is compared with the model before anything is written, over five lengths and on --dataset: logits within
    1e-4, every label the same. docs/export.md shows how to run it.

    Exit status: 0 if it was written, 1 if it cannot be exported or does not say what the model says, 2 for wrong usage.
    """
    if to != "onnx":
        raise OptionError(f"--to {to}: not known; onnx is")
    from mgc_hf.cli.console import set_up_progress
    from mgc_hf.exporting import export_onnx
    from mgc_hf.hub import patient_reading

    set_up_progress()
    with patient_reading(model):
        figures = export_onnx(model, output_dir, dataset=dataset, int8=int8, overwrite=overwrite, revision=revision)
    if as_json:
        print(json_text(figures))
        raise typer.Exit(int("int8" in figures and not figures["int8"]["is_kept"]))
    for key, where in (
        ("checked_on_noise", "noise"),
        ("checked_on_dataset", figures.get("dataset")),
        ("int8", "int8"),
    ):
        if key in figures:
            found = figures[key]
            print(
                f"{where}: {found['equal_labels']:,} of {found['num_windows']:,} labels as the model's, "
                f"logits within {found['max_difference']:.2g}"
            )
    where = Path(model, "onnx") if output_dir is None else output_dir
    for name, size in figures["files"].items():
        print(f"{size:>14,}  {Path(where, name)}")
    if "int8" in figures and not figures["int8"]["is_kept"]:
        print("mgc-hf: error: --int8: fewer than 98 % of the labels stay; not written", file=sys.stderr)
        raise typer.Exit(1)
