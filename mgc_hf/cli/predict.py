"""`mgc-hf predict`: name the genre of files and folders."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mgc_hf.errors import AudioError, OptionError


def predict_command(
    paths: Annotated[list[str], typer.Argument(metavar="FILE|FOLDER...", help="Audio files, or folders of them.")],
    model: Annotated[str, typer.Option("--model", help="Model folder or Hub repository.")],
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit of a Hub repository.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list for programs.")] = False,
    top_k: Annotated[
        int, typer.Option("--top_k", "--top-k", help="Genres in the table, most probable first.", min=1)
    ] = 3,
    batch_size: Annotated[
        int, typer.Option("--batch_size", "--batch-size", help="Windows per forward pass; no effect on scores.", min=1)
    ] = 16,
) -> None:
    """Name the genre of audio files of any length.

    A file is cut into the model's windows and their probabilities are averaged. A file that cannot be read is
    reported beside the others; one that is short, silent or cut off is answered for what there is of it.

    Exit status: 0 if every file was read, 1 if any failed, 2 for wrong usage.
    """
    files = _files(paths)
    from mgc_hf.cli.console import set_up_progress
    from mgc_hf.hub import patient_reading
    from mgc_hf.inference import GenreClassifier

    set_up_progress()
    with patient_reading(model):
        classifier = GenreClassifier.from_pretrained(model, batch_size=batch_size, revision=revision)
    rows = [_predict_one(classifier, file) for file in files]
    if as_json:
        json.dump(rows, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
        sys.stdout.write("\n")
    else:
        _print_table(rows, top_k)
    if any(row["error"] for row in rows):
        raise typer.Exit(1)


def _files(paths: list[str]) -> list[Path]:
    from mgc_hf.data.folder import audio_files

    files: list[Path] = []
    for name in paths:
        path = Path(name)
        if path.is_dir():
            found = audio_files(path)
            if not found:
                raise OptionError(f"{name}: no audio file in this folder")
            files.extend(found)
        else:
            files.append(path)  # a missing file gets its own error row, the others are still read
    return files


def _predict_one(classifier: Any, path: Path) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("path", "genre", "probabilities", "seconds", "windows", "error"))
    row["path"] = str(path)
    try:
        prediction = classifier.predict_file(path)
    except AudioError as error:
        row["error"] = error.reason
        return row
    return row | {
        "genre": prediction.genre,
        "probabilities": prediction.probabilities,
        "seconds": round(prediction.seconds, 3),
        "windows": prediction.windows,
    }


def _print_table(rows: list[dict[str, Any]], top_k: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("file", "genre", "probabilities", "seconds", "windows")
    for row in rows:
        name = Text(row["path"], overflow="fold")  # Text, so that brackets in a name are no markup
        if row["error"]:
            table.add_row(name, Text("error", style="bold red"), Text(row["error"]), "", "")
            continue
        likely = list(row["probabilities"].items())[:top_k]
        text = ", ".join(f"{genre} {probability:.2f}" for genre, probability in likely)
        table.add_row(name, Text(row["genre"]), Text(text), f"{row['seconds']:.1f}", str(row["windows"]))
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 200)  # a file or pipe has no edge to wrap at
    console.print(table)
