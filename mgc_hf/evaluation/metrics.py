"""Metrics as `evaluate.Metric` subclasses, at segment and at track level; scikit-learn computes them.

They are imported like any class, never by `evaluate.load`, which would look for code in the working folder and on the
Hub. Everything stays in memory: nothing is written under `HF_HOME/metrics`, not even a folder.
"""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from mgc_hf.predictions import Predictions

_CITATION = """\
@article{scikit-learn,
  title={Scikit-learn: Machine Learning in {P}ython},
  author={Pedregosa, F. and Varoquaux, G. and Gramfort, A. and Michel, V. and Thirion, B. and Grisel, O. and
          Blondel, M. and Prettenhofer, P. and Weiss, R. and Dubourg, V. and Vanderplas, J. and Passos, A. and
          Cournapeau, D. and Brucher, M. and Perrot, M. and Duchesnay, E.},
  journal={Journal of Machine Learning Research},
  volume={12},
  pages={2825--2830},
  year={2011}
}
"""

_SEGMENT_INPUTS = """
Args:
    predictions (`list` of `list` of `float`, shape `(num_segments, num_labels)`): Logits. A segment's class is the
        highest one, ties to the lower index.
    references (`list` of `int`, shape `(num_segments,)`): True class of each segment.
"""

_TRACK_INPUTS = """
Args:
    predictions (`list` of `list` of `float`, shape `(num_segments, num_labels)`): Logits of segments. A track's
        class is the highest mean of its segments' probabilities (softmax first), ties to the lower index.
    references (`list` of `int`, shape `(num_segments,)`): True class of each segment, the same for all of a track.
    track_ids (`list` of `str`, shape `(num_segments,)`): The track that each segment is of.
"""

_ACCURACY_RETURNS = """
Returns:
    `dict`: `accuracy`, a fraction; higher is better.
"""

_REPORT_RETURNS = """    genres (`list` of `str`, *optional*): Class names in label order; "0", "1", ... by default.
Returns:
    `dict`: `per_genre` (for each genre `precision`, `recall`, `f1`, fractions that are 0 where undefined, and
        `support`, its true items), `macro` (mean over the genres with support), `weighted` (mean weighted by
        support) and `missing` (genres without support). Higher is better.
"""


_LABEL_INPUTS = """
Args:
    predictions (`list` of `int`, shape `(num_segments,)`): Predicted class of each segment.
    references (`list` of `int`, shape `(num_segments,)`): True class of each segment.
Returns:
    `dict`: `accuracy` and `macro_f1` (the mean of F1 over the classes with true items), fractions; higher is better.
"""


class _MemoryMetric(evaluate.Metric):
    """Base: evaluate's files turned off.

    Args:
        config_name (`str`, *optional*): As in `evaluate.Metric`.
        keep_in_memory (`bool`, *optional*, defaults to `True`): Nothing else is taken.
        kwargs: As in `evaluate.Metric`.

    Raises:
        ValueError: `keep_in_memory` is off, or more than one process is asked for (gather the logits first).
    """

    def __init__(self, config_name: str | None = None, keep_in_memory: bool = True, **kwargs: Any):
        if not keep_in_memory:
            raise ValueError("mgc_hf's metrics work in memory only: leave keep_in_memory=True")
        super().__init__(config_name, keep_in_memory=True, **kwargs)

    def _build_data_dir(self) -> str:
        return ""  # evaluate makes a folder under HF_HOME here, even for metrics that stay in memory


class _GenreMetric(_MemoryMetric):
    """Base of the metrics of logits: features, and pooling to tracks."""

    level: str
    measures: str
    returns: str

    def _info(self) -> evaluate.MetricInfo:
        features = {
            "predictions": datasets.Sequence(datasets.Value("float32")),
            "references": datasets.Value("int64"),
        }
        if self.level == "track":
            features["track_ids"] = datasets.Value("string")
        inputs = _TRACK_INPUTS if self.level == "track" else _SEGMENT_INPUTS
        return evaluate.MetricInfo(
            description=f"{self.measures} at {self.level} level",
            citation=_CITATION,
            inputs_description=inputs + self.returns,
            features=datasets.Features(features),
            reference_urls=["https://scikit-learn.org/stable/modules/model_evaluation.html"],
        )

    def _classes(
        self, predictions: Any, references: Any, track_ids: Sequence[str] | None, genres: Sequence[str] | None
    ) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """Return true classes, predicted classes and class names at the metric's level."""
        count = len(references)
        logits = np.asarray(predictions, dtype=np.float32)
        names = tuple(genres) if genres is not None else tuple(str(label) for label in range(logits.shape[-1]))
        rows = Predictions(
            track_id=np.arange(count).astype(str) if track_ids is None else np.asarray(track_ids, dtype=object),
            segment=np.arange(count),
            start_s=np.zeros(count),
            part=np.full(count, "test", dtype=object),
            label=np.asarray(references, dtype=np.int64),
            logits=logits,
            genres=names,
        )
        if self.level == "segment":
            return rows.label, rows.logits.argmax(axis=-1), names
        tracks = rows.to_tracks()
        return tracks.label, tracks.predicted, names


class _Accuracy(_GenreMetric):
    measures = "Accuracy of music genres"
    returns = _ACCURACY_RETURNS

    def _compute(
        self, predictions: Any = None, references: Any = None, track_ids: Sequence[str] | None = None
    ) -> dict[str, float]:
        label, predicted, _ = self._classes(predictions, references, track_ids, None)
        return {"accuracy": float(accuracy_score(label, predicted))}


class _Report(_GenreMetric):
    measures = "Precision, recall and F1 of each music genre, with macro and weighted averages,"
    returns = _REPORT_RETURNS

    def _compute(
        self,
        predictions: Any = None,
        references: Any = None,
        track_ids: Sequence[str] | None = None,
        genres: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        label, predicted, names = self._classes(predictions, references, track_ids, genres)
        *scores, support = precision_recall_fscore_support(
            label, predicted, labels=range(len(names)), average=None, zero_division=0
        )
        table = np.stack(scores, axis=-1)  # (num_labels, 3)
        return {
            "per_genre": {
                name: {**_named(row), "support": int(count)}
                for name, row, count in zip(names, table, support, strict=True)
            },
            "macro": _named(table[support > 0].mean(axis=0)),
            "weighted": _named(np.average(table, axis=0, weights=support)),
            "missing": [name for name, count in zip(names, support, strict=True) if count == 0],
        }


def _named(row: np.ndarray) -> dict[str, float]:
    return dict(zip(("precision", "recall", "f1"), row.tolist(), strict=True))


class SegmentAccuracy(_Accuracy):
    """Share of segments whose most probable genre is the true one."""

    level = "segment"


class TrackAccuracy(_Accuracy):
    """Share of tracks whose most probable genre, over the mean of their segments' probabilities, is the true one."""

    level = "track"


class SegmentReport(_Report):
    """Precision, recall and F1 of each genre over segments, with macro and weighted averages."""

    level = "segment"


class TrackReport(_Report):
    """Precision, recall and F1 of each genre over tracks, with macro and weighted averages."""

    level = "track"


class SegmentLabels(_MemoryMetric):
    """Accuracy and macro F1 of segments from predicted classes alone, as `evaluate.evaluator` gives them to a metric."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Accuracy and macro F1 of music genres at segment level, from predicted classes",
            citation=_CITATION,
            inputs_description=_LABEL_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
            ),
            reference_urls=["https://scikit-learn.org/stable/modules/model_evaluation.html"],
        )

    def _compute(self, predictions: Any = None, references: Any = None) -> dict[str, float]:
        present = np.unique(references)
        f1 = f1_score(references, predictions, labels=present, average="macro", zero_division=0)
        return {"accuracy": float(accuracy_score(references, predictions)), "macro_f1": float(f1)}
