"""Feature extractor of the floor: audio to statistics of frame features."""

import math
import numbers
from typing import Any

import numpy as np
from transformers.feature_extraction_utils import BatchFeature, FeatureExtractionMixin
from transformers.utils import TensorType

from .audio_input_mel_lstm import FULL_SCALE, check_sampling_rate, mono_clips
from .frame_statistics_stats_floor import clip_statistics, num_statistics

#: Version of the code that computes features: raised by every change that can change a number.
FEATURES_VERSION = 1

#: Keys that `save_pretrained` and the Auto classes write beside the options.
_WRITTEN_BY_TRANSFORMERS = {"feature_extractor_type", "auto_map", "processor_class"}
#: Lowest allowed value of every option that is a whole number.
_LEAST = {"sampling_rate": 1000, "num_mel_bins": 20, "n_fft": 64, "hop_length": 1}


class StatsFeatureExtractor(FeatureExtractionMixin):
    r"""
    Computes statistics of librosa's frame features over a clip, whatever its length: one vector a clip.

    Mean and deviation of 20 MFCC and their deltas, 12 chroma, 7 of spectral contrast, centroid, bandwidth, roll-off,
    flatness, zero-crossing rate, level and onset strength; mean, deviation and mean absolute difference from frame to
    frame of the log-mel bands. It needs librosa.

    Args:
        sampling_rate (`int`, *optional*, defaults to 22050):
            Rate of the audio, Hz; at least 1,000. Below 12,801 Hz spectral contrast has fewer than 7 bands.
        num_mel_bins (`int`, *optional*, defaults to 128):
            Number of mel bands; at least the 20 that the MFCC are taken from.
        n_fft (`int`, *optional*, defaults to 2048):
            Length of a frame, samples.
        hop_length (`int`, *optional*, defaults to 512):
            From one frame to the next, samples.
        segment_seconds (`float`, *optional*, defaults to 3.0):
            Nominal length of what the model classifies at once, seconds.
        hop_seconds (`float`, *optional*):
            From one window of a longer clip to the next, seconds, at most `segment_seconds`, which `None` stands for.
            Nothing here depends on either: they are kept for those who cut the clips.

    Raises:
        ValueError: An option is out of range; the message lists each such option with what is allowed.
        TypeError: An option does not exist.
    """

    model_input_names = ["input_features"]

    def __init__(
        self,
        sampling_rate: int = 22050,
        num_mel_bins: int = 128,
        n_fft: int = 2048,
        hop_length: int = 512,
        segment_seconds: float = 3.0,
        hop_seconds: float | None = None,
        **kwargs: Any,
    ):
        unknown = sorted(set(kwargs) - _WRITTEN_BY_TRANSFORMERS)
        if unknown:
            raise TypeError(f"StatsFeatureExtractor has no option {', '.join(unknown)}")
        super().__init__(**kwargs)
        self.sampling_rate, self.num_mel_bins = sampling_rate, num_mel_bins
        self.n_fft, self.hop_length = n_fft, hop_length
        self.segment_seconds, self.hop_seconds = segment_seconds, hop_seconds
        wrong = [
            f"{name} is {getattr(self, name)!r}; it must be a whole number of at least {least}"
            for name, least in _LEAST.items()
            if not _is_number(getattr(self, name), numbers.Integral) or getattr(self, name) < least
        ]
        if not _is_number(segment_seconds) or segment_seconds <= 0:
            wrong.append(f"segment_seconds is {segment_seconds!r}; it must be a number above 0")
        elif hop_seconds is not None and not (_is_number(hop_seconds) and 0 < hop_seconds <= segment_seconds):
            wrong.append(
                f"hop_seconds is {hop_seconds!r}; it must be above 0 and at most segment_seconds ({segment_seconds:g})"
            )
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def feature_size(self) -> int:
        """Number of statistics of a clip."""
        return num_statistics(self.sampling_rate, self.num_mel_bins)

    def features_config(self) -> dict[str, Any]:
        """Return what the features depend on, for the key of a cache: the same for a fresh and a reloaded extractor."""
        return {
            "features_version": FEATURES_VERSION,
            **{name: int(getattr(self, name)) for name in sorted(_LEAST)},
            "segment_seconds": float(self.segment_seconds),
        }

    def __call__(
        self,
        raw_speech: Any,
        sampling_rate: int | None = None,
        return_tensors: str | TensorType | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """
        Compute the statistics of one clip or of several. Other clips in the batch change nothing about a clip.

        Args:
            raw_speech (`np.ndarray`, `torch.Tensor`, `list[float]`, or a list of them):
                A mono clip `(num_samples,)`, a list of clips of any lengths, or an array `(batch_size, num_samples)`
                with more than two rows and columns. Floats are taken as they are; int16 and int32 are divided by
                their full scale (32,768 and 2,147,483,648).
            sampling_rate (`int`):
                Rate of `raw_speech`, Hz. It must be the extractor's.
            return_tensors (`str` or [`~utils.TensorType`], *optional*):
                `"pt"` for torch tensors, `"np"` or `None` for numpy arrays.
            kwargs:
                Padding and truncation as other extractors take them: without a meaning here, and ignored.

        Returns:
            [`BatchFeature`]: `input_features` `(batch_size, feature_size)`, float32.

        Raises:
            ValueError: The sampling rate is missing or wrong; a clip is empty, not mono or not finite.
            TypeError: `raw_speech` holds no numbers that are samples of audio.
        """
        check_sampling_rate(sampling_rate, self.sampling_rate)
        clips = mono_clips(raw_speech)
        features = np.empty((len(clips), self.feature_size), dtype=np.float32)
        for index, clip in enumerate(clips):
            if not len(clip):
                raise ValueError(f"clip {index} of raw_speech is empty; leave it out")
            samples = clip.astype(np.float32) / np.float32(FULL_SCALE.get(clip.dtype, 1.0))
            if not np.isfinite(samples).all():
                raise ValueError(f"clip {index} of raw_speech holds samples that are not finite; leave it out")
            features[index] = clip_statistics(
                samples, self.sampling_rate, self.n_fft, self.hop_length, self.num_mel_bins
            )
        return BatchFeature({"input_features": features}, tensor_type=return_tensors)


def _is_number(value: Any, kind: Any = numbers.Real) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)


__all__ = ["FEATURES_VERSION", "StatsFeatureExtractor"]
