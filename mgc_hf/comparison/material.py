"""What a report is made from: finished runs, read once, by system, protocol and seed."""

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mgc_hf import outputs
from mgc_hf.comparison.reading import find_finished
from mgc_hf.errors import RecordError
from mgc_hf.predictions import Predictions
from mgc_hf.results import FLOOR_MODEL, PICTURE_FILES, LevelScores, RunResult


@dataclass(frozen=True, order=True)
class System:
    """What was trained: the type of model, and what its weights began from.

    Args:
        rank (`int`): Its place in the report: the paper's four in the paper's order, others, the floor last.
        key (`str`): Its name in addresses: lower-case letters, digits, hyphens.
        title (`str`): Its name for readers, such as `HuBERT (tiny, from scratch)`.
        about (`str`): What it is, in one sentence: pre-trained or not, on what.
        paper (`str`, *optional*): The paper's system that it stands for, a key of `paper.json`'s systems (`lstm`,
            `hubert`, `wavlm`, `wav2vec2`).
        faithful (`bool`): Whether it is what the paper trained, as far as the paper says: of the models that it fine-tuned
            it names neither checkpoint nor size, so these are the first ones published under that name, of base size.
        is_floor (`bool`): Whether it is the linear floor.
    """

    rank: int
    key: str
    title: str
    about: str
    paper: str | None = None
    faithful: bool = False
    is_floor: bool = False


@dataclass(frozen=True)
class RunEntry:
    """One run of the report.

    Args:
        system ([`System`]): What was trained.
        protocol (`str`): Protocol of its split.
        seed (`int`): Seed of weights and training, -1 where the record has none.
        folder (`Path`): Its folder, on this machine or in the Hub's cache.
        source (`str`): As it was given: a folder, or a Hub id.
        commit (`str`, *optional*): Commit on the Hub.
        result ([`RunResult`]): Its record; of cross-validation, that of all folds together.
        predictions ([`Predictions`]): Its test part.
        floor ([`Predictions`], *optional*): What the linear floor says of the same test part.
        audit (`dict[str, Any]`, *optional*): What `mgc-hf audit` found in its split (`audit.json`).
        folds (`tuple[RunResult, ...]`): Records of the folds, in their order; empty without cross-validation, and where
            one of them is not there.
    """

    system: System
    protocol: str
    seed: int
    folder: Path
    source: str
    commit: str | None
    result: RunResult
    predictions: Predictions
    floor: Predictions | None = None
    audit: dict[str, Any] | None = None
    folds: tuple[RunResult, ...] = ()

    @property
    def key(self) -> str:
        """Its name in addresses, unlike any other's: `lstm-track-0`."""
        return f"{self.system.key}-{slug(self.protocol)}-{'x' if self.seed < 0 else self.seed}"

    @property
    def unit(self) -> str:
        """What its protocol divides, and so what its figures are of: `track` or `segment`."""
        return self.result.split.unit

    @property
    def scores(self) -> LevelScores:
        """Scores at the level that its protocol divides."""
        return next(iter(self.result.levels.values()))

    @property
    def is_honest(self) -> bool:
        """Whether it is known to have learnt nothing of its test part: neither by its split nor by the weights it began
        from."""
        return self.result.leaky is False and self.result.model.contamination is None

    @property
    def mark(self) -> str | None:
        """How its figures are marked: `leaky`, `warning` where it is not known to be honest, or not at all."""
        return "leaky" if self.result.leaky else None if self.is_honest else "warning"

    @property
    def trained(self) -> tuple[RunResult, ...]:
        """The records with a training of their own: of the folds, or of the run."""
        found = self.folds or (self.result,)
        return tuple(one for one in found if one.training is not None)


@dataclass(frozen=True)
class Missing:
    """A run that was asked for and is not there, and why."""

    system: System
    protocol: str
    seed: int
    reason: str


@dataclass(frozen=True)
class Material:
    """Everything that a report is made from.

    Args:
        runs ([`list[RunEntry]`]): Sorted by system, protocol and seed.
        missing ([`list[Missing]`]): Runs that were asked for and are not there.
    """

    runs: list[RunEntry]
    missing: list[Missing] = field(default_factory=list)

    @cached_property
    def systems(self) -> list[System]:
        """Every system of a run, in order."""
        return sorted({run.system for run in self.runs})

    @cached_property
    def protocols(self) -> list[str]:
        """Every protocol of a run: `segment` and `track` first, as the report has them."""
        found = {run.protocol for run in self.runs}
        return sorted(found, key=lambda name: (protocol_rank(name), name))

    def of(self, system: System | None = None, protocol: str | None = None) -> list[RunEntry]:
        """Return the runs of a system, a protocol, or both, in order."""
        return [
            run
            for run in self.runs
            if (system is None or run.system == system) and (protocol is None or run.protocol == protocol)
        ]

    def example(self, protocol: str) -> RunEntry:
        """Return the run that tells what a protocol is: the first, of those known to be honest where there is one."""
        return min(self.of(protocol=protocol), key=lambda run: not run.is_honest)

    def best_shown(self, system: System, protocol: str | None = None) -> RunEntry | None:
        """Return the run whose pictures stand for a system: of the lowest seed, under `protocol` or the first there is."""
        runs = self.of(system, protocol)
        return min(runs, key=lambda run: (protocol_rank(run.protocol), run.seed), default=None)


def protocol_rank(name: str) -> int:
    """Return a protocol's place in tables."""
    order = ("segment", "course", "track", "kfold", "artist", "fault_filtered")
    return order.index(name) if name in order else len(order)


def slug(text: str) -> str:
    """Return a name for addresses: lower-case letters and digits, hyphens between."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def read_material(sources: Sequence[str], missing: Iterable[Missing] = ()) -> Material:
    """Read runs from their folders or from the Hub.

    Args:
        sources (`Sequence[str]`): Folders of finished runs, of cross-validation the one with the folds; or Hub ids
            (`ORG/NAME`, `ORG/NAME@REVISION`). `NAME=SOURCE` gives the system a name of its own.
        missing (`Iterable[Missing]`, *optional*): Runs that were asked for and are not there.

    Raises:
        CheckpointError: A run is not there, or lacks a file.
        RecordError: A file is damaged, files are not of one run, a run is one fold of several, or two runs are of one
            system, protocol and seed.
    """
    runs = sorted((_read(source) for source in sources), key=_place)
    for one, other in itertools.pairwise(runs):
        if _place(one) == _place(other):
            raise RecordError(
                f"{one.source} and {other.source} are both of {one.system.title}, protocol {one.protocol}, seed "
                f"{one.seed}: a report has one run of each; leave one out, or give its system a name: NAME=FOLDER"
            )
    titles: dict[str, System] = {}
    for run in runs:
        if titles.setdefault(run.system.key, run.system) != run.system:
            raise RecordError(
                f"{run.source}: its system ({run.system.title}) has the name of another ({titles[run.system.key].title}); "
                "give it another name: NAME=FOLDER"
            )
    return Material(runs, sorted(missing, key=lambda run: (run.system, protocol_rank(run.protocol), run.seed)))


def named_system(name: str, system: System) -> System:
    """Return a system under a name of the user's own: one more, beside what stands for a system of the paper."""
    about = f"{system.title}: {system.about}"
    return replace(system, rank=_OTHERS, key=slug(name), title=name, about=about, paper=None, faithful=False)


def identify(result: RunResult) -> System:
    """Tell from a record what was trained.

    Args:
        result ([`RunResult`]): Of a run, or of the first fold of several.
    """
    size = result.training.resolved.get("size") if result.training else None
    return identify_kind(result.model.model_type, result.model.base_model, size)


def identify_kind(kind: str, base: str | None, size: str | None) -> System:
    """Tell what a type of model is that began from some weights.

    Args:
        kind (`str`): `model_type` of its configuration.
        base (`str`, *optional*): Checkpoint that its weights began from; `None`: from scratch.
        size (`str`, *optional*): Size of an architecture built from scratch.
    """
    rank, key, title, paper = _KINDS.get(kind, (_OTHERS, slug(kind), kind, None))
    if kind == FLOOR_MODEL:
        return identify_floor()
    if kind in _FROM_SCRATCH_ALWAYS:
        about = "trained from scratch on mel-spectrograms (the architecture is ours, the paper gives none)"
        return System(rank, key, title, about, paper, faithful=True)
    if base is None:
        size = size or "full size"
        about = f"its architecture ({size}) trained from scratch on this data, not pre-trained"
        return System(rank, f"{key}-{slug(size)}-scratch", f"{title} ({size}, from scratch)", about, paper)
    name = base.rsplit("/", 1)[-1]
    about = f"fine-tuned from the pre-trained {base}"
    return System(
        rank, f"{key}-{slug(name)}", f"{title} ({name})", about, paper, faithful=base in _PAPERS_BASES.get(kind, ())
    )


def identify_floor() -> System:
    """Return the linear floor, which has runs of its own or stands in the folders of others."""
    rank, key, title, _ = _KINDS[FLOOR_MODEL]
    about = "a linear classifier on statistics of frame features, the floor that any other system should be above"
    return System(rank, key, title, about, is_floor=True)


_OTHERS, _LAST = 4, 5
#: Type of a model -> place in the report, name in addresses, name, and the paper's system.
_KINDS: dict[str, tuple[int, str, str, str | None]] = {
    "mel_lstm": (0, "lstm", "LSTM", "lstm"),
    "hubert": (1, "hubert", "HuBERT", "hubert"),
    "wavlm": (2, "wavlm", "WavLM", "wavlm"),
    "wav2vec2": (3, "wav2vec2", "wav2vec 2.0", "wav2vec2"),
    "whisper": (_OTHERS, "whisper", "Whisper encoder", None),
    "wav2vec2-bert": (_OTHERS, "wav2vec2-bert", "wav2vec2-bert", None),
    "audio-spectrogram-transformer": (_OTHERS, "ast", "AST", None),
    FLOOR_MODEL: (_LAST, "floor", "Linear floor", None),
}
_FROM_SCRATCH_ALWAYS = ("mel_lstm",)
#: Type of a model -> checkpoints that the paper's may have been: it names the model alone.
_PAPERS_BASES = {
    "hubert": ("facebook/hubert-base-ls960",),
    "wavlm": ("microsoft/wavlm-base", "microsoft/wavlm-base-plus"),
    "wav2vec2": ("facebook/wav2vec2-base",),
}

_NAMED = re.compile(r"([^=/\\]+)=(.+)", re.DOTALL)


def _place(run: RunEntry) -> tuple[System, int, str, int]:
    return run.system, protocol_rank(run.protocol), run.protocol, run.seed


def _read(given: str) -> RunEntry:
    name, source = _named(given)
    found = find_finished(
        source, (outputs.FLOOR, outputs.AUDIT, PICTURE_FILES["waveforms"], PICTURE_FILES["mel_spectrograms"])
    )
    result, folder = found.result, found.folder
    if result.split.fold is not None or (result.protocol == "kfold" and result.split.folds is None):
        way = "judge all of the data, without --split" if result.training is None else f"give all of them, {source}/.."
        raise RecordError(f"{source}: is one fold of a cross-validation alone, whose figures are of its tracks; {way}")
    folds = _read_folds(folder, len(result.split.folds)) if result.split.folds is not None else ()
    system = identify(result if result.training is not None or not folds else folds[0])
    return RunEntry(
        system=system if name is None else named_system(name, system),
        protocol=result.protocol,
        seed=-1 if result.seed is None else result.seed,
        folder=folder,
        source=source,
        commit=found.commit,
        result=result,
        predictions=found.predictions,
        floor=_read_floor(folder, found.predictions),
        audit=_read_audit(folder),
        folds=folds,
    )


def _named(given: str) -> tuple[str | None, str]:
    """Part `NAME=SOURCE`; a folder of that name is left as it is."""
    match = _NAMED.fullmatch(given)
    if match is None or Path(given).expanduser().exists():
        return None, given
    return match[1].strip(), match[2]


def _read_folds(folder: Path, count: int) -> tuple[RunResult, ...]:
    """Return the records of all folds, or none: what some of them cost is not what the run cost."""
    paths = [outputs.fold_folder(folder, fold) / outputs.RESULTS for fold in range(count)]
    return tuple(map(RunResult.load, paths)) if all(path.is_file() for path in paths) else ()


def _read_floor(folder: Path, predictions: Predictions) -> Predictions | None:
    path = folder / outputs.FLOOR
    if not path.is_file():
        return None
    floor = Predictions.load(path).of_part("test")
    if set(floor.track_id) != set(predictions.track_id):
        raise RecordError(f"{path}: is of other test tracks than {outputs.PREDICTIONS}; they are not of one run")
    return floor


def _read_audit(folder: Path) -> dict[str, Any] | None:
    path = folder / outputs.AUDIT
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: cannot be read as what mgc-hf audit writes ({error})") from error
    if not isinstance(value, dict):
        raise RecordError(f"{path}: must be an object as mgc-hf audit writes it, got a {type(value).__name__}")
    return value
