"""The record: every value that reaches `results.json`, and from there pictures, cards, reports and the Hub.

One `RunResult` is one run (or one evaluation of a finished model). A value that was not measured is `None`, never 0.
Reading is as strict as writing: an unknown, missing or mistyped key is refused by name. `docs/results.md` is the same
schema in words. Standard library only, so that anything can read a record.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_hf.errors import RecordError, as_record_errors
from mgc_hf.files import write_json
from mgc_hf.schema import from_plain, refuse_constant, to_plain

#: Raised whenever a key is added, removed or changes meaning.
#: Version 2 added the keys whose fields have a default; version 1 is read, and has not measured them.
SCHEMA_VERSION = 2

#: Every picture of a run and its file in the model folder: `mgc_hf.pictures` draws them, the card shows them.
PICTURE_FILES = {
    "class_distribution": "images/class_distribution.png",
    "waveforms": "images/waveforms.png",
    "mel_spectrograms": "images/mel_spectrograms.png",
    "training_curves": "images/training_curves.png",
    "confusion_matrix_track": "images/confusion_matrix_track.png",
    "confusion_matrix_segment": "images/confusion_matrix_segment.png",
    "reliability": "images/reliability.png",
}

#: Type of the model that every other is compared with: the floor, which is not compared with itself.
FLOOR_MODEL = "stats_floor"

#: The figures in the Hub's own format, and the clips of the synthetic demo corpus that the model's page offers to try:
#: `mgc_hf.cards` writes them, beside the licence's text.
EVAL_RESULTS_FILE = ".eval_results/mgc_hf.yaml"
WIDGET_FILES = {genre: f"widget/{genre}.mp3" for genre in ("classical", "jazz", "metal")}


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % confidence interval.

    `value` and `ci95` are fractions in 0..1; `ci95` is `[low, high]`, or `None` where it was not computed.
    """

    value: float
    ci95: list[float] | None


@dataclass(frozen=True)
class GenreScores:
    """Precision, recall and F1 of one genre (fractions, 0 where undefined) and its number of true items.

    `recall_ci95` is Wilson's interval of the recall, of as many trials as the genre has tracks; `None` without support.
    """

    precision: float
    recall: float
    f1: float
    support: int
    recall_ci95: list[float] | None = None


@dataclass(frozen=True)
class AverageScores:
    """Precision, recall and F1 averaged over genres (macro: unweighted over genres with support; weighted: by support)."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ReliabilityBin:
    """Items whose highest probability lies in `(low, high]` (the first bin holds 0 too).

    `confidence` is the mean of their highest probability, `accuracy` the share of them that is right; both `None` in an
    empty bin.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """Whether probabilities mean what they say.

    `ece` is the expected calibration error over `bins`. `temperature` divides logits so that the validation part is
    likeliest (of tracks, the logarithms of their mean probabilities), and `ece_at_temperature` is the test part's error
    then; both `None` without a validation part.
    """

    ece: float
    temperature: float | None
    ece_at_temperature: float | None
    bins: list[ReliabilityBin]


@dataclass(frozen=True)
class LevelScores:
    """All figures of the test part at one level, `track` or `segment`.

    `loss` is the mean cross-entropy (nats) of the level's probabilities. Rows of `confusion_matrix` are true genres,
    columns predicted ones, both in the order of `DataRecord.genres`; entries are counts. `top2_accuracy` is `None` with
    fewer than three genres. `accuracy_by_artist` is the accuracy again, its interval from resampling artists with all
    their tracks; `None` where no artist is known.
    """

    n: int
    accuracy: Interval
    macro_f1: Interval
    loss: float
    per_genre: dict[str, GenreScores]
    macro: AverageScores
    weighted: AverageScores
    confusion_matrix: list[list[int]]
    top2_accuracy: Interval | None = None
    accuracy_by_artist: Interval | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class SkippedFile:
    """A file left out of the data, by its name relative to the source, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class DataRecord:
    """Where the audio came from and what of it was used.

    `source` is a Hub id (`owner/name`), `demo`, or the last component of a local path (never the whole path, and so
    without a slash). `test_source` and `test_revision` are set where the test part comes from other data. `is_demo` is
    true where any part is of the synthetic demo corpus. `tracks` and `segments` give counts per part and genre; where
    segments are split regardless of track (`SplitRecord.unit` is `segment`), a track counts in every part that holds
    one of its segments. `faults_left_out` counts the known faults of GTZAN among `skipped`; `None` where none was asked
    to be left out.
    """

    source: str
    revision: str | None
    is_demo: bool
    test_source: str | None
    genres: list[str]
    tracks: dict[str, dict[str, int]]
    segments: dict[str, dict[str, int]]
    skipped: list[SkippedFile]
    segment_seconds: float
    hop_seconds: float
    sampling_rate: int
    test_revision: str | None = None
    faults_left_out: int | None = None

    @property
    def tested(self) -> tuple[str, str | None]:
        """Source and revision of the data that the test part is of."""
        if self.test_source is None:
            return self.source, self.revision
        return self.test_source, self.test_revision


@dataclass(frozen=True)
class LeakRecord:
    """What is in more than one part: `kind` (`track`, `artist`), its name, and part -> number of its tracks there."""

    kind: str
    name: str
    tracks: dict[str, int]


@dataclass(frozen=True)
class VerdictRecord:
    """What a division was found to leak: `status` is `clean`, `leaks` or `not provable` (artists are not known)."""

    status: str
    leaks: list[LeakRecord]
    num_tracks: int
    num_unknown: int


@dataclass(frozen=True)
class SplitRecord:
    """How tracks or segments were divided. `hash` is that of the saved split file.

    Of cross-validation, `fold` is the number of the fold that was tested on (from 0), or `None` in the record of all
    folds together, where `folds` has the number of test tracks of each genre fold by fold and `hash` is the SHA-256 of
    the hashes of the folds' split files.
    """

    unit: str
    seed: int | None
    hash: str | None
    statement: str
    verdict: VerdictRecord | None = None
    fold: int | None = None
    folds: list[dict[str, int]] | None = None


@dataclass(frozen=True)
class ModelRecord:
    """The model: its type, where its weights began (`None`: from scratch) and its size.

    `contamination` says why the weights it began from may know the test part; `None` where nothing tells so.
    """

    model_type: str
    architecture: str
    base_model: str | None
    num_parameters: int
    feature_extractor: str
    contamination: str | None = None


@dataclass(frozen=True)
class EpochRecord:
    """One epoch's mean training loss and, where there is a validation part, its loss and accuracies (fractions)."""

    epoch: float
    step: int
    train_loss: float | None
    train_accuracy: float | None
    validation_loss: float | None
    validation_segment_accuracy: float | None
    validation_track_accuracy: float | None


@dataclass(frozen=True)
class TrainingRecord:
    """How the weights came about.

    `recipe` is the recipe's file name (`lstm.py`), or the name of the function where a program called it.
    `selected` says which weights the scores are of: `best` (chosen on validation), `last` or `averaged` (without a
    validation part), or `fitted` (in closed form); `selected_epoch` is their epoch. `options` are those that differ from the recipe's defaults,
    `resolved` are all. `seconds` is the wall time of training alone.
    """

    recipe: str
    epochs: float
    steps: int
    selected: str
    selected_epoch: float
    weight_averaging: bool
    history: list[EpochRecord]
    options: dict[str, Any]
    resolved: dict[str, Any]
    seconds: float
    resumed: bool


@dataclass(frozen=True)
class FloorRecord:
    """The linear floor, fitted to the same training part, and the paired test on the same test items.

    `track` and `segment` are its accuracies (`track` is `None` where it is not defined). Counts are of test tracks (of `segment` splits by which of the two has more
    of a track's segments right): the run right where the floor is wrong, and the other way round. `p_value` is that of
    the exact McNemar test; `difference` is the run's accuracy less the floor's, -1 to 1, with its paired interval, at
    the level that the protocol divides. `seconds` is the time of fitting, features included.
    """

    track: Interval | None
    segment: Interval
    difference: Interval
    run_alone: int
    floor_alone: int
    p_value: float
    seconds: float

    @property
    def beaten(self) -> bool:
        """Whether the run is better than the floor beyond chance (5 %, two-sided)."""
        return self.difference.value > 0 and self.p_value < 0.05

    @property
    def verdict(self) -> str:
        """What the test says of the run beside the floor, in words."""
        if self.beaten:
            return "better than it beyond chance"
        worse = self.difference.value < 0 and self.p_value < 0.05
        return "worse than it beyond chance" if worse else "not better than it beyond chance"


@dataclass(frozen=True)
class EnvironmentRecord:
    """Versions and hardware."""

    python: str
    platform: str
    packages: dict[str, str]
    device: str
    num_threads: int
    world_size: int
    precision: str


@dataclass(frozen=True)
class RunResult:
    """One run: `protocol`, whether it leaks, seed, scores at both levels, and all that is needed to repeat it.

    `track` is `None` where segments are split regardless of their track: what the halves of a track that was trained on
    vote for is no figure of a track.
    `training` is `None` for an evaluation of a finished model on other data, `floor` where it was not compared.
    `inference_seconds` is the wall time of the forward passes over the test part, features at hand.
    """

    name: str
    protocol: str
    leaky: bool | None
    seed: int | None
    track: LevelScores | None
    segment: LevelScores
    data: DataRecord
    split: SplitRecord
    model: ModelRecord
    training: TrainingRecord | None
    environment: EnvironmentRecord
    created: str
    mgc_hf_version: str
    floor: FloorRecord | None = None
    inference_seconds: float | None = None
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON types.

        Raises:
            RecordError: A number is NaN or infinite, a value is no plain type (numpy's are not), or not of the type
                that its field declares (`from_dict` would refuse it); the key is named.
        """
        with as_record_errors():
            plain = to_plain(self, "results")
            _check_figures(from_plain(type(self), plain, "results"))
        return plain

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "RunResult":
        """Build a record from plain JSON types.

        Raises:
            RecordError: The schema is newer than this package, or a key is unknown, missing or of another type.
        """
        version = value.get("schema_version") if isinstance(value, dict) else None
        if not isinstance(version, int) or isinstance(version, bool):
            raise RecordError("results: schema_version is missing; this is no results.json of mgc_hf")
        if version > SCHEMA_VERSION:
            raise RecordError(
                f"results: schema_version {version} is newer than this mgc_hf reads ({SCHEMA_VERSION}); "
                "update it with pip install -U mgc_hf"
            )
        older = version < SCHEMA_VERSION
        plain = {**value, "schema_version": SCHEMA_VERSION}
        if older and isinstance(split := value.get("split"), dict) and split.get("unit") == "segment":
            plain["track"] = None  # version 1 counted votes there
        with as_record_errors():
            return _check_figures(from_plain(cls, plain, "results", older))

    def save(self, path: str | Path) -> None:
        """Write `results.json` atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> "RunResult":
        """Read a `results.json`.

        Raises:
            RecordError: It is missing, no JSON, or breaks the schema; the text names the file and key.
        """
        try:
            value = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=refuse_constant)
        except (OSError, ValueError) as error:
            raise RecordError(f"{path}: cannot be read as results.json ({error})") from error
        try:
            return cls.from_dict(value)
        except RecordError as error:
            raise RecordError(f"{path}: {error}") from error

    @property
    def pictures(self) -> list[str]:
        """Names of the pictures that belong to this record, keys of `PICTURE_FILES`, in the card's order.

        An evaluation of a finished model, and all folds together, have neither curves nor clips; `--pictures false`
        leaves all of them out.
        """
        names = [f"confusion_matrix_{level}" for level in self.levels]
        names += ["reliability"] if all(scores.calibration for scores in self.levels.values()) else []
        names += ["class_distribution"]
        if self.training is None:
            return names
        if self.training.resolved.get("pictures") is False:
            return []
        if self.split.folds is not None:
            return names
        measured = [v for e in self.training.history for k, v in vars(e).items() if k not in ("epoch", "step")]
        curves = ["training_curves"] if any(value is not None for value in measured) else []
        return [*names, *curves, "waveforms", "mel_spectrograms"]

    @property
    def levels(self) -> dict[str, LevelScores]:
        """The scores by the name of their level, `track` first; without it where it is not defined."""
        return {"segment": self.segment} if self.track is None else {"track": self.track, "segment": self.segment}

    @property
    def leak(self) -> str:
        """`leaky`, `leak-free by track` (or `by artist`, where the protocol keeps artists apart, with the tracks that have
        none), or `leak not known` where the training recordings of a finished model are not, or the weights it began from
        may know the test part."""
        resolved = {} if self.training is None else self.training.resolved
        by_artist = self.protocol == "artist" or resolved.get("fold_groups") == "artist"
        verdict = self.split.verdict
        if verdict is not None and any(leak.kind == "artist" for leak in verdict.leaks):
            by_artist = False  # artists of the test data, or of a split file that was not drawn so
        apart = "artist" if by_artist else "track"
        if by_artist and verdict is not None and verdict.num_unknown:
            apart += f" as far as known ({verdict.num_unknown} tracks without one)"
        return {True: "leaky", False: f"leak-free by {apart}", None: "leak not known"}[self.leaky]

    @property
    def floor_statement(self) -> str | None:
        """What the floor has, and whether the run is better, in words; `None` for an evaluation, which fits none."""
        if self.training is None:
            return None
        if self.floor is None:
            return "this is the floor itself" if self.model.model_type == FLOOR_MODEL else "not compared"
        unit = self.split.unit
        accuracy = format_interval(self.floor.track or self.floor.segment)
        name = "McNemar" if unit == "track" else "sign test by track"
        p_value = format_p_value(self.floor.p_value)
        return f"{accuracy} of {unit}s: the model is {self.floor.verdict} ({name} {p_value})"

    def summary(self) -> str:
        """Return the scores in lines of text: both levels with intervals, the floor, the protocol, and what leaks."""
        lines = [
            f"{level:<8}accuracy {format_interval(scores.accuracy)}  (n = {scores.n})"
            for level, scores in self.levels.items()
        ]
        if self.track is None:
            lines.append("track   not defined: segments of one track are trained on and tested on")
        if self.floor_statement is not None:
            lines.append(f"floor: {self.floor_statement}")
        seed = "" if self.seed is None else f", seed {self.seed}"
        lines.append(f"protocol {self.protocol} ({self.leak}){seed}")
        if self.data.test_source is not None:
            lines.append(f"trained on {self.data.source}, tested on {self.data.test_source}")
        if self.leaky is not False:
            lines.append(self.split.statement)
        if self.data.is_demo:
            lines.append("The data is the synthetic demo corpus: these figures say nothing about real music.")
        return "\n".join(lines)


_WHERE_DEFINED = "null where segments are split regardless of their track, and only there"


def _check_figures(result: RunResult) -> RunResult:
    """Refuse figures that cannot be true together.

    Raises:
        RecordError: A fraction or interval is out of range, or counts do not add up.
    """
    if (result.track is None) != (result.split.unit == "segment"):
        raise RecordError(f"results.track must be {_WHERE_DEFINED}, and split.unit is {result.split.unit!r}")
    for epoch in () if result.training is None else result.training.history:
        for name in ("train_accuracy", "validation_segment_accuracy", "validation_track_accuracy"):
            share = getattr(epoch, name)
            if share is not None and not _is_share(share, None):
                raise RecordError(f"results.training.history: {name} must be a fraction from 0 to 1, got {share}")
    for name, level in result.levels.items():
        for figure in ("accuracy", "macro_f1", "top2_accuracy", "accuracy_by_artist"):
            interval: Interval | None = getattr(level, figure)
            if interval is not None and not _is_share(interval.value, interval.ci95):
                raise RecordError(
                    f"results.{name}.{figure}: value and ci95 [low, high] must be fractions from 0 to 1, got {interval}"
                )
        for genre, scores in level.per_genre.items():
            if not _is_share(scores.recall, scores.recall_ci95):
                raise RecordError(
                    f"results.{name}.per_genre.{genre}: recall and recall_ci95 [low, high] must be fractions from 0 to 1, "
                    f"got {scores.recall} and {scores.recall_ci95}"
                )
        supports = [scores.support for scores in level.per_genre.values()]
        rows = [sum(row) for row in level.confusion_matrix]
        if rows != supports or sum(supports) != level.n or any(len(r) != len(rows) for r in level.confusion_matrix):
            raise RecordError(
                f"results.{name}: n ({level.n}), the genres' support {supports} and the rows and columns of "
                "confusion_matrix do not fit together"
            )
        if level.calibration is not None and sum(b.n for b in level.calibration.bins) != level.n:
            raise RecordError(f"results.{name}.calibration.bins do not hold the level's {level.n} items")
        if list(level.per_genre) != result.data.genres:
            raise RecordError(
                f"results.{name}.per_genre is of {list(level.per_genre)}, data.genres are {result.data.genres}"
            )
    return result


def _is_share(value: float, ci95: list[float] | None) -> bool:
    bounds = [0.0, 1.0] if ci95 is None else ci95
    return len(bounds) == 2 and 0 <= value <= 1 and 0 <= bounds[0] <= bounds[1] <= 1


def format_interval(interval: Interval) -> str:
    """Format a fraction as per cent with its interval: `53.4 % [47.1, 59.8]`."""
    value = f"{100 * interval.value:.1f} %"
    if interval.ci95 is None:
        return f"{value} [not measured]"
    low, high = interval.ci95
    return f"{value} [{100 * low:.1f}, {100 * high:.1f}]"


def format_duration(seconds: float) -> str:
    """Format a time in words: `0.25 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 0.95:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def format_p_value(value: float) -> str:
    """Format a p-value: `p = 0.146`, `p < 0.001`."""
    return "p < 0.001" if value < 0.001 else "p = 1" if value == 1 else f"p = {value:.3f}"
