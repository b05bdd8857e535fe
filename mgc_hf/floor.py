"""The floor of a run: a linear model fitted to the same training part and judged on the same test part.

It costs seconds (`models/stats_floor`), so a system that is not better than it beyond chance is not worth its own cost.
Windows, copies and parts are the run's own, so that the two are compared item by item.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from mgc_hf.data.segments import windowing
from mgc_hf.division import Part
from mgc_hf.evaluation.intervals import NUM_RESAMPLES
from mgc_hf.evaluation.paired import Answers, compare_answers
from mgc_hf.evaluation.score import score
from mgc_hf.predictions import Predictions
from mgc_hf.results import FLOOR_MODEL, FloorRecord


def fit_floor(
    parts: Mapping[str, Part], genres: Sequence[str], feature_extractor: Any, *, seed: int = 0
) -> tuple[Predictions, float]:
    """Fit the floor to the training part of a run, and let it name the segments of its test part.

    Args:
        parts (`Mapping[str, Part]`): The run's parts; `train` and `test` are read.
        genres (`Sequence[str]`): Class names in label order.
        feature_extractor (`FeatureExtractionMixin`): The run's own, for its rate and windows.
        seed (`int`, *optional*, defaults to 0): Seed of augmented copies.

    Returns:
        `tuple[Predictions, float]`: What it says of each segment of the test part, in the order of its rows, and the
        seconds that it took, features included.

    Raises:
        OptionError: The training part cannot be fitted (`training.fitting.check_training_rows`).
    """
    from mgc_hf.models.build import build_model
    from mgc_hf.training.fitting import fit_model
    from mgc_hf.training.predicting import predict

    started = time.perf_counter()
    segment_seconds, hop_seconds = windowing(feature_extractor)
    model, extractor = build_model(
        FLOOR_MODEL,
        genres,
        segment_seconds=segment_seconds,
        hop_seconds=hop_seconds,
        feature_values={"sampling_rate": int(feature_extractor.sampling_rate)},
    )
    data = {name: parts[name].inputs(extractor, len(genres), seed=seed) for name in ("train", "test")}
    fit_model(model, data["train"])
    predictions = predict(model, data["test"], parts["test"].rows, genres)
    return predictions, time.perf_counter() - started


def judge_floor(
    run: Predictions,
    floor: Predictions,
    unit: str,
    *,
    seconds: float,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> FloorRecord:
    """Compare a run with its floor.

    Args:
        run, floor ([`Predictions`]): What each says of the same segments of the test part, in the same order.
        unit (`str`): What the protocol divides, `track` or `segment`: the level of the difference.
        seconds (`float`): Time of fitting the floor.
        seed (`int`, *optional*, defaults to 0): Seed of the bootstrap.
        num_resamples (`int`, *optional*, defaults to 2,000): Resamples of the intervals.

    Returns:
        [`FloorRecord`]
    """
    track, segment = score(floor, seed=seed, num_resamples=num_resamples)
    own, other = Answers.of(run, unit), Answers.of(floor, unit)
    difference, test = compare_answers(
        own.track_id, own.right, other.right, unit, seed=seed, num_resamples=num_resamples
    )
    return FloorRecord(
        track=track.accuracy if unit == "track" else None,
        segment=segment.accuracy,
        difference=difference,
        run_alone=test.first_alone,
        floor_alone=test.second_alone,
        p_value=test.p_value,
        seconds=seconds,
    )
