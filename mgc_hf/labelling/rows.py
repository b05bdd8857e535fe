"""What is said of one file, as the plain values that every output format writes."""

from collections.abc import Sequence
from typing import Any

from mgc_hf.errors import AudioError
from mgc_hf.inference import GenrePrediction

#: Stands for the genre where the model is not sure enough.
UNSURE = "unsure"
#: How the windows of a file become one answer.
AGGREGATION = "mean of the windows' probabilities"
COLUMNS = (
    "path",
    "genre",
    "probability",
    "probabilities",
    "seconds",
    "windows",
    "aggregation",
    "notes",
    "revision",
    "error",
)


def make_row(
    path: str,
    outcome: GenrePrediction | AudioError,
    revision: str | None = None,
    unsure_below: float = 0.0,
    top_k: int | None = None,
) -> dict[str, Any]:
    """Return one row.

    Args:
        path (`str`): What the file is called.
        outcome ([`GenrePrediction`] or [`AudioError`]): What the model says, or why it says nothing.
        revision (`str`, *optional*): Of the model.
        unsure_below (`float`, *optional*, defaults to 0.0): The genre is `unsure` where its probability is lower.
        top_k (`int`, *optional*): Only so many genres in `probabilities`, most probable first; all where not given.

    Returns:
        `dict`: With the keys of `COLUMNS`. `probability` is that of the most probable genre, `seconds` the length of
        the decoded audio, all of which the windows cover.
    """
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"path": path, "notes": [], "revision": revision}
    if isinstance(outcome, AudioError):
        return row | {"error": outcome.reason}
    probability = next(iter(outcome.probabilities.values()))
    return row | {
        "genre": outcome.genre if probability >= unsure_below else UNSURE,
        "probability": probability,
        "probabilities": dict(list(outcome.probabilities.items())[:top_k]),
        "seconds": round(outcome.seconds, 3),
        "windows": outcome.windows,
        "aggregation": AGGREGATION,
        "notes": list(outcome.notes),
    }


def csv_columns(genres: Sequence[str]) -> list[str]:
    """Return the columns of a CSV: those of a row, with one of each genre for its probabilities."""
    return [name for name in (*COLUMNS, "tag") if name != "probabilities"] + [
        f"probability_{genre}" for genre in genres
    ]


def csv_row(row: dict[str, Any], genres: Sequence[str]) -> list[Any]:
    """Return the cells of a row under [`csv_columns`]; what there is none of is empty."""
    flat = {"tag": None, **row, "notes": "; ".join(row["notes"])}
    probabilities = row["probabilities"] or {}
    cells = [flat[name] for name in (*COLUMNS, "tag") if name != "probabilities"] + [
        probabilities.get(g) for g in genres
    ]
    return ["" if cell is None else cell for cell in cells]
