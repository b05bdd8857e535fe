"""Clips to send to the page, and a pipeline that stands in for a model's."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from tests.tunes import GENRES, SAMPLING_RATE, tune


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Path:
    """A folder of clips: some that can be heard, and each kind that cannot."""
    folder = tmp_path_factory.mktemp("clips")
    samples = tune(GENRES[0], 0, 6.0)
    soundfile.write(folder / "good.wav", samples, SAMPLING_RATE)
    soundfile.write(folder / "stereo.flac", np.stack([samples, -samples], axis=1), SAMPLING_RATE)
    soundfile.write(folder / "silent.wav", np.zeros(SAMPLING_RATE), SAMPLING_RATE)
    soundfile.write(folder / "constant.wav", np.full(SAMPLING_RATE, 0.5), SAMPLING_RATE)
    soundfile.write(folder / "empty.wav", np.zeros(0), SAMPLING_RATE)
    soundfile.write(folder / "short.wav", samples[:100], SAMPLING_RATE)
    soundfile.write(folder / "long.wav", np.resize(samples, 1000 * 660), 1000)
    broken = np.where(np.arange(SAMPLING_RATE) == 9, np.nan, samples[:SAMPLING_RATE])
    soundfile.write(folder / "broken.wav", broken, SAMPLING_RATE, subtype="FLOAT")
    (folder / "<b>text.mp3").write_text("no audio")
    return folder


class StandIn:
    """Answers as a model's pipeline does: genre k of window k is the most probable one."""

    def __init__(self, genres, seconds=3.0):
        self.model = SimpleNamespace(config=SimpleNamespace(id2label=dict(enumerate(genres))))
        self.genres, self.seconds = genres, seconds

    def __call__(self, audio, top_k=None, return_windows=False):
        assert top_k is None
        assert return_windows
        length = len(audio["raw"]) / audio["sampling_rate"]
        rows = np.full((max(1, int(length / self.seconds)), len(self.genres)), 1.0)
        for number, row in enumerate(rows):
            row[number % len(row)] = 2 + number
        rows /= rows.sum(axis=1, keepdims=True)
        starts = [number * self.seconds for number in range(len(rows))]
        windows = [
            {"start": start, "end": min(start + self.seconds, length), "labels": self._labels(row)}
            for start, row in zip(starts, rows, strict=True)
        ]
        return {"labels": self._labels(rows.mean(axis=0)), "windows": windows}

    def _labels(self, row):
        return [{"label": self.genres[index], "score": float(row[index])} for index in np.argsort(-row, kind="stable")]


@pytest.fixture
def stand_in():
    """Make a pipeline: `stand_in(genres)`."""
    return StandIn
