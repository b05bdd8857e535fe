"""Whether the model that a published one was tuned from has seen GTZAN already."""

import json
import re
from pathlib import Path
from typing import Any

from mgc_hf.auditing.cards import read_card
from mgc_hf.errors import MgcHfError
from mgc_hf.hub import find_run
from mgc_hf.labels import GTZAN_GENRES, gtzan_name
from mgc_hf.models.checkpoint import is_local


def contamination(base: str, model: str) -> str | None:
    """Say why a base model is taken to know GTZAN's tracks, by its name, its card's header and text, and its config.

    Args:
        base (`str`): Hub id of the base model; a local folder is not looked into.
        model (`str`): The model that was tuned from it.

    Returns:
        `str`, *optional*: The reason; `None` where nothing tells so.
    """
    if base == model or is_local(base):
        return None
    try:
        folder, _ = find_run(base, ("README.md", "config.json"))
    except MgcHfError:  # gone or private: its name is all that is left of it
        return f"it was tuned from {base}, whose name says GTZAN" if "gtzan" in base.casefold() else None
    return _names_gtzan(base, folder)


def _names_gtzan(base: str, folder: Path) -> str | None:
    began = f"it was tuned from {base}, which knows GTZAN already"
    if "gtzan" in base.casefold():
        return f"{began} (its name says so)"
    header, text = read_card(folder / "README.md")
    trained = r"(?:tuned|trained)\b(?:(?!evaluat|test|benchmark)[^\n]){0,200}gtzan"
    if "gtzan" in str(header.get("datasets")).casefold() or re.search(trained, text, re.IGNORECASE):
        return f"{began} (its card names GTZAN as training data)"
    labels = _labels(folder / "config.json")
    if len(labels) == len(GTZAN_GENRES) and {gtzan_name(label) for label in labels} == set(GTZAN_GENRES):
        return f"{began} (its config has GTZAN's ten genres as labels)"
    return None


def _labels(config: Path) -> list[str]:
    try:
        value: Any = json.loads(config.read_text(encoding="utf-8"))
        return [str(label) for label in value["id2label"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
