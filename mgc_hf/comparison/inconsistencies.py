"""Where the paper contradicts itself: computed from its own figures (`paper.json`), nothing of ours in it."""

import itertools
from collections.abc import Sequence

import numpy as np

from mgc_hf.comparison.formatting import counted, listed, number, percent, share
from mgc_hf.comparison.paper import PaperSystem, accuracies_stated, paper, paper_systems
from mgc_hf.comparison.sections import Cell, Section, Table

#: Half a unit of the last digit that the paper's tables print.
_ROUNDING = 0.005
#: Items of a genre that are tried as the size of a test part.
_MOST_ITEMS = 200


def inconsistencies() -> list[Section]:
    """Return the page on the paper's inconsistencies."""
    return [_equal_tables(), _accuracies(), _recalls(), _f1(), _samples(), _words()]


def equal_cells(one: PaperSystem, other: PaperSystem) -> tuple[int, int]:
    """Return in how many cells the tables of two systems are equal, and how many there are."""
    cells = [_cells(system) for system in (one, other)]
    return sum(cells[0][name] == cells[1][name] for name in cells[0]), len(cells[0])


def mean_recall(system: PaperSystem) -> float:
    """Return the mean of a table's recalls: the accuracy, where genres have equally many test items."""
    return float(np.mean([scores.recall for scores in system.genres.values()]))


def smallest_support(values: Sequence[float]) -> int | None:
    """Return the fewest items a genre of which every value can be a share, rounded to two digits; `None`: not to 200."""
    for count in range(1, _MOST_ITEMS + 1):
        if all(abs(round(value * count) / count - value) <= _ROUNDING + 1e-9 for value in values):
            return count
    return None


def odd_f1(system: PaperSystem) -> list[str]:
    """Return the genres whose F1 cannot come from their precision and recall, however these were rounded."""
    found = []
    for genre, scores in system.genres.items():
        ends = [
            _harmonic(scores.precision + side, scores.recall + side) + side for side in (-_ROUNDING, _ROUNDING)
        ]  # F1 rises with both
        if not ends[0] - 1e-9 <= scores.f1 <= ends[1] + 1e-9:
            found.append(genre)
    return found


def _equal_tables() -> Section:
    pairs = []
    for one, other in itertools.combinations(paper_systems().values(), 2):
        same, total = equal_cells(one, other)
        pairs.append((one, other, same, total))
    rows = [
        [
            Cell(f"{one.table} ({one.title}) and {other.table} ({other.title})"),
            number(same, mark="warning" if same == total else None),
            number(total),
        ]
        for one, other, same, total in pairs
    ]
    copies = [
        f"{other.table} ({other.title}) repeats {one.table} ({one.title}) in every one of its {total} cells, its accuracy of "
        f"{other.table_accuracy:.2f} included, while Table 5 gives {percent(one.accuracy, 2)} and "
        f"{percent(other.accuracy, 2)}: the scores per genre of one of the two are not in the paper."
        for one, other, same, total in pairs
        if same == total
    ]
    table = Table("equal-tables", "Equal cells", ["Tables", "Equal cells", "Cells"], rows)
    return Section("equal-tables", "One table stands twice", copies, [], [table], page="inconsistencies")


def _accuracies() -> Section:
    rows, words = [], []
    for system in paper_systems().values():
        stated = accuracies_stated(system.key)
        values = sorted({round(value, 4) for value, _, _ in stated})
        spread = max(values) - min(values)
        # 0.97 for 97.10 % is rounding, 0.86 for 83 % is not
        apart = spread > _ROUNDING
        for value in values:
            places = [
                f"{where} ({metric})" if metric != "test accuracy" else where
                for found, metric, where in stated
                if round(found, 4) == value
            ]
            rows.append(
                [
                    Cell(system.title),
                    Cell(percent(value, 2), value, "warning" if apart else None),
                    Cell(listed(places)),
                ]
            )
        if apart:
            words.append(
                f"{system.title} has {counted(len(values), 'accuracy', 'accuracies')}: "
                f"{listed([percent(value, 0) for value in values])}."
            )
        validation = {round(value, 4) for value, metric, _ in stated if metric == "validation accuracy"}
        if validation & {round(value, 4) for value, metric, _ in stated if metric == "test accuracy"}:
            words.append(
                f"{system.title}: accuracy of validation and of test are the same figure "
                f"({percent(min(validation), 0)}), as if the part that chose the epoch was also the test part."
            )
    table = Table("accuracies", "Every accuracy in the paper", ["System", "Accuracy", "Where"], rows)
    return Section("accuracies", "One system, several accuracies", words, [], [table], page="inconsistencies")


def _recalls() -> Section:
    rows, words = [], []
    for system in paper_systems().values():
        mean = mean_recall(system)
        low, high = mean - _ROUNDING, mean + _ROUNDING
        exact = _are_exact(system)
        possible = abs(mean - system.accuracy) < 1e-9 if exact else low <= system.accuracy <= high
        rows.append(
            [
                Cell(f"{system.title}, {system.table}"),
                number(100 * mean, ".1f", " %"),
                Cell("exact, if each genre has 20 test items" if exact else f"{100 * low:.1f} to {100 * high:.1f} %"),
                Cell(percent(system.accuracy, 2), system.accuracy, "paper"),
                Cell("yes" if possible else "no", mark=None if possible else "warning"),
            ]
        )
        if abs(mean - system.accuracy) > 1e-9:
            about = (
                "its recalls are all multiples of 0.05, so with equally many items a genre they are exact, and the two differ"
                if exact and not possible
                else "rounding of the recalls, or genres of unequal size, can explain it"
                if possible
                else "rounding alone does not explain it"
            )
            words.append(
                f"{system.title}: the recalls of {system.table} average {100 * mean:.1f}, its accuracy is "
                f"{100 * system.accuracy:.2f}: {about}."
            )
    note = "With equally many test items a genre, as the paper calls its data balanced, the mean of the recalls is the accuracy."
    columns = ["Table", "Mean of its recalls", "What rounding leaves", "Accuracy in Table 5", "Can both be"]
    table = Table("recalls", "Recalls and accuracy", columns, rows, note)
    return Section(
        "recalls", "Recalls that do not average to the accuracy", words, [], [table], page="inconsistencies"
    )


def _f1() -> Section:
    rows = []
    for system in paper_systems().values():
        odd = odd_f1(system)
        macro = float(np.mean([scores.f1 for scores in system.genres.values()]))
        low = [genre for genre, scores in system.genres.items() if scores.f1 <= _lowest_claimed(system)]
        rows.append(
            [
                Cell(f"{system.title}, {system.table}"),
                Cell(listed(odd) or "none", mark="warning" if odd else None),
                share(macro, digits=3),
                share(system.averages["macro"].f1, "paper"),
                Cell(f"over {_lowest_claimed(system):.2f}" if _lowest_claimed(system) else "nothing"),
                Cell(listed(low) or "none", mark="warning" if low else None),
            ]
        )
    columns = [
        "Table",
        "Genres whose F1 does not follow from precision and recall",
        "Mean of its F1",
        "Macro F1 as printed",
        "The text says of every F1",
        "Genres that are not",
    ]
    note = (
        "Precision and recall are taken as rounded to two digits: what no values that round to them can give is named."
    )
    table = Table("f1", "F1", columns, rows, note)
    return Section("f1", "F1 against precision and recall", [], [], [table], page="inconsistencies")


def _samples() -> Section:
    statements = {(item["metric"], item["system"]): item["value"] for item in paper()["statements"]}
    clips, genres = statements["clips of GTZAN", None], statements["genres", None]
    samples = statements["raw audio samples", "hubert"]
    each = samples // genres
    rows = []
    for system in paper_systems().values():
        support = smallest_support([scores.recall for scores in system.genres.values()])
        step = "not up to 200" if support is None else f"{support} ({support * genres} in all)"
        rows.append([Cell(f"{system.title}, {system.table}"), Cell(step, support)])
    words = [
        f'The paper fine-tunes the speech models on "{samples} raw audio samples" of GTZAN\'s {clips:,}. That can be read in '
        f"two ways: {each} training clips of each genre, with the others to test on; or {each} test clips of each genre, "
        f"with {clips // genres - each} of each genre to train on (a test part of {samples / clips:.0%}).",
        f"The tables speak for the second: all recalls of the speech models are multiples of 1/{each}, as of {each} test clips "
        "a genre. The text speaks for the first, since it gives the cost of training as the reason.",
        f"--train_tracks_per_genre {each} is the one, --test_tracks_per_genre {each} --validation_fraction 0 the other. Either "
        "way the LSTM is trained on another number of examples than the models that it is compared with "
        f"(about {statements['segmented samples, augmented', 'lstm']:,} augmented segments).",
    ]
    note = "The fewest test items a genre, equally many in each, of which all recalls of a table can be shares."
    table = Table("samples", "Test items that the recalls tell of", ["Table", "Fewest items a genre"], rows, note)
    return Section("samples", "What 200 raw audio samples can mean", words, [], [table], page="inconsistencies")


def _words() -> Section:
    rows = [[Cell(item["topic"]), Cell(item["says"], mark="paper"), Cell(item["where"])] for item in paper()["words"]]
    words = [
        "Statements that do not go together, topic by topic. The paper also compares an LSTM tested on segments of tracks "
        "that it was trained on with models tested on other clips; those figures answer two questions."
    ]
    table = Table("words", "Statements", ["Topic", "The paper says", "Where"], rows)
    return Section("words", "Words against words", words, [], [table], page="inconsistencies")


def _are_exact(system: PaperSystem) -> bool:
    """Whether all recalls are multiples of 1/20, which two digits print without rounding."""
    return all(abs(scores.recall * 20 - round(scores.recall * 20)) < 1e-9 for scores in system.genres.values())


def _cells(system: PaperSystem) -> dict[str, float]:
    """Return a table's cells by name."""
    rows = {**system.genres, **{f"{name} average": scores for name, scores in system.averages.items()}}
    cells: dict[str, float] = {
        f"{row}, {column}": value for row, scores in rows.items() for column, value in vars(scores).items()
    }
    return {**cells, "accuracy": system.table_accuracy}


def _harmonic(precision: float, recall: float) -> float:
    precision, recall = min(precision, 1.0), min(recall, 1.0)
    return 2 * precision * recall / (precision + recall)


def _lowest_claimed(system: PaperSystem) -> float:
    """Return the F1 that the text says every genre is over; 0 where it says none."""
    found = [
        item["value"]
        for item in paper()["statements"]
        if item["system"] == system.key and item["metric"].startswith("lowest F1")
    ]
    return float(found[0]) if found else 0.0
