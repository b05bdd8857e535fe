"""A finished run found and read, from its folder or from the Hub, and made sure that its files are of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgc_hf import outputs
from mgc_hf.errors import CheckpointError, RecordError
from mgc_hf.hub import find_run
from mgc_hf.predictions import Predictions, TrackPredictions, most_probable
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
        tracks ([`TrackPredictions`]): The same, pooled to tracks.
    """

    source: str
    name: str
    folder: Path
    commit: str | None
    result: RunResult
    predictions: Predictions
    tracks: TrackPredictions


@dataclass(frozen=True)
class Answers:
    """What a system was asked and where it was right: one item a track, or a segment where the protocol divides those.

    Args:
        ids (`np.ndarray` of `str`, shape `(n,)`): The items: a track's id, or it with the number of the segment.
        track_id (`np.ndarray` of `str`, shape `(n,)`): Track of each.
        genre (`np.ndarray` of `str`, shape `(n,)`): Its true genre.
        right (`np.ndarray` of `bool`, shape `(n,)`): Whether the most probable genre is the true one.
    """

    ids: np.ndarray
    track_id: np.ndarray
    genre: np.ndarray
    right: np.ndarray


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
    try:
        tracks = predictions.to_tracks()
    except RecordError as error:
        raise RecordError(f"{source}: {error}") from error
    right = tracks.predicted == tracks.label
    if len(right) != result.track.n or right.sum() != round(result.track.accuracy.value * result.track.n):
        raise RecordError(
            f"{source}: {outputs.PREDICTIONS} has {right.sum()} of {count_tracks(len(right), 'test ')} right and "
            f"{outputs.RESULTS} {format_interval(result.track.accuracy)} of {result.track.n}: they are not of one run"
        )
    return FoundRun(source, outputs.display_name(repo_id), folder, commit, result, predictions, tracks)


def answers(predictions: Predictions, unit: str, tracks: TrackPredictions | None = None) -> Answers:
    """Return what a system was asked and where it was right.

    Args:
        predictions ([`Predictions`]): Its test part.
        unit (`str`): `track` or `segment`.
        tracks ([`TrackPredictions`], *optional*): The predictions pooled to tracks, where that was done before.
    """
    genres = np.array(predictions.genres)
    if unit == "track":
        tracks = tracks or predictions.to_tracks()
        track_id, label, predicted = tracks.track_id.astype(str), tracks.label, tracks.predicted
        return Answers(track_id, track_id, genres[label], predicted == label)
    track_id, label = predictions.track_id.astype(str), predictions.label
    ids = np.array([f"{track}#{number}" for track, number in zip(track_id, predictions.segment, strict=True)])
    return Answers(ids, track_id, genres[label], most_probable(predictions.probabilities) == label)


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
