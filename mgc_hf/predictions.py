"""`Predictions`: one row per segment, all that evaluation, pictures and pages need once the model has run.

Kept on disk as `predictions.parquet`, so that every figure can be computed again without the model.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf.errors import RecordError
from mgc_hf.files import atomic_path

PARTS = ("train", "validation", "test")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities over the last axis, in float64: `(..., num_labels)` -> `(..., num_labels)`."""
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def most_probable(probabilities: np.ndarray) -> np.ndarray:
    """Return the most probable class over the last axis, ties to the lower index: `(..., num_labels)` -> `(...)`.

    Means of the same numbers in another order differ in their last digits, so what is equal to 12 decimals is a tie.
    """
    return np.round(probabilities, 12).argmax(axis=-1)


@dataclass(frozen=True)
class Predictions:
    """What a model said of every segment.

    Args:
        track_id (`np.ndarray` of `str`, shape `(num_segments,)`): The clip that the segment was cut from.
        segment (`np.ndarray` of `int64`, shape `(num_segments,)`): Number of the segment within its clip, from 0; the
            k-th augmented copy of segment n (`data/segments.py`) is n + 100,000 k.
        start_s (`np.ndarray` of `float64`, shape `(num_segments,)`): Start of the segment within its clip, seconds.
        part (`np.ndarray` of `str`, shape `(num_segments,)`): `train`, `validation` or `test`.
        label (`np.ndarray` of `int64`, shape `(num_segments,)`): True class, an index into `genres`.
        logits (`np.ndarray` of `float32`, shape `(num_segments, num_labels)`): The model's scores before softmax.
        genres (`tuple[str, ...]`): Class names in label order.

    Raises:
        RecordError: Shapes, parts or labels do not fit together, or a logit is not finite.
    """

    track_id: np.ndarray
    segment: np.ndarray
    start_s: np.ndarray
    part: np.ndarray
    label: np.ndarray
    logits: np.ndarray
    genres: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the class is frozen for its users
        set_field(self, "track_id", np.asarray(self.track_id, dtype=object))
        set_field(self, "segment", _whole("segment", self.segment))
        set_field(self, "start_s", np.asarray(self.start_s, dtype=np.float64))
        set_field(self, "part", np.asarray(self.part, dtype=object))
        set_field(self, "label", _whole("label", self.label))
        set_field(self, "logits", np.asarray(self.logits, dtype=np.float32))
        set_field(self, "genres", tuple(self.genres))
        count = len(self.track_id)
        for name in ("segment", "start_s", "part", "label"):
            if getattr(self, name).shape != (count,):
                raise RecordError(f"predictions: {name} has shape {getattr(self, name).shape}, expected ({count},)")
        if self.logits.shape != (count, len(self.genres)):
            raise RecordError(
                f"predictions: logits have shape {self.logits.shape}, expected ({count}, {len(self.genres)}) "
                "(segments, genres)"
            )
        if not np.isfinite(self.logits).all():
            raise RecordError("predictions: logits hold NaN or infinite values")
        unknown = sorted({str(part) for part in self.part} - set(PARTS))
        if unknown:
            raise RecordError(f"predictions: unknown part {unknown}; allowed are {list(PARTS)}")
        if count and (self.label.min() < 0 or self.label.max() >= len(self.genres)):
            raise RecordError(f"predictions: a label lies outside 0..{len(self.genres) - 1}")

    def __len__(self) -> int:
        return len(self.track_id)

    @classmethod
    def concatenate(cls, several: Sequence["Predictions"]) -> "Predictions":
        """Join predictions of one model over several parts, in this order."""
        names = [f.name for f in fields(cls) if f.name != "genres"]
        columns = {name: np.concatenate([getattr(one, name) for one in several]) for name in names}
        return cls(**columns, genres=several[0].genres)

    @property
    def probabilities(self) -> np.ndarray:
        """Softmax of the logits, float64, shape `(num_segments, num_labels)`."""
        return softmax(self.logits)

    def of_part(self, part: str) -> "Predictions":
        """Return the rows of one part, in the same order."""
        keep = self.part == part
        rows = {f.name: getattr(self, f.name)[keep] for f in fields(self) if f.name != "genres"}
        return Predictions(**rows, genres=self.genres)

    def to_tracks(self) -> "TrackPredictions":
        """Pool segments to tracks: the mean of the segments' probabilities (softmax first, then the mean).

        Raises:
            RecordError: The segments of one track disagree about its label.
        """
        track_ids, inverse, counts = np.unique(self.track_id.astype(str), return_inverse=True, return_counts=True)
        sums = np.zeros((len(track_ids), len(self.genres)))
        np.add.at(sums, inverse, self.probabilities)
        label = np.zeros(len(track_ids), dtype=np.int64)
        label[inverse] = self.label
        wrong = np.flatnonzero(label[inverse] != self.label)
        if len(wrong):
            raise RecordError(f"predictions: track {self.track_id[wrong[0]]} has segments with different labels")
        return TrackPredictions(track_ids, label, sums / counts[:, None], counts, self.genres)

    def save(self, path: str | Path) -> None:
        """Write `predictions.parquet` atomically (class names in the schema's metadata)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = _schema()
        table = pa.table(
            [pa.array(getattr(self, name).tolist(), schema.field(name).type) for name in schema.names], schema
        )
        table = table.replace_schema_metadata({"genres": json.dumps(self.genres)})
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary)

    @classmethod
    def load(cls, path: str | Path) -> "Predictions":
        """Read what `save` wrote.

        Raises:
            RecordError: The file is no Parquet file of this layout (columns, their types, no nulls, class names in the
                metadata), or its rows do not fit together; the text names the file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
            genres = tuple(json.loads(table.schema.metadata[b"genres"]))
            if table.schema.remove_metadata() != _schema():
                raise ValueError(f"its columns are {_described(table.schema)}; expected {_described(_schema())}")
            with_nulls = [name for name in table.column_names if table[name].null_count]
            if with_nulls:
                raise ValueError(f"nulls in {', '.join(with_nulls)}")
            columns = {name: table[name].to_pylist() for name in table.column_names if name != "logits"}
            logits = np.array(table["logits"].to_pylist(), dtype=np.float32).reshape(-1, len(genres))
            return cls(**columns, logits=logits, genres=genres)
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise RecordError(f"{path}: not a predictions file of mgc_hf ({error})") from error
        except RecordError as error:
            raise RecordError(f"{path}: {error}") from error


def _whole(name: str, values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":  # a cast would turn label 0.7 into 0
        raise RecordError(f"predictions: {name} holds {array.dtype} values, expected whole numbers")
    return array.astype(np.int64)


def _schema() -> Any:
    """The columns of `predictions.parquet` (a `pyarrow.Schema`)."""
    import pyarrow as pa

    kinds = {
        "track_id": pa.string(),
        "segment": pa.int64(),
        "start_s": pa.float64(),
        "part": pa.string(),
        "label": pa.int64(),
        "logits": pa.list_(pa.float32()),
    }
    return pa.schema(list(kinds.items()))


def _described(schema: Any) -> str:
    return ", ".join(f"{column.name} ({column.type})" for column in schema)


@dataclass(frozen=True)
class TrackPredictions:
    """Segments pooled to tracks, sorted by track id.

    Args:
        track_id (`np.ndarray` of `str`, shape `(num_tracks,)`): Track ids, sorted.
        label (`np.ndarray` of `int64`, shape `(num_tracks,)`): True class.
        probabilities (`np.ndarray` of `float64`, shape `(num_tracks, num_labels)`): Mean of the segments' softmax.
        num_segments (`np.ndarray` of `int64`, shape `(num_tracks,)`): Segments pooled.
        genres (`tuple[str, ...]`): Class names in label order.
    """

    track_id: np.ndarray
    label: np.ndarray
    probabilities: np.ndarray
    num_segments: np.ndarray
    genres: tuple[str, ...]

    @property
    def predicted(self) -> np.ndarray:
        """Most probable class, ties to the lower index, shape `(num_tracks,)`."""
        return most_probable(self.probabilities)
