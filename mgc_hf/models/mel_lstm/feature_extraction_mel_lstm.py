"""Feature extractor of the mel-LSTM: audio to log-mel spectrograms in decibels."""

import difflib
import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from transformers.feature_extraction_sequence_utils import SequenceFeatureExtractor
from transformers.feature_extraction_utils import BatchFeature
from transformers.utils import PaddingStrategy, TensorType, logging

from .audio_input_mel_lstm import check_sampling_rate, mono_clips
from .log_mel_mel_lstm import log_mel
from .settings_mel_lstm import FEATURES_VERSION, LogMelSettings, mel_filters

logger = logging.get_logger(__name__)

#: Keys that `save_pretrained` and the Auto classes write beside the options.
_WRITTEN_BY_TRANSFORMERS = ("feature_extractor_type", "auto_map", "processor_class")
_SETTINGS = tuple(field.name for field in fields(LogMelSettings))
_FORM = ("segment_seconds", "padding_value", "padding_side", "return_attention_mask")
_OPTIONS = ("feature_size", *_SETTINGS, "hop_seconds", *_FORM)


class LogMelFeatureExtractor(SequenceFeatureExtractor):
    r"""
    Computes log-mel spectrograms in decibels.

    The numbers are those of `librosa.power_to_db(librosa.feature.melspectrogram(y=clip, ...), ref=reference,
    amin=amin, top_db=None)` (within 0.001 dB down to 60 dB under the loudest band, within 0.01 dB below), transposed to
    `(num_frames, num_mel_bins)`. The reference of the decibels is fixed, never the maximum of the clip, which a stream
    or a single window cannot know; for the same reason there is no `top_db`.

    Args:
        feature_size (`int`, *optional*, defaults to 128):
            Number of mel bands: another name of `num_mel_bins`. If both are given they must agree.
        sampling_rate (`int`, *optional*, defaults to 22050):
            Rate of the audio, Hz.
        num_mel_bins (`int`, *optional*, defaults to 128):
            Number of mel bands.
        n_fft (`int`, *optional*, defaults to 2048):
            Length of a frame and of its Fourier transform, samples.
        hop_length (`int`, *optional*, defaults to 512):
            From one frame to the next, samples.
        win_length (`int`, *optional*):
            Length of the window, samples, centred in the frame. `None` stands for `n_fft`.
        window_name (`str`, *optional*, defaults to `"hann"`):
            `"hann"`, `"hamming"` or `"boxcar"`. (Not `window`, which transformers leaves out of the saved file.)
        power (`float`, *optional*, defaults to 2.0):
            Exponent of the magnitudes before the filters: 1 or 2. With 1, 60 dB stand for 120 dB of the sound, and
            much of music is computed in float64, which takes twice the time.
        fmin (`float`, *optional*, defaults to 0.0):
            Lowest edge of the filters, Hz.
        fmax (`float`, *optional*):
            Highest edge of the filters, Hz. `None` stands for half the sampling rate.
        norm (`str`, *optional*, defaults to `"slaney"`):
            `"slaney"` for filters of equal area, `None` for filters of equal height.
        htk (`bool`, *optional*, defaults to `False`):
            HTK's mel scale instead of Slaney's.
        amin (`float`, *optional*, defaults to 1e-10):
            Floor of the mel powers: with `reference=1.0`, the lowest value is `10 * log10(amin)` dB.
        reference (`float`, *optional*, defaults to 1.0):
            The mel power that is 0 dB.
        center (`bool`, *optional*, defaults to `True`):
            Frame `i` is centred on sample `i * hop_length` and a clip of any length has features. With `False` it
            begins there and a clip must hold `n_fft` samples.
        pad_mode (`str`, *optional*, defaults to `"constant"`):
            What lies before and after the clip with `center`: `"constant"` (silence) or `"reflect"`.
        segment_seconds (`float`, *optional*, defaults to 3.0):
            Nominal length of what the model classifies at once, seconds. It sets the default of `max_length`.
        hop_seconds (`float`, *optional*):
            From one window of a longer clip to the next, seconds, at most `segment_seconds`, which `None` stands for.
            Nothing here depends on it: it is kept for those who cut the clips.
        padding_value (`float`, *optional*):
            Value of padded frames, dB. `None` stands for the floor, that of digital silence: -100 dB by default.
        padding_side (`str`, *optional*, defaults to `"right"`):
            `"right"` or `"left"`.
        return_attention_mask (`bool`, *optional*, defaults to `True`):
            Whether [`~LogMelFeatureExtractor.__call__`] returns the mask unless told otherwise.

    Raises:
        ValueError: An option is out of range; the message lists each such option with what is allowed.
        TypeError: An option does not exist; the message has the nearest name.
    """

    model_input_names = ["input_features", "attention_mask"]

    def __init__(
        self,
        feature_size: int | None = None,
        sampling_rate: int = 22050,
        num_mel_bins: int | None = None,
        n_fft: int = 2048,
        hop_length: int = 512,
        win_length: int | None = None,
        window_name: str = "hann",
        power: float = 2.0,
        fmin: float = 0.0,
        fmax: float | None = None,
        norm: str | None = "slaney",
        htk: bool = False,
        amin: float = 1e-10,
        reference: float = 1.0,
        center: bool = True,
        pad_mode: str = "constant",
        segment_seconds: float = 3.0,
        hop_seconds: float | None = None,
        padding_value: float | None = None,
        padding_side: str = "right",
        return_attention_mask: bool = True,
        **kwargs: Any,
    ):
        _refuse_unknown(kwargs, _OPTIONS)
        bands = [value for value in (num_mel_bins, feature_size) if value is not None] or [128]
        if bands[0] != bands[-1]:
            raise ValueError(
                f"num_mel_bins is {num_mel_bins} and feature_size is {feature_size}; they are two names of one "
                "number: give one of them, or both alike"
            )
        settings = LogMelSettings(
            num_mel_bins=bands[0],
            sampling_rate=sampling_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            win_length=win_length,
            window_name=window_name,
            power=power,
            fmin=fmin,
            fmax=fmax,
            norm=norm,
            htk=htk,
            amin=amin,
            reference=reference,
            center=center,
            pad_mode=pad_mode,
        )
        super().__init__(
            feature_size=settings.num_mel_bins,
            padding_value=settings.floor_db if padding_value is None else _finite("padding_value", padding_value),
            padding_side=padding_side,
            return_attention_mask=bool(return_attention_mask),
            **asdict(settings),
            **kwargs,
        )
        if padding_side not in ("right", "left"):
            raise ValueError(f'padding_side is {padding_side!r}; it must be "right" or "left"')
        self.segment_seconds = _finite("segment_seconds", segment_seconds)
        if self.segment_seconds <= 0 or self.num_frames(self.segment_samples) < 1 or self.segment_samples < 1:
            raise ValueError(
                f"segment_seconds is {segment_seconds!r}; it must be more than 0 and hold at least "
                f"{'one sample' if settings.center else f'a frame of {settings.n_fft} samples'} at "
                f"{settings.sampling_rate} Hz"
            )
        self.hop_seconds = None if hop_seconds is None else _finite("hop_seconds", hop_seconds)
        if self.hop_seconds is not None and not 0 < self.hop_seconds <= self.segment_seconds:
            raise ValueError(
                f"hop_seconds is {hop_seconds!r}; it must be more than 0 and at most segment_seconds "
                f"({self.segment_seconds:g}): audio between windows would not be heard"
            )
        empty = int((mel_filters(settings).max(axis=0) == 0).sum())
        if empty:
            logger.warning_once(
                f"{empty} of {settings.num_mel_bins} mel bands are narrower than the {settings.n_fft}-sample "
                "transform can tell apart and will always be silent; take fewer bands or a larger n_fft"
            )

    @property
    def settings(self) -> LogMelSettings:
        """The options that decide the numbers, as they stand, checked."""
        return LogMelSettings(**{name: getattr(self, name) for name in _SETTINGS})

    @property
    def segment_samples(self) -> int:
        """Length of a segment, samples."""
        return round(self.segment_seconds * self.sampling_rate)

    def num_frames(self, num_samples: int) -> int:
        """Return the number of frames of a clip of `num_samples` samples (0 if `center` is off and it is too short)."""
        return self.settings.num_frames(num_samples)

    def features_config(self) -> dict[str, Any]:
        """Return what the features depend on, for the key of a cache.

        Unlike `to_dict()` it is the same for a fresh extractor, a reloaded one and one that was saved with its code
        (which adds `auto_map`), and for two ways to say the same (`fmax=None` and half the sampling rate).

        Returns:
            `dict[str, Any]`: Names to strings, numbers and booleans, in a fixed order, among them
            `features_version`, the version of the code.
        """
        config = asdict(self.settings)
        config["win_length"] = config["win_length"] or config["n_fft"]
        config["fmax"] = self.sampling_rate / 2 if config["fmax"] is None else config["fmax"]
        for name in _FORM:
            config[name] = getattr(self, name)
        return {"features_version": FEATURES_VERSION, **dict(sorted(config.items()))}

    def __call__(
        self,
        raw_speech: Any,
        sampling_rate: int | None = None,
        padding: bool | str | PaddingStrategy = True,
        max_length: int | None = None,
        truncation: bool = False,
        pad_to_multiple_of: int | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | TensorType | None = None,
    ) -> BatchFeature:
        """
        Compute the log-mel spectrograms of one clip or of several.

        Clips are computed on their own and padded afterwards with frames of `padding_value`: neither padding nor
        other clips in the batch change the features of a clip, not in the last bit.

        Args:
            raw_speech (`np.ndarray`, `torch.Tensor`, `list[float]`, or a list of them):
                A mono clip `(num_samples,)`, a list of clips of any lengths, or an array `(batch_size, num_samples)`
                with more than two rows and columns. Floats are taken as they are; int16 and int32 are divided by
                their full scale (32,768 and 2,147,483,648), so that full scale is 1.0.
            sampling_rate (`int`):
                Rate of `raw_speech`, Hz. It must be the extractor's.
            padding (`bool`, `str` or [`~utils.PaddingStrategy`], *optional*, defaults to `True`):
                `True` or `"longest"` pads to the longest clip, `"max_length"` to `max_length`, `False` or
                `"do_not_pad"` not at all.
            max_length (`int`, *optional*):
                For `truncation` and `padding="max_length"`, in frames, the axis that is padded (`num_frames` converts
                from samples). Defaults to the frames of a segment of `segment_seconds`.
            truncation (`bool`, *optional*, defaults to `False`):
                Keep only the first `max_length` frames of a clip.
            pad_to_multiple_of (`int`, *optional*):
                Pad to a multiple of this number of frames.
            return_attention_mask (`bool`, *optional*):
                Whether to return the mask; the extractor's own `return_attention_mask` unless given.
            return_tensors (`str` or [`~utils.TensorType`], *optional*):
                `"pt"` for torch tensors, `"np"` or `None` for numpy arrays.

        Returns:
            [`BatchFeature`]: `input_features` `(batch_size, num_frames, num_mel_bins)`, float32, dB, and
            `attention_mask` `(batch_size, num_frames)`, int32, 1 for the frames of the clip. Without padding, clips of
            different lengths come as lists of arrays.

        Raises:
            ValueError: The sampling rate is missing or wrong; a clip is empty, not mono, not finite or, without
                `center`, shorter than a frame; or the options contradict each other.
            TypeError: `raw_speech` holds no numbers that are samples of audio.
        """
        check_sampling_rate(sampling_rate, self.sampling_rate)
        settings = self.settings
        clips = mono_clips(raw_speech)
        lengths = [_num_frames(settings, index, clip) for index, clip in enumerate(clips)]
        lengths, padded = self._lengths(lengths, padding, max_length, truncation, pad_to_multiple_of)
        ragged = len(set(padded)) > 1
        if ragged and return_tensors is not None:
            raise ValueError(
                f"the clips have from {min(padded)} to {max(padded)} frames, which make no tensor; pass padding=True, "
                "or return_tensors=None for a list of arrays"
            )

        if ragged:
            features: Any = [np.empty((whole, settings.num_mel_bins), dtype=np.float32) for whole in padded]
        else:
            features = np.empty((len(clips), padded[0], settings.num_mel_bins), dtype=np.float32)
        masks = [np.zeros(whole, dtype=np.int32) for whole in padded]
        own = []
        for row, mask, length in zip(features, masks, lengths, strict=True):
            start = len(row) - length if self.padding_side == "left" else 0
            row[:start] = self.padding_value
            row[start + length :] = self.padding_value
            mask[start : start + length] = 1
            own.append(row[start : start + length])
        log_mel(clips, own, settings)

        data: dict[str, Any] = {"input_features": features}
        if self.return_attention_mask if return_attention_mask is None else return_attention_mask:
            data["attention_mask"] = masks if ragged else np.stack(masks)
        return BatchFeature(data, tensor_type=return_tensors)

    def _lengths(
        self,
        lengths: list[int],
        padding: bool | str | PaddingStrategy,
        max_length: int | None,
        truncation: bool,
        multiple: int | None,
    ) -> tuple[list[int], list[int]]:
        """Return how many frames of each clip are kept, and how many there are with the padding."""
        for name, value in (("max_length", max_length), ("pad_to_multiple_of", multiple)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1):
                raise ValueError(f"{name} is {value!r}; it must be a whole number of frames, 1 or more")
        limit = max_length or self.num_frames(self.segment_samples)
        strategy = self._get_padding_strategies(padding=padding, max_length=limit)
        if max_length is not None and not truncation and strategy != PaddingStrategy.MAX_LENGTH:
            raise ValueError(
                f"max_length is {max_length}, but nothing is cut or padded to it; pass truncation=True, or "
                'padding="max_length", or leave it out'
            )
        unit = multiple or 1
        if truncation:
            # As in `SequenceFeatureExtractor.pad`, a limit that is no multiple is raised to the next.
            lengths = [min(length, _raised(limit, unit)) for length in lengths]
        if strategy == PaddingStrategy.DO_NOT_PAD:
            return lengths, lengths
        longest = max(lengths) if strategy == PaddingStrategy.LONGEST else limit
        return lengths, [_raised(max(length, longest), unit) for length in lengths]


def _raised(value: int, unit: int) -> int:
    """Return the next multiple of `unit`."""
    return -(-value // unit) * unit


def _refuse_unknown(options: Mapping[str, Any], known: Iterable[str]) -> None:
    for name in options:
        if name not in (*known, *_WRITTEN_BY_TRANSFORMERS):
            near = difflib.get_close_matches(name, known, n=1)
            raise TypeError(
                f"LogMelFeatureExtractor has no option {name!r}"
                + (f"; did you mean {near[0]}?" if near else f"; its options are {', '.join(known)}")
            )


def _finite(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}; it must be a finite number")
    return float(value)


def _num_frames(settings: LogMelSettings, index: int, clip: np.ndarray) -> int:
    """Return the number of frames of a clip, at least one."""
    if not len(clip):
        raise ValueError(f"clip {index} of raw_speech is empty; leave it out")
    count = settings.num_frames(len(clip))
    if count < 1:
        raise ValueError(
            f"clip {index} of raw_speech has {len(clip)} samples; without center a clip needs n_fft ({settings.n_fft}) "
            "samples: leave it out, or build the extractor with center=True"
        )
    return count


__all__ = ["FEATURES_VERSION", "LogMelFeatureExtractor"]
