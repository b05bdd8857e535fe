"""A finished run found and read, from its folder or from the Hub, and made sure that its files are of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgc_hf import outputs
from mgc_hf.errors import CheckpointError, RecordError
from mgc_hf.evaluation.paired import Answers
from mgc_hf.hub import find_run
from mgc_hf.predictions import Predictions
from mgc_hf.results import RunResult, format_interval

_FILES = (outputs.RESULTS, outputs.PREDICTIONS)


@dataclass(frozen=True)
class FoundRun:
    """A run's record and its test part.

    Args:
        source (`str`): Folder or Hub id, as it was given.
        name (`str`): The id, or the folder's last component.
        folder (`Path`): Its folder, on this machine or in the Hub's cache.
        commit (`str`, *optional*): Commit on the Hub.
        result ([`RunResult`]): Its record.
        predictions ([`Predictions`]): Its test part.
        answers ([`Answers`]): Which tracks it has right, or segments where the protocol divides those.
    """

    source: str
    name: str
    folder: Path
    commit: str | None
    result: RunResult
    predictions: Predictions
    answers: Answers

    @property
    def genre(self) -> np.ndarray:
        """True genre of each answer, shape `(n,)`."""
        return np.array(self.predictions.genres)[self.answers.label]

    @property
    def tested_on(self) -> str:
        """Data that the test part is of."""
        return self.result.data.tested[0]


def find_finished(source: str, others: Sequence[str] = ()) -> FoundRun:
    """Read a run from its folder or its repository.

    Args:
        source (`str`): Folder of a run or of an evaluation, or a Hub id; `ORG/NAME@REVISION` is a branch, tag or commit.
        others (`Sequence[str]`, *optional*): Further files to fetch from a repository, where it has them.

    Raises:
        CheckpointError: It is not there, or lacks a file.
        RecordError: A file is damaged, or record and predictions are not of one run.
    """
    repo_id, revision = _parted(source)
    folder, commit = find_run(repo_id, (*_FILES, *others), revision)
    for name in _FILES:
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{source}: has no {name}, so it cannot be compared; give the folder of a finished run, or judge the "
                "model by mgc-hf evaluate --output_dir and give that folder"
            )
    result = RunResult.load(folder / outputs.RESULTS)
    predictions = Predictions.load(folder / outputs.PREDICTIONS).of_part("test")
    unit = result.split.unit
    try:
        answers = Answers.of(predictions, unit)
    except RecordError as error:
        raise RecordError(f"{source}: {error}") from error
    right, scores = answers.right, next(iter(result.levels.values()))
    if len(right) != scores.n or right.sum() != round(scores.accuracy.value * scores.n):
        raise RecordError(
            f"{source}: {outputs.PREDICTIONS} has {right.sum()} of {len(right)} test {unit}s right and {outputs.RESULTS} "
            f"{format_interval(scores.accuracy)} of {scores.n}: they are not of one run"
        )
    return FoundRun(source, outputs.display_name(repo_id), folder, commit, result, predictions, answers)


def count_tracks(count: int, kind: str = "") -> str:
    """Return a number of tracks in words: `1 test track`."""
    return f"{count} {kind}track{'' if count == 1 else 's'}"


def _parted(source: str) -> tuple[str, str | None]:
    """Part `ORG/NAME@REVISION`; a path is left as it is."""
    from mgc_hf.models.checkpoint import is_local

    repo_id, _, revision = source.partition("@")
    if not revision or Path(source).expanduser().exists() or is_local(repo_id):
        return source, None
    return repo_id, revision
