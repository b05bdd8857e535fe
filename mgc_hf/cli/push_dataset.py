"""`mgc-hf push-dataset`: a data set to the Hub, as an index without audio, or with the audio under its licence."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mgc_hf.cli.publishing import Card, CommitMessage, CreatePr, Private, Revision, Tag, Timeout


def push_dataset_command(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Data: folder, archive, CSV, Hub dataset id or 'demo'.")
    ],
    repo_id: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Data set on the Hub; made if it is not there.")],
    split: Annotated[
        Path | None, typer.Option("--split", help="Put its tracks in the parts of this file (split.json of a run).")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", help="Divide it by this protocol (track, artist, fault_filtered, course)."),
    ] = None,
    split_seed: Annotated[
        int | None, typer.Option("--split_seed", help="Seed for --protocol; 0 by default.", min=0)
    ] = None,
    validation_fraction: Annotated[
        float | None,
        typer.Option("--validation_fraction", help="For --protocol; 0.15 by default."),
    ] = None,
    test_fraction: Annotated[
        float | None, typer.Option("--test_fraction", help="For --protocol; 0.25 by default.")
    ] = None,
    unknown_artist: Annotated[
        str | None,
        typer.Option(
            "--unknown_artist",
            "--unknown-artist",
            help="For --protocol artist: tracks without a known artist, own_group (the default) or leave_out.",
        ),
    ] = None,
    with_audio: Annotated[
        bool,
        typer.Option("--with_audio", help="The audio too; needs --licence, and is refused for GTZAN."),
    ] = False,
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence",
            "--license",
            help="Licence for the card (cc-by-4.0). With audio: you confirm that it allows to publish it.",
            metavar="ID",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry_run", help="Only list what would go; needs no token.")] = False,
    private: Private = False,
    revision: Revision = None,
    create_pr: CreatePr = False,
    tag: Tag = None,
    card: Card = None,
    message: CommitMessage = None,
    timeout: Timeout = 60.0,
    dataset_revision: Annotated[
        str | None, typer.Option("--dataset_revision", help="Revision of a Hub SOURCE.")
    ] = None,
    dataset_columns: Annotated[
        str | None,
        typer.Option("--dataset_columns", help="Column names of a Hub SOURCE, as JSON."),
    ] = None,
    audio: Annotated[
        Path | None, typer.Option("--audio", help="Folder with the audio of a Hub SOURCE that is an index without it.")
    ] = None,
    cache_dir: Annotated[str | None, typer.Option("--cache_dir", help="Folder for prepared data.")] = None,
    leave_out_faults: Annotated[
        bool,
        typer.Option(
            "--leave_out_faults",
            "--leave-out-faults",
            help="Leave out GTZAN's known repeats, distorted and broken tracks.",
        ),
    ] = False,
    on_bad_audio: Annotated[str, typer.Option("--on_bad_audio", help="skip (with a warning) or error.")] = "skip",
    min_seconds: Annotated[
        float, typer.Option("--min_seconds", help="Clips shorter than this are unusable, seconds.")
    ] = 0.5,
    demo_clips_per_genre: Annotated[int, typer.Option("--demo_clips_per_genre", help="Size of the demo corpus.")] = 20,
    demo_seconds: Annotated[float, typer.Option("--demo_seconds", help="Length of its clips, seconds.")] = 30.0,
) -> None:
    """Publish a data set as Parquet with a card, in one commit: the index alone, without audio, by default.

    Whoever has the audio joins it to the index by hash: `--dataset ORG/NAME --audio FOLDER`.

    Exit status: 0 when all is published, 1 when it could not be, 2 for wrong usage.
    """
    from huggingface_hub.utils import disable_progress_bars

    from mgc_hf.cli.console import tell_contents, tell_result
    from mgc_hf.hub.dataset import packed_dataset, push_dataset

    if not sys.stderr.isatty():
        import datasets

        disable_progress_bars()
        datasets.disable_progress_bars()
    columns = None
    if dataset_columns is not None:
        from mgc_hf.options.groups import column_names  # brings torch along

        columns = column_names(dataset_columns, "--dataset_columns")
    division = {
        "split_seed": split_seed,
        "validation_fraction": validation_fraction,
        "test_fraction": test_fraction,
        "unknown_artist": unknown_artist,
    }
    data: dict[str, Any] = {
        "split": split,
        "protocol": protocol,
        "division": {name: value for name, value in division.items() if value is not None},
        "with_audio": with_audio,
        "licence": licence,
        "dataset_revision": dataset_revision,
        "columns": columns,
        "audio": audio,
        "cache_dir": cache_dir,
        "on_bad_audio": on_bad_audio,
        "min_seconds": min_seconds,
        "leave_out_faults": leave_out_faults,
        "demo_clips_per_genre": demo_clips_per_genre,
        "demo_seconds": demo_seconds,
    }
    if dry_run:
        with packed_dataset(source, repo_id, **data) as contents:
            tell_contents(contents, repo_id)
        return
    result = push_dataset(
        source,
        repo_id,
        private=private,
        revision=revision,
        create_pr=create_pr,
        tag=tag,
        card=card,  # type: ignore[arg-type]
        commit_message=message,
        timeout=timeout,
        **data,
    )
    tell_result(result)
