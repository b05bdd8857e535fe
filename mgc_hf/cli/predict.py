"""`mgc-hf predict`: name the genre of files, folders and whole catalogues."""

import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from mgc_hf.errors import OptionError
from mgc_hf.schema import json_text


def predict_command(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE|FOLDER|PATTERN...", help="Audio files, folders of them, or patterns."),
    ] = None,
    model: Annotated[str, typer.Option(help="Model folder or Hub repository.")] = ...,  # type: ignore[assignment]
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub repository.")] = None,
    list_files: Annotated[
        list[str] | None,
        typer.Option("--list", metavar="FILE", help="A list of files, a line each or with NUL between; - for stdin."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A data set instead: Parquet file, folder of Parquet, or Hub id (streamed).")
    ] = None,
    dataset_split: Annotated[str | None, typer.Option(help="One split of --dataset; default all.")] = None,
    dataset_revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of --dataset.")] = None,
    column: Annotated[str | None, typer.Option(help="The column of audio of --dataset; default the first.")] = None,
    output: Annotated[
        str | None,
        typer.Option(help="Write rows: FILE.jsonl, FILE.csv, a folder of Parquet parts, or - for JSON lines."),
    ] = None,
    output_format: Annotated[str | None, typer.Option(help="jsonl, csv or parquet; default by --output.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --output: skip what has a row.")] = False,
    unsure_below: Annotated[
        float, typer.Option(help='The genre is "unsure" where its probability is lower.', min=0.0, max=1.0)
    ] = 0.0,
    write_tags: Annotated[
        bool, typer.Option("--write_tags", help="Write the genre into the files' tags; one that is there is kept.")
    ] = False,
    tag_above: Annotated[
        float, typer.Option(help="--write_tags: only genres of this probability or more.", min=0.0, max=1.0)
    ] = 0.0,
    overwrite_tags: Annotated[
        bool, typer.Option("--overwrite_tags", help="--write_tags: replace a genre that is there.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry_run", help="--write_tags: change no file, only say what would be written.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list for programs.")] = False,
    top_k: Annotated[
        int | None, typer.Option(help="Genres shown, most probable first; default 3 in the table, else all.", min=1)
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Windows per forward pass; no effect on scores.", min=1)] = 16,
    num_workers: Annotated[
        int | None, typer.Option(help="Threads that decode ahead of the model; default one a core.", min=0)
    ] = None,
) -> None:
    """Name the genre of audio files of any length, of one file or of millions.

    A file is cut into the model's windows and their probabilities are averaged. A file that cannot be read is
    reported beside the others; one that is short, silent or cut off is answered for what there is of it, with a note.

    Without --output the answers are printed at the end; with it they are written one by one, --resume goes on after a
    kill, and torchrun shares the files among processes (docs/labelling.md).

    Exit status: 0 if every file was read, 1 if any failed, 2 for wrong usage.
    """
    from mgc_hf.cli.console import Ticker, set_up_progress
    from mgc_hf.data.threads import count_threads
    from mgc_hf.hub import patient_reading
    from mgc_hf.inference import GenreClassifier
    from mgc_hf.labelling import Share, label, open_output
    from mgc_hf.tagging import FAILED, Tagger

    share = Share.from_launcher()
    _check_usage(paths, list_files, dataset, output, output_format, resume, as_json, share.world_size)
    if dataset and write_tags:
        raise OptionError("--write_tags: is for files; rows of a --dataset have none")
    if not write_tags and (tag_above or overwrite_tags or dry_run):
        raise OptionError("--tag_above, --overwrite_tags and --dry_run are for --write_tags, which is not given")
    tagger = Tagger(tag_above, overwrite_tags, dry_run) if write_tags else None
    items = _items(paths or [], list_files or [], dataset, dataset_split, dataset_revision, column)
    set_up_progress()
    with patient_reading(model):
        classifier = GenreClassifier.from_pretrained(model, batch_size, _device(), revision)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    given: dict[str, Any] = {
        "share": share,
        "threads": count_threads(local) if num_workers is None else num_workers,
        "unsure_below": unsure_below,
        "top_k": top_k,
        "on_row": None if tagger is None else lambda item, row: row.update(tag=tagger.write(row)),
    }
    if output is None:
        rows: list[dict[str, Any]] = []
        counts = deque(label(classifier, items, rows.append, **given), maxlen=1).pop()
        if as_json:
            print(json_text(rows))
        else:
            _print_table(rows, top_k or 3)
    else:
        out, done = open_output(
            output,
            classifier.genres,
            output_format=output_format,
            resume=resume,
            share=share,
            revision=classifier.revision,
        )
        try:
            with Ticker("files labelled") as ticker:
                for counts in label(classifier, items, out.write, done=done, **given):
                    ticker.show(counts.done)
        finally:
            out.close()
        print(_summary(counts), file=sys.stderr)
    if tagger is not None:
        told = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(tagger.counts.items()))
        print(f"tags: {told or 'no file had a genre to write'}", file=sys.stderr)
    # a launcher takes any other status for a fault and stops the other processes
    if share.world_size == 1 and (counts.failed or (tagger is not None and tagger.counts[FAILED])):
        raise typer.Exit(1)


def _check_usage(
    paths: list[str] | None,
    list_files: list[str] | None,
    dataset: str | None,
    output: str | None,
    output_format: str | None,
    resume: bool,
    as_json: bool,
    world_size: int,
) -> None:
    if not (paths or list_files or dataset):
        raise OptionError("nothing to label: name files or folders, a list of them by --list, or a --dataset")
    if dataset and (paths or list_files):
        raise OptionError("--dataset: is labelled alone; leave out the files, folders and lists")
    if output is None and (resume or output_format):
        raise OptionError(f"--{'resume' if resume else 'output_format'}: is for --output, which is not given")
    if output is not None and as_json:
        raise OptionError("--json: prints to the screen; with --output the format is --output_format jsonl")
    if world_size > 1 and (output is None or output == "-"):
        raise OptionError(f"{world_size} processes write a part each: name a folder by --output")
    if world_size > 1 and "-" in (list_files or ()):
        raise OptionError(f"--list -: {world_size} processes would each read a piece of it; write the list to a file")


def _items(
    paths: list[str],
    lists: list[str],
    dataset: str | None,
    split: str | None,
    revision: str | None,
    column: str | None,
) -> Iterator[Any]:
    """Return what to label; the first of it is looked for now, so that a wrong name is told before the model loads."""
    import itertools

    from mgc_hf.labelling import items_of, rows_of_dataset

    items = items_of(paths, lists) if dataset is None else rows_of_dataset(dataset, split, revision, column)
    first = list(itertools.islice(items, 1))
    if not first:
        raise OptionError("nothing to label: the lists are empty" if lists else f"{dataset}: has no rows")
    return itertools.chain(first, items)


def _device() -> str | None:
    """Return the device of this process where a launcher started several on one machine; `None` for the usual one."""
    import torch

    rank = os.environ.get("LOCAL_RANK")
    if rank is None or not torch.cuda.is_available():
        return None
    return f"cuda:{int(rank) % torch.cuda.device_count()}"


def _summary(counts: Any) -> str:
    parts = [f"{counts.labelled:,} files labelled"]
    parts += [f"{counts.unsure:,} of them unsure"] if counts.unsure else []
    parts += [f"{counts.failed:,} could not be read (their rows say why)"] if counts.failed else []
    parts += [f"{counts.skipped:,} had a row already"] if counts.skipped else []
    return ", ".join(parts)


def _print_table(rows: list[dict[str, Any]], top_k: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("file", "genre", "probabilities", "seconds", "windows")
    for row in rows:
        shown = row["path"].encode("utf-8", "backslashreplace").decode()
        name = Text(shown, overflow="fold")  # Text, so that brackets in a name are no markup
        if row["error"]:
            table.add_row(name, Text("error", style="bold red"), Text(row["error"]), "", "")
            continue
        likely = list(row["probabilities"].items())[:top_k]
        text = ", ".join(f"{genre} {probability:.2f}" for genre, probability in likely)
        text += "".join(f"\n{note}" for note in [*row["notes"], *([f"tag: {row['tag']}"] if row.get("tag") else [])])
        table.add_row(name, Text(row["genre"]), Text(text), f"{row['seconds']:.1f}", str(row["windows"]))
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 200)  # a file or pipe has no edge to wrap at
    console.print(table)
