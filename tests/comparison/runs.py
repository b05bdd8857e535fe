"""Small runs for the tests of reports: records and predictions, no model and no audio."""

import dataclasses
from functools import cache

import numpy as np

from mgc_hf.evaluation.score import score
from mgc_hf.predictions import Predictions
from mgc_hf.results import Calibration, FloorRecord, Interval, LeakRecord, ReliabilityBin, RunResult, VerdictRecord
from tests.test_results import result

GENRES = ("blues", "jazz", "polka")
SPEECH = {"model_type": "hubert", "architecture": "HubertForSequenceClassification"}


def predictions(right, segments=2, part="test", first=0):
    """Return what a system says of `len(right)` tracks of `segments` segments, each right or wrong as a whole."""
    n = len(right)
    track = np.repeat(np.arange(n), segments)
    label = track % len(GENRES)
    predicted = np.where(np.repeat(right, segments), label, (label + 1) % len(GENRES))
    return Predictions(
        track_id=[f"t{first + index:03d}" for index in track],
        segment=np.tile(np.arange(segments), n),
        start_s=3.0 * np.tile(np.arange(segments), n),
        part=[part] * len(track),
        label=label,
        logits=2 * np.eye(len(GENRES))[predicted],
        genres=GENRES,
    )


@cache
def _scores(right, segments):
    return score(predictions(np.array(right), segments), num_resamples=100)


def run(
    folder, right, *, protocol="track", seed=0, model=None, size=None, floor=None, segments=2, split=None, **values
):
    """Write a run's folder: `right` is one bool a track."""
    right = np.asarray(right, dtype=bool)
    found = predictions(right, segments)
    folder.mkdir(parents=True)
    found.save(folder / "predictions.parquet")
    track, segment = _scores(tuple(right.tolist()), segments)
    base = result()
    counts = {genre: int((np.arange(len(right)) % len(GENRES) == index).sum()) for index, genre in enumerate(GENRES)}
    unit = "segment" if protocol == "segment" else "track"
    training = base.training and dataclasses.replace(
        base.training, resolved={**base.training.resolved, "size": size}, options={"learning_rate": 1e-3}
    )
    record = dataclasses.replace(
        base,
        name=folder.name,
        protocol=protocol,
        leaky=protocol == "segment",
        seed=seed,
        track=None if unit == "segment" else track,
        segment=segment,
        data=dataclasses.replace(
            base.data,
            genres=list(GENRES),
            faults_left_out=None,
            tracks={"test": counts},
            segments={"test": {genre: segments * count for genre, count in counts.items()}},
        ),
        split=dataclasses.replace(
            base.split, **{"unit": unit, "verdict": None, "fold": None, "folds": None, **(split or {})}
        ),
        model=dataclasses.replace(base.model, **{"contamination": None, **(model or {})}),
        floor=None,
        inference_seconds=None,
        training=training,
    )
    record = dataclasses.replace(record, **values)
    record.save(folder / "results.json")
    if floor is not None:
        predictions(np.asarray(floor, dtype=bool), segments).save(folder / "floor.parquet")
    return folder


def change(folder, **values):
    """Change a run's record."""
    record = RunResult.load(folder / "results.json")
    dataclasses.replace(record, **values).save(folder / "results.json")
    return folder


def measured(folder):
    """Give a run's record what later parts measure: verdict, calibration, floor, inference."""
    record = RunResult.load(folder / "results.json")
    bins = [ReliabilityBin(0.0, 0.5, 0, None, None), ReliabilityBin(0.5, 1.0, record.track.n, 0.8, 0.75)]
    verdict = VerdictRecord("leaks", [LeakRecord("artist", "Earth, Wind & Fire", {"train": 2, "test": 1})], 30, 4)
    return change(
        folder,
        track=dataclasses.replace(
            record.track,
            calibration=Calibration(0.05, 1.5, 0.04, bins),
            top2_accuracy=Interval(0.9, [0.8, 0.95]),
        ),
        split=dataclasses.replace(record.split, verdict=verdict),
        floor=FloorRecord(
            Interval(0.5, [0.3, 0.7]), Interval(0.5, [0.3, 0.7]), Interval(0.2, [0.1, 0.3]), 7, 1, 0.07, 2.0
        ),
        inference_seconds=0.5,
    )


def shares(*counts):
    """Return `True` and `False` in turn so many times: `shares(3, 1)` is three right, one wrong."""
    return np.concatenate([np.full(count, index % 2 == 0) for index, count in enumerate(counts)])


def study(folder):
    """Write a small study: an LSTM under both protocols with two seeds, and a HuBERT from scratch; return the folders."""
    return [
        measured(run(folder / "lstm-track-0", shares(24, 6), floor=shares(15, 15))),
        run(folder / "lstm-track-1", shares(21, 9), seed=1),
        run(folder / "lstm-segment-0", shares(29, 1), protocol="segment"),
        run(folder / "lstm-segment-1", shares(30), protocol="segment", seed=1),
        run(folder / "hubert-track-0", shares(9, 21), model=SPEECH, size="tiny"),
    ]
