"""`score`: predictions of one part to all figures of the record, at track and at segment level."""

import numpy as np
from scipy.special import log_softmax
from sklearn.metrics import confusion_matrix

from mgc_hf.errors import RecordError
from mgc_hf.evaluation.intervals import NUM_RESAMPLES, bootstrap_by_track, with_width
from mgc_hf.predictions import Predictions
from mgc_hf.results import AverageScores, GenreScores, Interval, LevelScores


def score(
    predictions: Predictions, *, seed: int = 0, num_resamples: int = NUM_RESAMPLES
) -> tuple[LevelScores, LevelScores]:
    """Score predictions at both levels.

    The loss is the mean cross-entropy in nats, computed here from all logits together: of each segment's softmax, and
    of each track's mean probabilities (clipped at float64's epsilon, as scikit-learn's `log_loss` does).

    Args:
        predictions ([`Predictions`]): Segments of one part (`predictions.of_part("test")`).
        seed (`int`, *optional*, defaults to 0): Seed of the bootstrap.
        num_resamples (`int`, *optional*, defaults to 2,000): Resamples of the intervals, at least 100; 0: no
            intervals (`ci95` is `None`), for a quick look.

    Returns:
        `tuple[LevelScores, LevelScores]`: Track level, segment level; plain Python numbers throughout.

    Raises:
        RecordError: No segments, segments of several parts, or a track whose segments differ in label.
        OptionError: Fewer than 100 resamples, but not 0.
    """
    parts = sorted(set(predictions.part.tolist()))
    if len(parts) != 1:
        found = f"of {' and '.join(parts)}" if parts else "none"
        raise RecordError(f"scores are of one part; the predictions given are {found}. Choose one with of_part(...)")
    tracks = predictions.to_tracks()
    track_loss = -np.log(_of_label(tracks.probabilities, tracks.label).clip(np.finfo(np.float64).eps)).mean()
    log_probabilities = log_softmax(predictions.logits.astype(np.float64), axis=-1)
    segment_loss = -_of_label(log_probabilities, predictions.label).mean()
    resampling = {"seed": seed, "num_resamples": num_resamples}
    return (
        _level("track", predictions, tracks.track_id, tracks.label, tracks.predicted, track_loss, resampling),
        _level(
            "segment",
            predictions,
            predictions.track_id,
            predictions.label,
            predictions.logits.argmax(axis=-1),
            segment_loss,
            resampling,
        ),
    )


def _of_label(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Pick each row's value at its label: `(n, num_labels)`, `(n,)` -> `(n,)`."""
    return np.take_along_axis(values, label[:, None], axis=-1)[:, 0]


def _level(
    level: str,
    predictions: Predictions,
    track_id: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray,
    loss: float,
    resampling: dict[str, int],
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
    intervals = (
        bootstrap_by_track(track_id, label, predicted, len(names), **resampling) if resampling["num_resamples"] else {}
    )
    accuracy_interval, f1_interval = intervals.get("accuracy"), intervals.get("macro_f1")
    if accuracy_interval is not None:
        accuracy_interval = with_width(accuracy_interval, accuracy, len(set(track_id.tolist())))
    if f1_interval is not None and f1_interval[0] == f1_interval[1]:
        f1_interval = None  # no such formula for F1: better none than one of no width
    return LevelScores(
        n=len(label),
        accuracy=Interval(accuracy, accuracy_interval),
        macro_f1=Interval(report["macro"]["f1"], f1_interval),
        loss=float(loss),
        per_genre={name: GenreScores(**scores) for name, scores in report["per_genre"].items()},
        macro=AverageScores(**report["macro"]),
        weighted=AverageScores(**report["weighted"]),
        confusion_matrix=confusion_matrix(label, predicted, labels=range(len(names))).tolist(),
    )
