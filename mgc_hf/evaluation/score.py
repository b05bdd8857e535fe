"""`score`: predictions of one part to all figures of the record, at track and at segment level."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from sklearn.metrics import confusion_matrix

from mgc_hf.errors import RecordError
from mgc_hf.evaluation.calibration import among_top, calibrate
from mgc_hf.evaluation.intervals import (
    NUM_RESAMPLES,
    accuracy_interval,
    bootstrap_by_track,
    or_wilson,
    wilson,
)
from mgc_hf.predictions import Predictions
from mgc_hf.results import AverageScores, GenreScores, Interval, LevelScores


def score(
    predictions: Predictions,
    *,
    validation: Predictions | None = None,
    artist_of: Mapping[str, str] | None = None,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> tuple[LevelScores, LevelScores]:
    """Score predictions at both levels.

    The loss is the mean cross-entropy in nats, computed here from all logits together: of each segment's softmax, and
    of each track's mean probabilities (clipped at float64's epsilon, as scikit-learn's `log_loss` does). Intervals are
    those of `intervals.py`: percentile bootstraps that draw whole tracks, Wilson's for each genre and near 0 or 1.

    Args:
        predictions ([`Predictions`]): Segments of one part (`predictions.of_part("test")`).
        validation ([`Predictions`], *optional*): Segments of the validation part, to which temperatures are fitted;
            with none, or without a segment, there are no temperatures.
        artist_of (`Mapping[str, str]`, *optional*): From each track id to its artist, a name of its own where that is
            not known; `None`: no artist is known, and there is no interval by artist.
        seed (`int`, *optional*, defaults to 0): Seed of the bootstrap.
        num_resamples (`int`, *optional*, defaults to 2,000): Resamples of the intervals, at least 100; 0: no
            intervals (`ci95` is `None`), for a quick look.

    Returns:
        `tuple[LevelScores, LevelScores]`: Track level, segment level; plain Python numbers throughout.

    Raises:
        RecordError: No segments, segments of several parts, a track whose segments differ in label, or a track that
            `artist_of` does not name.
        OptionError: Fewer than 100 resamples, but not 0.
    """
    parts = sorted(set(predictions.part.tolist()))
    if len(parts) != 1:
        found = f"of {' and '.join(parts)}" if parts else "none"
        raise RecordError(f"scores are of one part; the predictions given are {found}. Choose one with of_part(...)")
    unnamed = sorted(set(predictions.track_id.tolist()) - set(artist_of)) if artist_of is not None else []
    if unnamed:
        raise RecordError(f"artist_of names no artist for {len(unnamed)} tracks, such as {unnamed[0]}")
    items = _levels(predictions)
    fitted_to = _levels(validation) if validation is not None and len(validation) else {}
    track, segment = (
        _score_level(level, predictions, items[level], fitted_to.get(level), artist_of, seed, num_resamples)
        for level in ("track", "segment")
    )
    return track, segment


@dataclass(frozen=True)
class _Level:
    """The items of one level: their tracks, true and predicted classes, and logarithms of their probabilities."""

    track_id: np.ndarray
    label: np.ndarray
    predicted: np.ndarray
    log_probabilities: np.ndarray


def _levels(predictions: Predictions) -> dict[str, _Level]:
    tracks = predictions.to_tracks()
    of_tracks = np.log(tracks.probabilities.clip(np.finfo(np.float64).eps))
    of_segments = log_softmax(predictions.logits.astype(np.float64), axis=-1)
    return {
        "track": _Level(tracks.track_id, tracks.label, tracks.predicted, of_tracks),
        "segment": _Level(predictions.track_id, predictions.label, predictions.logits.argmax(axis=-1), of_segments),
    }


def _score_level(
    level: str,
    predictions: Predictions,
    items: _Level,
    fitted_to: _Level | None,
    artist_of: Mapping[str, str] | None,
    seed: int,
    num_resamples: int,
) -> LevelScores:
    from mgc_hf.evaluation import metrics  # imports datasets

    names = predictions.genres
    inputs = {"predictions": predictions.logits, "references": predictions.label}
    if level == "track":
        inputs["track_ids"] = predictions.track_id
    accuracy_metric, report_metric = {
        "track": (metrics.TrackAccuracy, metrics.TrackReport),
        "segment": (metrics.SegmentAccuracy, metrics.SegmentReport),
    }[level]
    accuracy = accuracy_metric().compute(**inputs)["accuracy"]
    report = report_metric().compute(**inputs, genres=names)
    right = items.predicted == items.label
    label_of = dict(zip(items.track_id.tolist(), items.label.tolist(), strict=True))
    num_tracks = np.bincount(list(label_of.values()), minlength=len(names))
    resampling = {"seed": seed, "num_resamples": num_resamples}

    def interval(units: np.ndarray, found: np.ndarray) -> Interval:
        return Interval(float(found.mean()), accuracy_interval(units, found, **resampling) if num_resamples else None)

    accuracy_ci95 = f1_ci95 = None
    if num_resamples:
        by_track = bootstrap_by_track(items.track_id, items.label, items.predicted, len(names), **resampling)
        accuracy_ci95 = or_wilson(by_track["accuracy"], accuracy, int(num_tracks.sum()))
        low, high = by_track["macro_f1"]
        f1_ci95 = [low, high] if low < high else None  # no formula such as Wilson's: better none than one of no width
    artists = None if artist_of is None else np.array([artist_of[track] for track in items.track_id], dtype=object)
    scored = items.log_probabilities
    return LevelScores(
        n=len(items.label),
        accuracy=Interval(accuracy, accuracy_ci95),
        macro_f1=Interval(report["macro"]["f1"], f1_ci95),
        loss=float(-np.take_along_axis(scored, items.label[:, None], axis=-1).mean()),
        per_genre={
            name: GenreScores(**scores, recall_ci95=wilson(scores["recall"] * int(count), int(count)))
            for (name, scores), count in zip(report["per_genre"].items(), num_tracks, strict=True)
        },
        macro=AverageScores(**report["macro"]),
        weighted=AverageScores(**report["weighted"]),
        confusion_matrix=confusion_matrix(items.label, items.predicted, labels=range(len(names))).tolist(),
        top2_accuracy=interval(items.track_id, among_top(scored, items.label)) if len(names) > 2 else None,
        accuracy_by_artist=None if artists is None else interval(artists, right),
        calibration=calibrate(
            scored, items.label, None if fitted_to is None else (fitted_to.log_probabilities, fitted_to.label)
        ),
    )
