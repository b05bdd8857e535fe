"""The paper's figures (`paper.json`) and those of others (`published.json`), each with the place that it was read from.

Marzuqi and Nastiti, "A Comparative Analysis of Optimized Neural Network and Large-Scale Language Models for Music Genre
Classification", JURTEKSI XI(4), 2025. Every number of the paper is in the file, and nowhere else in this package but for
the cards' four (`mgc_hf.cards.paper`).
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from mgc_hf.results import AverageScores


@dataclass(frozen=True)
class PaperSystem:
    """A system of the paper.

    Args:
        key (`str`): `lstm`, `hubert`, `wavlm` or `wav2vec2`.
        title (`str`): Its name.
        table (`str`): The table of its scores per genre.
        curves, matrix (`str`): The images of its training and of its confusion matrix.
        genres (`dict[str, AverageScores]`): Precision, recall and F1 of each genre, fractions.
        averages (`dict[str, AverageScores]`): The same of `macro` and `weighted`.
        table_accuracy (`float`): Accuracy as the table has it, fraction.
        accuracy (`float`): Accuracy of Table 5, fraction.
    """

    key: str
    title: str
    table: str
    curves: str
    matrix: str
    genres: dict[str, AverageScores]
    averages: dict[str, AverageScores]
    table_accuracy: float
    accuracy: float


@cache
def paper() -> dict[str, Any]:
    """Return `paper.json`."""
    return _read("paper.json")


@cache
def published() -> dict[str, Any]:
    """Return `published.json`."""
    return _read("published.json")


@cache
def paper_systems() -> dict[str, PaperSystem]:
    """Return the paper's systems by key, in the order of its Table 5."""
    content = paper()
    systems = {}
    for key, accuracy in content["final"]["accuracy"].items():
        about = content["systems"][key]
        table = content["tables"][about["table"]]
        systems[key] = PaperSystem(
            key=key,
            title=about["title"],
            table=about["table"],
            curves=about["curves"],
            matrix=about["matrix"],
            genres={genre: AverageScores(*scores) for genre, scores in table["genres"].items()},
            averages={name: AverageScores(*table[name]) for name in ("macro", "weighted")},
            table_accuracy=table["accuracy"],
            accuracy=accuracy,
        )
    return systems


def accuracies_stated(key: str) -> list[tuple[float, str, str]]:
    """Return every accuracy that the paper gives for a system: fraction, `test` or `validation accuracy`, where.

    Args:
        key (`str`): As in [`PaperSystem`].
    """
    content, system = paper(), paper_systems()[key]
    stated = [
        (item["value"], item["metric"], item["where"])
        for item in content["statements"]
        if item["system"] == key and item["metric"] in ("test accuracy", "validation accuracy")
    ]
    stated.append((system.table_accuracy, "test accuracy", system.table))
    stated.append((system.accuracy, "test accuracy", content["final"]["table"]))
    return stated


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
    return content
