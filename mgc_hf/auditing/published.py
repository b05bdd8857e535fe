"""`audit_model`: what a published card leaves out that one must know to trust its figure; any card on the Hub.

Read are the card's header and text, `config.json` and, where they are there, our `results.json` and `recordings.json`.
Weights are fetched only to be judged again on data that the user has.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mgc_hf import outputs
from mgc_hf.cards.reading import read_card
from mgc_hf.contamination import find_contamination
from mgc_hf.errors import CheckpointError, OptionError, RecordError
from mgc_hf.evaluation.intervals import wilson
from mgc_hf.files import write_json
from mgc_hf.hub import find_run
from mgc_hf.models.checkpoint import is_local
from mgc_hf.results import Interval, LevelScores, RunResult, format_interval
from mgc_hf.schema import to_plain

#: Raised whenever a key of the JSON is added, removed or changes meaning.
PUBLISHED_AUDIT_SCHEMA_VERSION = 1

_CARD, _CONFIG = "README.md", "config.json"
_COUNTED = r"(?:tracks|clips|songs|files|examples|samples|excerpts|recordings|pieces)"
_NUMBER = r"(\d{1,3}(?:,\d{3})+|\d+)"
_N = (
    rf"\bn\s*=\s*{_NUMBER}\b",
    rf"\b{_NUMBER}\s+(?:test|held-out|evaluation|unseen)\s+{_COUNTED}",
    rf"\b(?:tested|evaluated|evaluation|measured)\s+on\s+(?:the\s+|a\s+)?{_NUMBER}\s+{_COUNTED}",
    rf"\btest\s+(?:set|part|split)\s+of\s+{_NUMBER}\b",
)
_INTERVAL = r"confidence interval|\b9[059]\s?%\s*(?:CI|interval|\[)|±|\+/-|\bCI\b|standard deviation|std\. dev"
_DIVISION = (
    r"fault[ -]filtered|cross[ -]validat|\bk-?fold|artist[ -](?:filter|split|disjoint|condition)|train_test_split|"
    r"\b\d{1,2}\s?[/:%-]\s?\d{1,2}\s?%?[^.\n]{0,40}\bsplit|\bsplit\b[^.\n]{0,40}\b\d{1,2}\s?[/:%-]\s?\d{1,2}"
)


@dataclass(frozen=True)
class PublishedFigure:
    """A figure as it was published: a fraction from 0 to 1, with what is said of it (`None`: not said)."""

    metric: str
    value: float
    dataset: str | None = None
    split: str | None = None
    protocol: str | None = None
    n: int | None = None
    ci95: list[float] | None = None


@dataclass(frozen=True)
class Lack:
    """What is missing, or wrong: a key for programs and words for people."""

    key: str
    text: str


@dataclass(frozen=True)
class PublishedAudit:
    """What an audit of a published model found.

    Args:
        source (`str`): Hub id, or the folder's name.
        commit (`str`, *optional*): Commit on the Hub.
        figures (`tuple[PublishedFigure, ...]`): What is claimed; the first is the headline.
        lacks (`tuple[Lack, ...]`): What is missing to trust it.
        notes (`tuple[str, ...]`): What a reader should know besides.
        again (`PublishedFigure`, *optional*): Accuracy of tracks when the weights were judged here; `None`: not asked
            for, or it could not be done (then that is among the lacks).
    """

    source: str
    commit: str | None
    figures: tuple[PublishedFigure, ...]
    lacks: tuple[Lack, ...]
    notes: tuple[str, ...] = ()
    again: PublishedFigure | None = None

    @property
    def exit_status(self) -> int:
        """1 where something is missing or wrong, else 0."""
        return int(bool(self.lacks))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON types."""
        plain = to_plain(self, "audit")
        return {"schema_version": PUBLISHED_AUDIT_SCHEMA_VERSION, "exit_status": self.exit_status, **plain}

    def save(self, path: str | Path) -> None:
        """Write `to_dict` as JSON, atomically."""
        write_json(path, self.to_dict())

    def summary(self) -> str:
        """Return the audit in lines of text."""
        lines = [f"{self.source}{f' ({self.commit[:7]})' if self.commit else ''}"]
        lines += [f"  published: {_told(figure)}" for figure in self.figures]
        if self.again is not None:
            lines.append(f"  here:      {_told(self.again)}")
        lines += self.notes
        if self.lacks:
            lines.append(f"missing or wrong, for the figure to be trusted: {len(self.lacks)}")
            lines += [f"  {lack.key}: {lack.text}" for lack in self.lacks]
        else:
            lines.append("nothing is missing: data, protocol, n and interval are stated, and no leak is known")
        return "\n".join(lines)


def _told(figure: PublishedFigure) -> str:
    interval = "" if figure.ci95 is None else f" [{100 * figure.ci95[0]:.1f}, {100 * figure.ci95[1]:.1f}]"
    said = [
        figure.dataset or "data not named",
        f"protocol {figure.protocol}" if figure.protocol else f"split {figure.split}" if figure.split else "no split",
        "n not given" if figure.n is None else f"n = {figure.n}",
    ]
    return f"{figure.metric} {100 * figure.value:.1f} %{interval} ({', '.join(said)})"


def audit_model(
    source: str | Path,
    dataset: str | None = None,
    split: Sequence[str] = (),
    *,
    revision: str | None = None,
    dataset_revision: str | None = None,
    **options: Any,
) -> PublishedAudit:
    """Say what is missing to trust the figure of a published model.

    Args:
        source (`str` or `Path`): Hub id, or a model's folder.
        dataset (`str`, *optional*): Data to judge the weights on again: any source that `load_gtzan` takes.
        split (`Sequence[str]`, *optional*): A split file of mgc_hf; only its test part is judged.
        revision (`str`, *optional*): Branch, tag or commit of a Hub id.
        dataset_revision (`str`, *optional*): Revision of a Hub data set.
        options: Further options of [`evaluate`], for `dataset`.

    Returns:
        [`PublishedAudit`]

    Raises:
        CheckpointError: There is no such model, or the Hub gives nothing.
        OptionError: A folder that is no model's, a split without data, or one that is no split file of mgc_hf.
        MgcHfError: The data cannot be read, or its genres are not the model's.
    """
    if split and (dataset is None or len(split) > 1 or not split[0].endswith(".json")):
        raise OptionError("--split of a model is a split.json, and needs --dataset, whose test part is judged")
    folder, commit = find_run(str(source), (_CARD, _CONFIG, outputs.RESULTS, outputs.RECORDINGS), revision)
    if commit is None and not any((folder / name).is_file() for name in (_CARD, _CONFIG, outputs.RESULTS)):
        raise OptionError(
            f"{source} holds no card ({_CARD}) and no model ({_CONFIG}); data are audited with --dataset {source}"
        )
    record, unread = _record(folder)
    card = _Card.read(folder)
    figures = _figures_of(record) if record else card.figures()
    lacks = [*unread, *(_lacks_of(record) if record else card.lacks(figures))]
    if not (folder / outputs.RECORDINGS).is_file():
        lacks.append(
            Lack(
                "recordings_not_published",
                "which recordings it was trained on is not published, so nobody can check it",
            )
        )
    base = record.model.base_model if record else card.base_model
    told = any(lack.key == "contaminated_base" for lack in lacks)  # the record may say so itself
    # a run that was resumed names itself; what a local base was, nobody else can see
    if base and base != str(source) and not (told or is_local(base)) and (tuned := find_contamination(base)):
        lacks.append(Lack("contaminated_base", f"it was tuned from {base}, which knows GTZAN already: {tuned}"))
    notes = [
        f"95 % Wilson interval of {100 * figure.value:.1f} % of {figure.n}: {100 * low:.1f} to {100 * high:.1f} %"
        for figure in figures[:1]
        if figure.n and figure.ci95 is None and figure.metric == "accuracy"
        for low, high in [wilson(round(figure.value * figure.n), figure.n) or (0.0, 1.0)]
    ]
    again = None
    if dataset is not None:
        again, more = _judged_again(
            str(source), dataset, split, revision=revision, dataset_revision=dataset_revision, **options
        )
        lacks += more
    name = outputs.display_name(str(source))
    return PublishedAudit(name, commit, tuple(figures), tuple(lacks), tuple(notes), again)


def _record(folder: Path) -> tuple[RunResult | None, list[Lack]]:
    path = folder / outputs.RESULTS
    if not path.is_file():
        return None, []
    try:
        return RunResult.load(path), []
    except RecordError as error:
        reason = str(error).removeprefix(f"{path}: ")
        return None, [Lack("record_unreadable", f"its {outputs.RESULTS} cannot be read ({reason})")]


def _figures_of(record: RunResult) -> list[PublishedFigure]:
    def figure(level: str, scores: LevelScores) -> PublishedFigure:
        metric = "accuracy" if level == "track" else "accuracy of segments"
        accuracy = scores.accuracy
        tested = record.data.tested[0]
        return PublishedFigure(metric, accuracy.value, tested, "test", record.protocol, scores.n, accuracy.ci95)

    return [figure(level, scores) for level, scores in record.levels.items()]


def _lacks_of(record: RunResult) -> list[Lack]:
    lacks = []
    if record.leaky:
        lacks.append(Lack("leaks", f"its split leaks: {record.split.statement}"))
    elif record.split.verdict is not None and record.split.verdict.status == "leaks":
        lacks.append(Lack("leaks", record.split.statement))
    elif record.leaky is None:
        lacks.append(Lack("leak_not_known", "it is not known whether its test tracks were trained on"))
    if record.segment.accuracy.ci95 is None:
        lacks.append(Lack("no_interval", "no interval was computed"))
    if record.data.is_demo:
        lacks.append(Lack("synthetic_data", "its data is the synthetic demo corpus: it says nothing about real music"))
    if record.model.contamination:
        lacks.append(Lack("contaminated_base", record.model.contamination))
    return lacks


def _judged_again(
    source: str, dataset: str, split: Sequence[str], **options: Any
) -> tuple[PublishedFigure | None, list[Lack]]:
    from mgc_hf.evaluating import evaluate

    try:
        result = evaluate(source, dataset, split=split[0] if split else None, **options)
    except CheckpointError as error:
        return None, [Lack("not_judged_again", str(error))]
    figure = replace(_figures_of(result)[0], split=None)
    accuracy = Interval(figure.value, figure.ci95)
    if result.leaky:
        return figure, [Lack("leaks_here", f"{format_interval(accuracy)} here is no test: {result.split.statement}")]
    return figure, []


@dataclass(frozen=True)
class _Card:
    """A model card: its header as far as it can be read, and its text."""

    header: dict[str, Any]
    text: str
    config: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "_Card":
        header, text = read_card(folder / _CARD)
        config = {}
        if (folder / _CONFIG).is_file():
            try:
                config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
            except ValueError:
                config = {}
        return cls(header, text, config if isinstance(config, dict) else {})

    @property
    def base_model(self) -> str | None:
        """The model that this one was tuned from, if it says so."""
        said = self.header.get("base_model") or self.config.get("_name_or_path")
        if isinstance(said, list):
            said = said[0] if said else None
        return said if isinstance(said, str) and said else None

    def figures(self) -> list[PublishedFigure]:
        """Return the accuracies that are claimed, those of the header before those of the text."""
        from_header = [
            figure
            for entry in _entries(self.header.get("model-index"), "results")
            for figure in _of_entry(entry, self.n())
        ]
        if from_header:
            return from_header
        # as the Trainer writes it: "- Accuracy: 0.83"
        found = re.search(r"^\s*[-*]\s*\**(?:eval_)?accuracy\**\s*[:=]\s*([\d.]+)\s*(%?)", self.text, re.I | re.M)
        value = _fraction(found[1] + found[2]) if found else None
        return [] if value is None else [PublishedFigure("accuracy", value, self._dataset(), None, n=self.n())]

    def _dataset(self) -> str | None:
        named = self.header.get("datasets")
        named = named[0] if isinstance(named, list) and named else named
        return named if isinstance(named, str) and named else None

    def n(self) -> int | None:
        """How many items were tested on, if the text says so."""
        for pattern in _N:
            if found := re.search(pattern, self.text, re.IGNORECASE):
                return int(found[1].replace(",", ""))
        return None

    def lacks(self, figures: Sequence[PublishedFigure]) -> list[Lack]:
        """Return what the card does not say of its figures, or says that should worry a reader."""
        if not figures:
            return [Lack("no_figure", "neither the card's header (model-index) nor its text states an accuracy")]
        headline, lacks = figures[0], []
        if headline.dataset is None:
            lacks.append(Lack("dataset_not_named", "the data that the figure is of is not named"))
        divided = re.search(_DIVISION, self.text, re.IGNORECASE) or headline.protocol
        if headline.split == "train":
            lacks.append(
                Lack(
                    "evaluated_on_train",
                    f"the figure is stated for the split train of {headline.dataset}"
                    + (
                        ""
                        if divided
                        else ": either it was tested on what it was trained on, or on a part of it that is not named"
                    ),
                )
            )
        elif not divided:
            of = f"the split is called {headline.split}, but " if headline.split else ""
            lacks.append(
                Lack(
                    "split_not_named",
                    f"{of}how the data was divided is not said: by segment, track or artist, and by which draw",
                )
            )
        if headline.n is None:
            lacks.append(Lack("no_n", "how many tracks were tested on is not said"))
        if headline.ci95 is None and not re.search(_INTERVAL, self.text, re.IGNORECASE):
            lacks.append(Lack("no_interval", "no interval, nor a spread over seeds or folds"))
        best = _best_epoch(self.text, headline.value)
        if best is not None:
            lacks.append(
                Lack(
                    "epoch_chosen_on_test",
                    f"the figure is that of epoch {best[0]:g}, the best of {best[1]} by the very set that it is reported on",
                )
            )
        return lacks


def _entries(value: Any, key: str) -> list[dict[str, Any]]:
    """Return the dictionaries listed under a key of a list of dictionaries, whatever else is there."""
    found = []
    for item in value if isinstance(value, list) else []:
        listed = item.get(key) if isinstance(item, dict) else None
        found += [entry for entry in (listed if isinstance(listed, list) else []) if isinstance(entry, dict)]
    return found


def _of_entry(entry: dict[str, Any], n: int | None) -> list[PublishedFigure]:
    data = entry.get("dataset")
    data = data if isinstance(data, dict) else {}
    arguments = data.get("args")
    arguments = arguments if isinstance(arguments, dict) else {}
    named = data.get("name") or data.get("type")
    split = data.get("split")
    figures = []
    for metric in _entries([entry], "metrics"):
        value = _fraction(metric.get("value"))
        if value is None or "accuracy" not in f"{metric.get('type')} {metric.get('name')}".casefold():
            continue
        figures.append(
            PublishedFigure(
                "accuracy of segments" if "segment" in str(metric.get("name")) else "accuracy",
                value,
                str(data.get("type") if "/" in str(data.get("type")) else named) if named else None,
                str(split) if split else None,
                arguments.get("protocol") if isinstance(arguments.get("protocol"), str) else None,
                n,
            )
        )
    return figures


def _fraction(value: Any) -> float | None:
    """Return a share from 0 to 1, however it was written: 0.83, 83.0, `83 %`."""
    try:
        number = float(str(value).replace("%", "").strip())
    except ValueError:
        return None
    number = number / 100 if number > 1 or "%" in str(value) else number
    return number if 0 <= number <= 1 else None


def _best_epoch(text: str, value: float) -> tuple[float, int] | None:
    """Find the figure in the Trainer's table of epochs.

    Returns:
        `tuple[float, int]`: Epoch and number of epochs, where the figure is the best of the table and a later epoch is
            worse; `None` for any other.
    """
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if "|" in line]
    header = next((row for row in rows if "Epoch" in row and "Accuracy" in row and "Validation Loss" in row), None)
    if header is None:
        return None
    epochs = []
    for row in rows[rows.index(header) + 1 :]:
        if len(row) != len(header):
            break
        accuracy = _fraction(row[header.index("Accuracy")])
        if accuracy is not None and re.fullmatch(r"[\d.]+", row[header.index("Epoch")]):
            epochs.append((float(row[header.index("Epoch")]), accuracy))
    if not epochs:
        return None
    epoch, best = max(epochs, key=lambda one: one[1])
    if abs(best - value) < 5e-4 and epochs[-1][1] < best - 5e-4:
        return epoch, len(epochs)
    return None
