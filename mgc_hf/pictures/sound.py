"""Pictures of sound, from one clip per genre: waveforms and mel-spectrograms in seconds, Hz and dB."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.pictures.style import BLUE, new_figure, set_title, shorten
from mgc_hf.results import RunResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Decibels shown below the loudest point of all clips.
DYNAMIC_RANGE_DB = 80.0
ENVELOPE_COLUMNS = 900
MEL_TICKS_HZ = (500, 2000, 8000)


@dataclass(frozen=True)
class GenreClips:
    """One clip per genre, for the pictures of sound.

    Args:
        waveforms (`dict[str, tuple[np.ndarray, int]]`): Genre to samples, float32 of shape `(num_samples,)`, and their
            sampling rate in Hz.
        mels (`dict[str, np.ndarray]`): Genre to the log-mel spectrogram of the same clip as the feature extractor gives
            it: decibels, shape `(num_frames, num_mel_bins)`.
        hop_length (`int`): Samples from one frame to the next.
        min_frequency, max_frequency (`float`): Edges of the mel filter bank (Slaney's scale), Hz.

    Raises:
        ValueError: An array has the wrong shape, or a spectrogram has no waveform of the same genre.
    """

    waveforms: dict[str, tuple[np.ndarray, int]]
    mels: dict[str, np.ndarray]
    hop_length: int
    min_frequency: float
    max_frequency: float

    def __post_init__(self) -> None:
        for genre, (samples, _) in self.waveforms.items():
            if samples.ndim != 1 or not len(samples):
                raise ValueError(f"waveform of {genre} has shape {samples.shape}, expected (num_samples,)")
        for genre, mel in self.mels.items():
            if mel.ndim != 2 or not mel.size:
                raise ValueError(f"mel-spectrogram of {genre} has shape {mel.shape}, expected (frames, mel bins)")
            if genre not in self.waveforms:
                raise ValueError(f"mel-spectrogram of {genre} has no waveform, which gives its sampling rate")


def waveforms(result: RunResult, clips: GenreClips) -> "Figure":
    """Draw one clip per genre as amplitude over time (the paper's Image 2)."""
    genres = [genre for genre in result.data.genres if genre in clips.waveforms]
    figure, panels = _grid(genres, panel_height=1.25)
    for axes, genre in zip(panels, genres, strict=True):
        samples, sampling_rate = clips.waveforms[genre]
        seconds, low, high = _envelope(samples, sampling_rate)
        axes.fill_between(seconds, low, high, color=BLUE, linewidth=0.4)
        axes.set_ylim(-1.05, 1.05)
        axes.set_yticks([-1, 0, 1])
        axes.margins(x=0)
    figure.supxlabel("Time (s)")
    figure.supylabel("Amplitude (fraction of full scale)")
    set_title(figure, result, "Waveform of one clip per genre")
    return figure


def mel_spectrograms(result: RunResult, clips: GenreClips) -> "Figure":
    """Draw one clip per genre as a log-mel spectrogram in dB, all on one colour scale (the paper's Image 3)."""
    genres = [genre for genre in result.data.genres if genre in clips.mels]
    figure, panels = _grid(genres, panel_height=1.6)
    loudest = max((float(clips.mels[genre].max()) for genre in genres), default=0.0)
    image: Any = None
    longest = 0.0
    for axes, genre in zip(panels, genres, strict=True):
        mel = clips.mels[genre]
        num_frames, num_mel_bins = mel.shape
        seconds = num_frames * clips.hop_length / clips.waveforms[genre][1]
        image = axes.imshow(
            mel.T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="viridis",
            vmin=loudest - DYNAMIC_RANGE_DB,
            vmax=loudest,
            extent=(0, seconds, -0.5, num_mel_bins - 0.5),
        )
        positions = _mel_positions(MEL_TICKS_HZ, num_mel_bins, clips.min_frequency, clips.max_frequency)
        axes.set_yticks(list(positions.values()), [f"{frequency:,}" for frequency in positions])
        longest = max(longest, seconds)
        axes.set_xlim(0, longest)  # the axes are shared, and imshow has set them to this clip alone
    figure.supxlabel("Time (s)")
    figure.supylabel("Frequency (Hz, mel scale)")
    if image is not None:
        bar = figure.colorbar(image, ax=panels, shrink=min(1.0, 5 / figure.get_figheight()), pad=0.02)
        bar.set_label("Power (dB, reference 1.0)")
        bar.outline.set_visible(False)
    set_title(figure, result, "Mel-spectrogram of one clip per genre")
    return figure


def _grid(genres: Sequence[str], panel_height: float) -> tuple["Figure", "list[Axes]"]:
    """Return a figure with one titled panel per genre, all with the same axes."""
    columns = 2 if len(genres) <= 12 else 3
    rows = max(1, math.ceil(len(genres) / columns))
    figure = new_figure(11 if columns == 2 else 13, 1.4 + panel_height * rows)
    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes in panels[len(genres) :]:
        axes.set_visible(False)
    # with a column that ends early, the last visible panel of it carries the time axis
    for axes in panels[max(0, len(genres) - columns) : len(genres)]:
        axes.xaxis.set_tick_params(labelbottom=True)
    for axes, label in zip(panels, shorten(genres, width=44, lines=1), strict=False):
        axes.set_title(label, pad=3)
    return figure, panels[: len(genres)]


def _envelope(samples: np.ndarray, sampling_rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reduce a waveform to the lowest and highest sample of each pixel column, with their times in seconds."""
    edges = np.linspace(0, len(samples), min(ENVELOPE_COLUMNS, len(samples)) + 1).astype(np.int64)[:-1]
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    return edges / sampling_rate, low, high


def _mel_positions(
    frequencies: Iterable[int], num_mel_bins: int, min_frequency: float, max_frequency: float
) -> dict[int, float]:
    """Return where frequencies (Hz) lie on an axis of mel bin numbers; those outside the filter bank are left out."""
    from librosa import mel_frequencies

    centres = mel_frequencies(n_mels=num_mel_bins + 2, fmin=min_frequency, fmax=max_frequency)[1:-1]
    return {
        frequency: float(np.interp(frequency, centres, np.arange(num_mel_bins)))
        for frequency in frequencies
        if centres[0] <= frequency <= centres[-1]
    }
