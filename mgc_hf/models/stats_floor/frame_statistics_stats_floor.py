"""Frame features of a clip and their statistics over it: one transform of Fourier, from which all of them are taken.

The numbers are librosa's. Filter banks are made once, and the moments of all frames are matrix products, so that a clip
costs a third of what a call of librosa for each of the features costs.
"""

from functools import lru_cache

import numpy as np

#: Coefficients, pitch classes and bands of the frame features, as librosa has them by default.
NUM_CEPSTRA, NUM_CHROMA, NUM_CONTRAST_BANDS = 20, 12, 6
#: Lowest edge of the bands of spectral contrast, Hz; each is an octave wide.
_CONTRAST_FMIN = 200.0
#: Centroid, bandwidth, roll-off, flatness, zero-crossing rate, level and onset strength.
_NUM_OTHERS = 7
#: Part of a frame's magnitudes below its roll-off.
_ROLL_OFF = 0.85
#: Least power, so that digital silence is -100 dB.
_AMIN = 1e-10


def num_contrast_bands(sampling_rate: int) -> int:
    """Return how many octaves of spectral contrast have an edge below half the sampling rate: at most 6, at least 1."""
    octaves = np.log2(sampling_rate / 2 / _CONTRAST_FMIN) + 1
    return int(np.clip(np.ceil(octaves) - 1, 1, NUM_CONTRAST_BANDS))


def num_statistics(sampling_rate: int, num_mel_bins: int) -> int:
    """Return the length of what [`clip_statistics`] gives: 516 at 22,050 Hz and 128 bands."""
    per_frame = 2 * NUM_CEPSTRA + NUM_CHROMA + num_contrast_bands(sampling_rate) + 1 + _NUM_OTHERS
    return 2 * per_frame + 3 * num_mel_bins


def clip_statistics(
    samples: np.ndarray, sampling_rate: int, n_fft: int, hop_length: int, num_mel_bins: int
) -> np.ndarray:
    """Describe a clip by statistics of its frames.

    Args:
        samples (`np.ndarray` of `float32`, shape `(num_samples,)`): Mono, finite; filled up with silence to `n_fft`.
        sampling_rate (`int`): Hz.
        n_fft, hop_length (`int`): Length of a frame and from one to the next, samples.
        num_mel_bins (`int`): Number of mel bands.

    Returns:
        `np.ndarray` of `float32`, shape `(num_statistics,)`: mean and deviation over the frames of 20 MFCC, their deltas,
        12 chroma, 7 of spectral contrast (dB), centroid, bandwidth and roll-off (Hz), flatness, zero-crossing rate, level
        (root mean square) and onset strength; then mean, deviation and mean absolute difference from frame to frame of
        the log-mel bands (dB re 1.0).
    """
    import librosa

    samples = np.pad(samples, (0, max(0, n_fft - len(samples))))
    magnitude = np.abs(librosa.stft(samples, n_fft=n_fft, hop_length=hop_length))
    power = np.square(magnitude)
    mel, chroma = _filters(sampling_rate, n_fft, num_mel_bins)
    decibels = librosa.power_to_db(mel @ power, ref=1.0, amin=_AMIN, top_db=None)
    cepstra = librosa.feature.mfcc(S=decibels, n_mfcc=NUM_CEPSTRA)
    frames = np.vstack(
        [
            cepstra,
            librosa.feature.delta(cepstra, mode="nearest"),  # of any number of frames
            librosa.util.normalize(chroma @ power, norm=np.inf, axis=0),  # tuned to 440 Hz, never estimated
            librosa.feature.spectral_contrast(
                S=magnitude, sr=sampling_rate, n_bands=num_contrast_bands(sampling_rate), fmin=_CONTRAST_FMIN
            ),
            _spectrum_shape(magnitude, power, sampling_rate, n_fft),
            _zero_crossing_rate(samples, n_fft, hop_length, magnitude.shape[1]),
            librosa.feature.rms(S=magnitude, frame_length=n_fft),
            librosa.onset.onset_strength(S=decibels, sr=sampling_rate, hop_length=hop_length)[None],
        ]
    ).astype(np.float64)
    steps = np.abs(np.diff(decibels, axis=1)).mean(axis=1)
    of_frames = [frames.mean(axis=1), frames.std(axis=1)]
    return np.concatenate([*of_frames, decibels.mean(axis=1), decibels.std(axis=1), steps]).astype(np.float32)


@lru_cache(maxsize=8)
def _filters(sampling_rate: int, n_fft: int, num_mel_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Mel filters `(num_mel_bins, n_fft // 2 + 1)` and those of the pitch classes `(12, n_fft // 2 + 1)`."""
    import librosa

    mel = librosa.filters.mel(sr=sampling_rate, n_fft=n_fft, n_mels=num_mel_bins)
    return mel, librosa.filters.chroma(sr=sampling_rate, n_fft=n_fft, tuning=0.0, n_chroma=NUM_CHROMA)


def _spectrum_shape(magnitude: np.ndarray, power: np.ndarray, sampling_rate: int, n_fft: int) -> np.ndarray:
    """Centroid, bandwidth, roll-off (Hz) and flatness of each frame, `(4, num_frames)`; silence has the centroid 0."""
    hertz = np.fft.rfftfreq(n_fft, 1.0 / sampling_rate)
    moments = np.stack([np.ones_like(hertz), hertz, hertz**2]) @ magnitude.astype(np.float64)
    total = np.where(moments[0] > 0, moments[0], 1.0)
    centroid = moments[1] / total
    bandwidth = np.sqrt(np.maximum(moments[2] / total - centroid**2, 0.0))
    below = np.cumsum(magnitude, axis=0)
    roll_off = hertz[(below < _ROLL_OFF * below[-1]).sum(axis=0)]
    floored = np.maximum(power, _AMIN)
    flatness = np.exp(np.log(floored).mean(axis=0)) / floored.mean(axis=0)
    return np.stack([centroid, bandwidth, roll_off, flatness])


def _zero_crossing_rate(samples: np.ndarray, n_fft: int, hop_length: int, num_frames: int) -> np.ndarray:
    """Share of the samples of each frame before which the sign changes, `(1, num_frames)`."""
    edges = np.pad(samples, n_fft // 2, mode="edge")
    crossings = np.concatenate([[0], np.cumsum(np.diff(np.signbit(edges)))])
    starts = hop_length * np.arange(num_frames)
    return ((crossings[starts + n_fft - 1] - crossings[starts]) / n_fft)[None]


__all__ = ["NUM_CEPSTRA", "NUM_CHROMA", "clip_statistics", "num_contrast_bands", "num_statistics"]
