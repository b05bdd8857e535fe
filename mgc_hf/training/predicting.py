"""A model's logits for every row of a data set, as `Predictions`; and the figures of a validation part.

Free of transformers' Trainer, so that evaluating a finished model does not load it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mgc_hf.data.facts import whole_track
from mgc_hf.errors import RecordError
from mgc_hf.predictions import Predictions

if TYPE_CHECKING:
    from mgc_hf.data.segments import SegmentTable


@dataclass(frozen=True)
class Validation:
    """A part of the data to validate on: model inputs and what is known of each row.

    Args:
        data ([`~mgc_hf.features.SegmentDataset`]): Model inputs, one row a segment.
        rows ([`~mgc_hf.data.segments.SegmentTable`]): The same segments in the same order.
        genres (`Sequence[str]`): Class names in label order.
        whole_tracks (`bool`, *optional*, defaults to `True`): Whether every track lies in one part. Else what the segments
            of a track vote for here is no figure of the track, and none is computed.
    """

    data: Any
    rows: "SegmentTable"
    genres: Sequence[str]
    whole_tracks: bool = True

    def predictions(self, logits: np.ndarray, labels: np.ndarray) -> Predictions:
        """Join logits `(num_segments, num_labels)` and returned labels `(num_segments,)` with the rows.

        Raises:
            RecordError: The returned labels are not the label column, so the logits belong to other rows.
        """
        expected = np.asarray(self.rows.label)
        if not np.array_equal(np.asarray(labels), expected):
            raise RecordError(
                f"the model was given {len(labels)} labels in another order or number than the {len(expected)} "
                "segments have; its logits cannot be told apart"
            )
        track_id, number = _in_whole_tracks(self.rows)
        return Predictions(
            track_id=track_id,
            segment=number,
            start_s=self.rows.start_s,
            part=self.rows.part,
            label=expected,
            logits=logits,
            genres=tuple(self.genres),
        )


def _in_whole_tracks(rows: "SegmentTable") -> tuple[np.ndarray, np.ndarray]:
    """Return track and number of each row, where the pieces of one track count as that track.

    Pieces that somebody has cut (`blues.00000.0`, `blues.00000.1`, ...) are no tracks of their own: they are judged
    together, and an interval over tracks would be too narrow if they counted apart. Starts stay those in the piece.
    """
    pieces, piece = np.unique(np.asarray(rows.track_id).astype(str), return_inverse=True)
    label = np.zeros(len(pieces), dtype=np.int64)
    label[piece] = rows.label
    genres_of: dict[str, set[int]] = {}
    for name, genre in zip(pieces, label.tolist(), strict=True):
        genres_of.setdefault(whole_track(name), set()).add(genre)
    # of pieces that lie among two genres' files nobody knows which is right: they stay by themselves
    track = [whole if len(genres_of[whole := whole_track(name)]) == 1 else name for name in pieces]
    first, following = np.zeros(len(pieces), dtype=np.int64), dict.fromkeys(track, 0)
    for index in sorted(range(len(pieces)), key=lambda at: (len(pieces[at]), pieces[at])):
        first[index] = following[track[index]]
        following[track[index]] += int(rows.segment[piece == index].max()) + 1
    return np.array(track, dtype=object)[piece], rows.number + first[piece]


def predict(
    model: Any, data: Any, rows: "SegmentTable", genres: Sequence[str], *, batch_size: int = 64
) -> Predictions:
    """Run a model over every row of a data set.

    Args:
        model (`torch.nn.Module` or [`~mgc_hf.training.trainer.GenreTrainer`]): A classifier whose output has `logits`,
            or the trainer that holds it; the trainer shares the work among its processes, and every one of them must
            call and gets all the predictions.
        data ([`~mgc_hf.features.SegmentDataset`]): Model inputs, one row a segment.
        rows ([`~mgc_hf.data.segments.SegmentTable`]): The same segments in the same order.
        genres (`Sequence[str]`): Class names in label order.
        batch_size (`int`, *optional*, defaults to 64): Rows per batch, for a bare model.

    Returns:
        [`~mgc_hf.predictions.Predictions`]: One row a segment, in the order of `rows`.

    Raises:
        RecordError: A logit is not finite, or the labels that came back are not those of `rows`.
    """
    if isinstance(model, torch.nn.Module):
        logits, labels = _run_model(model, data, batch_size)
    else:
        output = model.predict(data)
        logits, labels = output.predictions, output.label_ids
    return Validation(data, rows, genres).predictions(logits, labels)


def _run_model(model: torch.nn.Module, data: Any, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    device = next(model.parameters()).device
    logits, labels = [], []
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(data), batch_size):
                batch = dict(data.__getitems__(list(range(start, min(start + batch_size, len(data))))))
                labels.append(batch.pop("labels"))
                inputs = {name: value.to(device) for name, value in batch.items()}
                logits.append(model(**inputs).logits.float().cpu())
    finally:
        model.train(was_training)
    return torch.cat(logits).numpy(), torch.cat(labels).numpy()


def validation_metrics(predictions: Predictions, whole_tracks: bool = True) -> dict[str, float]:
    """Return `loss` (mean cross-entropy of the segments, nats), `segment_accuracy` and, where whole tracks are divided,
    `track_accuracy` (fractions)."""
    logits = predictions.logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    of_label = shifted[np.arange(len(logits)), predictions.label]
    figures = {
        "loss": float((log_sums - of_label).mean()),
        "segment_accuracy": float((logits.argmax(axis=1) == predictions.label).mean()),
    }
    if whole_tracks:
        tracks = predictions.to_tracks()
        figures["track_accuracy"] = float((tracks.predicted == tracks.label).mean())
    return figures
