"""Settings of the log-mel spectrogram, and the window and filters that follow from them.

Like every module of this folder it imports no other part of the package, so that it can be saved beside a model and
run where the package is not installed.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from transformers.audio_utils import hertz_to_mel, mel_to_hertz

#: Version of the code that computes features: raised by every change that can change a number.
FEATURES_VERSION = 1

WINDOWS = ("hann", "hamming", "boxcar")
PAD_MODES = ("constant", "reflect")
POWERS = (1.0, 2.0)
NORMS = ("slaney", None)

_Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class LogMelSettings:
    """Everything that decides the numbers of a log-mel spectrogram.

    Args:
        num_mel_bins (`int`): Number of mel bands.
        sampling_rate (`int`): Hz.
        n_fft (`int`): Length of a frame and of its Fourier transform, samples.
        hop_length (`int`): From the start of one frame to the start of the next, samples.
        win_length (`int`, *optional*, defaults to `n_fft`): Length of the window, samples; it is centred in the frame.
        window_name (`str`): One of `"hann"`, `"hamming"`, `"boxcar"`, each periodic.
        power (`float`): Exponent of the magnitudes that the filters add up: 1 or 2.
        fmin, fmax (`float`): Lowest and highest edge of the filters, Hz; `fmax` defaults to half the sampling rate.
        norm (`str`, *optional*): `"slaney"` gives every filter the same area, `None` the same height.
        htk (`bool`): HTK's mel scale instead of Slaney's.
        amin (`float`): Floor of the mel powers before the logarithm.
        reference (`float`): Mel power that is 0 dB.
        center (`bool`): Frame `i` is centred on sample `i * hop_length`; otherwise it starts there.
        pad_mode (`str`): What lies before and after the clip when `center`: `"constant"` (zeros) or `"reflect"`.

    Raises:
        ValueError: Values are out of range; the message lists each of them with what is allowed.
    """

    num_mel_bins: int = 128
    sampling_rate: int = 22050
    n_fft: int = 2048
    hop_length: int = 512
    win_length: int | None = None
    window_name: str = "hann"
    power: float = 2.0
    fmin: float = 0.0
    fmax: float | None = None
    norm: str | None = "slaney"
    htk: bool = False
    amin: float = 1e-10
    reference: float = 1.0
    center: bool = True
    pad_mode: str = "constant"

    def __post_init__(self) -> None:
        """Bring every value to its plain Python type and check it."""
        problems: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            convert, kind = _CONVERT[field.name]
            try:
                object.__setattr__(self, field.name, convert(value))
            except (TypeError, ValueError, OverflowError):
                problems.append(f"{field.name} is {value!r}, which is not a {kind}")
        # Ranges are compared only between values that are numbers.
        problems = problems or self._out_of_range()
        if problems:
            raise ValueError("; ".join(problems))

    def _out_of_range(self) -> list[str]:
        nyquist = self.sampling_rate / 2
        allowed = {
            "num_mel_bins": (self.num_mel_bins >= 1, "1 or more"),
            "sampling_rate": (self.sampling_rate >= 1, "1 Hz or more"),
            "n_fft": (self.n_fft >= 4, "4 samples or more"),
            "hop_length": (self.hop_length >= 1, "1 sample or more"),
            "win_length": (
                self.win_length is None or 2 <= self.win_length <= self.n_fft,
                f"from 2 samples to n_fft ({self.n_fft}), or None for n_fft",
            ),
            "window_name": (self.window_name in WINDOWS, f"one of {', '.join(WINDOWS)}"),
            "power": (self.power in POWERS, "1 (magnitude) or 2 (power)"),
            "fmin": (0.0 <= self.fmin < nyquist, f"from 0 Hz to below half the sampling rate ({nyquist:g} Hz)"),
            "fmax": (
                self.fmax is None or self.fmin < self.fmax <= nyquist,
                f"above fmin ({self.fmin:g} Hz) and at most half the sampling rate ({nyquist:g} Hz), or None for that",
            ),
            "norm": (self.norm in NORMS, '"slaney" or None'),
            "amin": (1e-30 <= self.amin <= 1e30, "from 1e-30 to 1e30"),
            "reference": (1e-30 <= self.reference <= 1e30, "from 1e-30 to 1e30"),
            "pad_mode": (self.pad_mode in PAD_MODES, f"one of {', '.join(PAD_MODES)}"),
        }
        return [
            f"{name} is {getattr(self, name)!r}; it must be {rule}"
            for name, (holds, rule) in allowed.items()
            if not holds
        ]

    @property
    def floor_db(self) -> float:
        """The lowest value that a feature can take, dB: that of digital silence."""
        return 10.0 * math.log10(self.amin) - self.reference_db

    @property
    def reference_db(self) -> float:
        """What is taken off `10 * log10(mel power)`, dB."""
        return 10.0 * math.log10(max(self.amin, self.reference))

    @property
    def edge(self) -> int:
        """Number of samples that the first frame reaches before the clip."""
        return self.n_fft // 2 if self.center else 0

    def num_frames(self, num_samples: int) -> int:
        """Return the number of frames of a clip of `num_samples` samples; 0 if it is shorter than one frame."""
        return max(0, 1 + (num_samples + 2 * self.edge - self.n_fft) // self.hop_length)


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return operator.index(value)


def _number(value: Any) -> float:
    if isinstance(value, (bool, str, bytes)) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str(value)


def _or_none(convert: _Convert) -> _Convert:
    return lambda value: None if value is None else convert(value)


#: How each option becomes its plain Python type, and what that is called.
_CONVERT: dict[str, tuple[_Convert, str]] = {
    **dict.fromkeys(("num_mel_bins", "sampling_rate", "n_fft", "hop_length"), (_integer, "whole number")),
    "win_length": (_or_none(_integer), "whole number (or None)"),
    **dict.fromkeys(("power", "fmin", "amin", "reference"), (_number, "finite number")),
    "fmax": (_or_none(_number), "finite number (or None)"),
    **dict.fromkeys(("window_name", "pad_mode"), (_text, "text")),
    "norm": (_or_none(_text), "text (or None)"),
    **dict.fromkeys(("htk", "center"), (_flag, "true or false value")),
}


def frame_window(settings: LogMelSettings) -> np.ndarray:
    """Return the window of a frame, `(n_fft,)` float64: periodic, and centred when it is shorter than the frame."""
    length = settings.win_length or settings.n_fft
    # A periodic window is a symmetric one of one sample more without its last sample.
    functions: dict[str, Callable[[int], np.ndarray]] = {"hann": np.hanning, "hamming": np.hamming, "boxcar": np.ones}
    before = (settings.n_fft - length) // 2
    return np.pad(functions[settings.window_name](length + 1)[:-1], (before, settings.n_fft - length - before))


def mel_filters(settings: LogMelSettings) -> np.ndarray:
    """Return triangular mel filters over the bins of the Fourier transform, `(n_fft // 2 + 1, num_mel_bins)` float64.

    The same as `librosa.filters.mel` but for the rounding to float32. transformers' `mel_filter_bank` is not used: it
    takes the top bin to lie at `sampling_rate // 2`, which is wrong for odd rates (11,025 Hz) and odd `n_fft`.

    Source: M. Slaney, "Auditory Toolbox", Interval Research technical report 1998-010, and, for `htk`, "The HTK Book".
    """
    scale = "htk" if settings.htk else "slaney"
    fmax = settings.sampling_rate / 2 if settings.fmax is None else settings.fmax
    ends = hertz_to_mel(settings.fmin, mel_scale=scale), hertz_to_mel(fmax, mel_scale=scale)
    mels = np.linspace(*ends, settings.num_mel_bins + 2)
    corners = np.asarray(mel_to_hertz(mels, mel_scale=scale))  # Hz, (num_mel_bins + 2,)
    bins = np.fft.rfftfreq(settings.n_fft, 1.0 / settings.sampling_rate)[:, None]  # Hz, (n_fft // 2 + 1, 1)
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    filters = np.maximum(0.0, np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)))
    if settings.norm == "slaney":
        filters *= 2.0 / (high - low)
    return filters
