"""Runs made up for the report: records of the golden kind whose scores are those of the predictions made up with them."""

import dataclasses
from pathlib import Path

import numpy as np

from mgc_hf.comparison.material import Material, RunEntry, System
from mgc_hf.evaluation.score import score
from mgc_hf.predictions import Predictions
from mgc_hf.results import RunResult

GOLDEN = Path(__file__).parents[1] / "golden"
LSTM = System(0, "lstm", "LSTM", "trained from scratch", "lstm", faithful=True)
HUBERT = System(1, "hubert-tiny-scratch", "HuBERT (tiny, from scratch)", "not pre-trained", "hubert")


def made_up(genres, right_of=0.6, per_genre=2, segments=3, seed=0, segment_seconds=3.0):
    """Return predictions of the test part, with tracks named GTZAN's way."""
    rng = np.random.default_rng(seed)
    tracks = [(f"{genre}.{number:05d}", label) for label, genre in enumerate(genres) for number in range(per_genre)]
    label = np.repeat([label for _, label in tracks], segments)
    logits = rng.normal(0, 1, (len(label), len(genres))).astype(np.float32)
    right = np.repeat(rng.random(len(tracks)) < right_of, segments)
    logits[np.arange(len(label)), label] += np.where(right, 3, -3)
    segment = np.tile(np.arange(segments), len(tracks))
    return Predictions(
        np.repeat([track for track, _ in tracks], segments),
        segment,
        segment * segment_seconds,
        np.full(len(label), "test"),
        label,
        logits,
        tuple(genres),
    )


def entry(system=LSTM, protocol="track", seed=0, predictions=None, folder=Path("run"), **changes):
    """Return a run; `changes` are fields of its `DataRecord`."""
    kind = "segment_demo" if protocol == "segment" else "track"
    golden = RunResult.load(GOLDEN / f"results_{kind}.json")
    predictions = predictions or made_up(golden.data.genres, 0.9 if protocol == "segment" else 0.5, seed=seed)
    track, segment = score(predictions, num_resamples=100)
    data = dataclasses.replace(golden.data, genres=list(predictions.genres), **{"is_demo": False, **changes})
    result = dataclasses.replace(
        golden,
        name=f"{system.key}-{protocol}",
        protocol=protocol,
        leaky=protocol == "segment",
        seed=seed,
        track=None if protocol == "segment" else track,
        segment=segment,
        data=data,
    )
    return RunEntry(system, protocol, seed, folder, str(folder), None, result, predictions)


def small_material():
    """Return two systems: one under two protocols with two seeds, the other under one."""
    runs = [entry(LSTM, protocol, seed) for protocol in ("segment", "track") for seed in (0, 1)]
    return Material([*runs, entry(HUBERT, "track", predictions=made_up(runs[0].result.data.genres, 0.2, seed=7))])
