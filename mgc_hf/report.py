"""The files that document a run: predictions, pictures, card and record, and the clips that the pictures show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf import outputs
from mgc_hf.cards.card import render_card
from mgc_hf.cards.companions import write_companions
from mgc_hf.division import Part
from mgc_hf.features import TrackReader
from mgc_hf.files import write_text
from mgc_hf.pictures import GenreClips, draw_all
from mgc_hf.predictions import Predictions
from mgc_hf.results import RunResult


def write_report(
    result: RunResult,
    predictions: Predictions,
    folder: Path,
    clips: GenreClips | None,
    floor: Predictions | None = None,
) -> None:
    """Write all that documents a run; the record comes last, so that a folder with it is complete.

    Args:
        result ([`RunResult`]): The record.
        predictions ([`Predictions`]): What the record was computed from.
        folder (`Path`): The model folder.
        clips ([`GenreClips`], *optional*): One clip per genre, where there are pictures of training data.
        floor ([`Predictions`], *optional*): What the floor says of the test part, where it was compared.
    """
    predictions.save(folder / outputs.PREDICTIONS)
    if floor is not None:
        floor.save(folder / outputs.FLOOR)
    draw_all(result, clips, folder)
    write_companions(result, folder)
    write_text(folder / outputs.CARD, render_card(result))
    result.save(folder / outputs.RESULTS)


def first_clips(part: Part, genres: Sequence[str], extractor: Any, seconds: float = 10.0) -> GenreClips:
    """Take the first seconds of one track per genre, with its spectrogram, for the pictures of sound."""
    from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

    rate = int(extractor.sampling_rate)
    if not isinstance(extractor, LogMelFeatureExtractor):
        extractor = LogMelFeatureExtractor(sampling_rate=rate)
    reader, waveforms = TrackReader(part.tracks), {}
    for label, genre in enumerate(genres):
        rows = np.flatnonzero(part.rows.label == label)
        if len(rows):
            samples = reader.read(int(part.rows.track[rows[0]]))[: round(seconds * rate)]
            waveforms[genre] = (samples, rate)
    mels = {
        genre: extractor(samples, sampling_rate=rate, return_tensors="np")["input_features"][0]
        for genre, (samples, _) in waveforms.items()
    }
    return GenreClips(waveforms, mels, extractor.hop_length, extractor.fmin, extractor.fmax or rate / 2)
