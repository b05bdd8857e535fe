"""What a report is made from: finished runs, read once, by system, protocol and seed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mgc_hf.predictions import Predictions
from mgc_hf.results import RunResult


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
        faithful (`bool`): Whether it is what the paper trained, size and pre-training included.
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
        folds (`tuple[RunResult, ...]`): Records of the folds, in their order; empty without cross-validation.
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
        return f"{self.system.key}-{slug(self.protocol)}-{self.seed}"


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
        missing (`Iterable[Missing]`): Runs that were asked for and are not there.

    Raises:
        CheckpointError: A run is not there, or lacks a file.
        RecordError: A file is damaged, files are not of one run, or two runs are of one system, protocol and seed.
    """
    raise NotImplementedError
