"""`mgc-hf audit`: what a split leaks, or what a published figure does not say."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mgc_hf.errors import MgcHfError, OptionError
from mgc_hf.schema import json_text


def audit_command(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ORG/MODEL|FOLDER]",
            help="Published model, or a model's folder, whose card is audited. Without it the data are.",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", help="Data: folder, archive, CSV, Hub dataset id or 'demo'. With a model: judge it again."
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split",
            help="Its split: split.json, CSV (part,track_id), a folder with train.txt and test.txt, or train=FILE test=FILE.",
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit of the model's repository.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write the audit to this JSON file too (audit.json).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the audit as JSON and nothing else.")] = False,
    cache_dir: Annotated[str | None, typer.Option("--cache_dir", help="Folder for prepared data.")] = None,
    min_seconds: Annotated[float, typer.Option("--min_seconds", help="Shorter clips cannot be used, seconds.")] = 0.5,
    dataset_revision: Annotated[
        str | None, typer.Option("--dataset_revision", help="Revision of a Hub dataset.")
    ] = None,
    dataset_columns: Annotated[
        str | None,
        typer.Option("--dataset_columns", help="Column names of a Hub dataset, as JSON."),
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option("--audio", help="Folder with the audio of a Hub dataset that is an index without it."),
    ] = None,
) -> None:
    """Find what a split leaks and which files are bad; or, of a published model, what is missing to trust its figure.

    Exit status: 0 when nothing was found, 1 for a leak, a file that cannot be used, or a figure that cannot be trusted
    as it stands, 2 for wrong usage, or where nothing could be audited (no such data, a split that cannot be read).
    """
    from mgc_hf.cli.console import set_up_progress
    from mgc_hf.data.given_splits import is_part_list

    models = [word for word in what or () if not is_part_list(word)]
    lists = [*(split or ()), *(word for word in what or () if is_part_list(word))]
    if len(models) > 1:
        raise OptionError(f"{' '.join(models)}: one model at a time")
    if not models and dataset is None:
        raise OptionError("nothing to audit: give --dataset SOURCE, or a model (ORG/MODEL)")
    if not models and revision is not None:
        raise OptionError("--revision is of a model; that of a Hub data set is --dataset_revision")
    set_up_progress()
    columns = None
    if dataset_columns is not None:
        from mgc_hf.options.groups import column_names  # brings torch along

        columns = column_names(dataset_columns, "--dataset_columns")
    data: dict[str, Any] = {"cache_dir": cache_dir, "min_seconds": min_seconds, "columns": columns, "audio": audio}
    result: Any
    try:
        if models:
            from mgc_hf.auditing.published import audit_model

            result = audit_model(
                models[0], dataset, lists, revision=revision, dataset_revision=dataset_revision, **data
            )
        else:
            from mgc_hf.auditing.leaks import audit

            assert dataset is not None
            result = audit(dataset, lists, revision=dataset_revision, **data)
    except MgcHfError as error:
        error.exit_status = 2  # 1 says that something was found
        raise
    if output is not None:
        result.save(output)
    if as_json:
        print(json_text(result.to_dict()))
    else:
        print(result.summary())
    if result.exit_status:
        raise typer.Exit(result.exit_status)
