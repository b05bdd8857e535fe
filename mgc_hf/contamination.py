"""Weights that know GTZAN already: fine-tuned on it by whoever published them, they may know the test part too.

What is looked at is what a checkpoint says of itself: its card, its configuration, our own record of it. A checkpoint that
says nothing may know GTZAN all the same.
"""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mgc_hf import outputs
from mgc_hf.cards.reading import read_card
from mgc_hf.data.facts import gtzan_genre
from mgc_hf.data.sources import Corpus
from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.hub import fetch_files
from mgc_hf.labels import GTZAN_GENRES, gtzan_name

logger = logging.getLogger(__name__)

_CONFIG = "config.json"
_NAME = "gtzan"
_TRAINED = re.compile(r"(?:tuned|trained)\b(?:(?!evaluat|test|benchmark)[^\n]){0,200}gtzan", re.IGNORECASE)


def check_base(name_or_path: str, tested: Corpus, allowed: bool) -> str | None:
    """Look whether the weights that a run begins from know the data that it is tested on.

    Args:
        name_or_path (`str`): Folder or Hub id of the checkpoint.
        tested ([`Corpus`]): Data that the test part is of.
        allowed (`bool`): Whether the user insists.

    Returns:
        `str` or `None`: Why they may know the test part, in words for record and card; `None` where nothing tells so.

    Raises:
        OptionError: They may, and the user does not insist.
    """
    if not tested.is_gtzan:
        return None
    why = find_contamination(name_or_path)
    if why is None or allowed:
        return why
    raise OptionError(
        f"--model_name_or_path {outputs.display_name(name_or_path)}: {why}, and the test part is of GTZAN too: it may have "
        "been trained on, and no figure would say how the model does on unseen music. Begin from weights that do not know "
        "GTZAN, or insist by --allow_contaminated true; record and card then say so"
    )


def find_contamination(name_or_path: str, revision: str | None = None) -> str | None:
    """Say why a checkpoint may have been trained on GTZAN; `None` where nothing tells so, or nothing can be read.

    Args:
        name_or_path (`str`): Folder or Hub id.
        revision (`str`, *optional*): Branch, tag or commit of a Hub id.
    """
    from mgc_hf.models.checkpoint import is_local

    folder = Path(name_or_path).expanduser()
    if not is_local(name_or_path):
        if _NAME in name_or_path.rpartition("/")[2].casefold():
            return "its name names GTZAN"
        try:
            folder = fetch_files(name_or_path, [outputs.CARD, outputs.RESULTS, outputs.RECORDINGS, _CONFIG], revision)
        except CheckpointError as error:
            logger.warning("%s; so whether its card names GTZAN as its training data is not known", error)
            return None
    return contamination_in(folder)


def contamination_in(folder: Path) -> str | None:
    """Say why the checkpoint in a folder may have been trained on GTZAN; weights are not needed."""
    return next(_signs(folder), None)


def inherited_contamination(folder: Path) -> str | None:
    """Return why the weights that a model of ours began from may know its test part, by its record."""
    return _value(_json(folder / outputs.RESULTS), "model", "contamination")


def _signs(folder: Path) -> Iterator[str]:
    record = _json(folder / outputs.RESULTS)
    if inherited := _value(record, "model", "contamination"):
        yield f"its own base is contaminated ({inherited})"
    is_demo = _value(record, "data", "is_demo") is True
    if not is_demo:
        sources = [_value(record, "data", name) for name in ("source", "test_source")]
        if _value(record, "training") is not None and any(_names(source) for source in sources):
            yield f"its {outputs.RESULTS} says that it was trained on {next(filter(_names, sources))}"
        tracks = _value(_json(folder / outputs.RECORDINGS), "tracks")
        heard = [item for part in ("train", "validation") for item in (tracks or {}).get(part, {})]
        if heard and 2 * sum(gtzan_genre(item) is not None for item in heard) > len(heard):
            yield f"its {outputs.RECORDINGS} lists tracks of GTZAN ({sorted(heard)[0]}, ...)"
        yield from _signs_of_card(folder / outputs.CARD)
    named = sorted(key for key, value in _json(folder / _CONFIG).items() if _names(value))
    if named:
        yield f"its {_CONFIG} names GTZAN ({', '.join(named)})"

    labels = _labels(_json(folder / _CONFIG))
    if len(labels) == len(GTZAN_GENRES) and {gtzan_name(label) for label in labels} == set(GTZAN_GENRES):
        yield f"its {_CONFIG} has GTZAN's ten genres as labels"


def _signs_of_card(card: Path) -> Iterator[str]:
    header, text = read_card(card)
    for key in ("datasets", "base_model", "model-index", "tags"):
        if _names(header.get(key)):
            yield f"its card names GTZAN ({key})"
    if _TRAINED.search(text):
        yield "its card says in its text that it was trained on GTZAN"


def _labels(config: dict[str, Any]) -> list[str]:
    labels = config.get("id2label")
    return [str(label) for label in labels.values()] if isinstance(labels, dict) else []


def _names(value: Any) -> bool:
    """Whether GTZAN is named in a text, or in any text within lists and objects."""
    if isinstance(value, dict):
        return any(map(_names, value.values()))
    if isinstance(value, list):
        return any(map(_names, value))
    return isinstance(value, str) and _NAME in value.casefold()


def _json(path: Path) -> dict[str, Any]:
    """Return the object in a file; an empty one where there is none that can be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _value(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
