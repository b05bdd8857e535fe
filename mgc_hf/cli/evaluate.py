"""`mgc-hf evaluate`: the report of a finished model on other data."""

from pathlib import Path
from typing import Annotated

import typer

from mgc_hf.schema import json_text


def evaluate_command(
    model: Annotated[str, typer.Option("--model", help="Model folder or Hub repository.")],
    dataset: Annotated[
        str,
        typer.Option("--dataset", help="Data to evaluate on: folder, archive, CSV, Hub dataset id or 'demo'."),
    ],
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit of a Hub repository with the model.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the content of results.json and nothing else.")
    ] = False,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output_dir", help="Write results.json, predictions.parquet, pictures and card here."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="Evaluate only the test part of this split file (split.json of a run)."),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch_size", help="Segments per forward pass.", min=1)] = 64,
    cache_dir: Annotated[str | None, typer.Option("--cache_dir", help="Folder for prepared data.")] = None,
    min_seconds: Annotated[
        float, typer.Option("--min_seconds", help="Clips shorter than this are left out, seconds.")
    ] = 0.5,
    dataset_revision: Annotated[
        str | None, typer.Option("--dataset_revision", help="Revision of a Hub dataset.")
    ] = None,
    dataset_columns: Annotated[
        str | None,
        typer.Option("--dataset_columns", help="Column names of another Hub dataset, as JSON."),
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option("--audio", help="Folder with the audio of a Hub dataset that is an index without it."),
    ] = None,
    leave_out_faults: Annotated[
        bool,
        typer.Option(
            "--leave_out_faults",
            "--leave-out-faults",
            help="Leave out GTZAN's known repeats, distorted and broken tracks.",
        ),
    ] = False,
    on_bad_audio: Annotated[str, typer.Option("--on_bad_audio", help="skip (with a warning) or error.")] = "skip",
    on_unknown_genre: Annotated[
        str,
        typer.Option(
            "--on_unknown_genre",
            "--on-unknown-genre",
            help="Clips of a genre that the model does not know: error, or skip (with a warning and in the record).",
        ),
    ] = "error",
) -> None:
    """Evaluate a finished model on other data, with the same figures as after training.

    Exit status: 0 when the report was made, 1 when it could not be, 2 for wrong usage.
    """
    from mgc_hf.cli.console import set_up_progress
    from mgc_hf.evaluating import evaluate
    from mgc_hf.options.groups import column_names

    set_up_progress()
    result = evaluate(
        model,
        dataset,
        output_dir=output_dir,
        split=split,
        batch_size=batch_size,
        cache_dir=cache_dir,
        on_bad_audio=on_bad_audio,
        on_unknown_genre=on_unknown_genre,
        min_seconds=min_seconds,
        revision=revision,
        dataset_revision=dataset_revision,
        columns=column_names(dataset_columns, "--dataset_columns") if dataset_columns else None,
        audio=audio,
        leave_out_faults=leave_out_faults,
    )
    if as_json:
        print(json_text(result.to_dict()))
    else:
        print(result.summary())
        for genre, scores in next(iter(result.levels.values())).per_genre.items():
            figures = f"F1 {scores.f1:.2f}  precision {scores.precision:.2f}  recall {scores.recall:.2f}"
            if scores.recall_ci95 is not None:
                low, high = scores.recall_ci95
                figures += f" [{low:.2f}, {high:.2f}]"
            print(f"  {genre:<12} {figures if scores.support else 'not measured'}  n = {scores.support}")
