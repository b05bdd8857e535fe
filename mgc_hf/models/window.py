"""What a window's length means to each kind of model: the longest that it takes, the least, and Whisper's positions."""

import logging
from typing import Any

from mgc_hf.errors import OptionError

logger = logging.getLogger(__name__)

#: Kaldi's filter banks, as the feature extractors of AST and wav2vec2-bert have them: frame and hop, samples.
_FBANK_FRAME, _FBANK_HOP = 400, 160

#: Mel frames that become one position of Whisper's encoder (its second convolution has stride 2).
_WHISPER_STRIDE = 2


def fit_extractor(config: Any, extractor: Any, segment_seconds: float, hop_seconds: float | None = None) -> None:
    """Make a feature extractor give windows of this length, and tell it the least that its model takes.

    Sets `segment_seconds` and `hop_seconds`, so that prediction cuts clips as evaluation did, and `min_samples` where a
    model needs a minimum; all are saved with the extractor. Whisper's `chunk_length`, `n_samples` and `nb_max_frames`
    follow the window.

    Args:
        config (`PretrainedConfig`): The model's configuration, as it will be trained.
        extractor (`FeatureExtractionMixin`): Its feature extractor; changed in place.
        segment_seconds (`float`): Length of a window, seconds.
        hop_seconds (`float`, *optional*): Step between the windows of a clip, seconds; a window by default.

    Raises:
        OptionError: The model cannot take windows of this length.
    """
    samples = round(segment_seconds * extractor.sampling_rate)
    if config.model_type == "whisper":
        _check_whisper(config, extractor, segment_seconds)
        extractor.chunk_length = round(segment_seconds)
        extractor.n_samples = samples
        extractor.nb_max_frames = samples // extractor.hop_length
    elif config.model_type == "audio-spectrogram-transformer":
        longest = (extractor.max_length - 1) * _FBANK_HOP + _FBANK_FRAME
        if samples >= longest + _FBANK_HOP:
            raise OptionError(
                f"--segment_seconds is {segment_seconds:g}; this model takes {extractor.max_length} frames, "
                f"{extractor.max_length * _FBANK_HOP / extractor.sampling_rate:g} seconds, and would cut off the rest "
                "of each window: take windows no longer than that"
            )
    least = least_samples(config, extractor)
    if least:
        extractor.min_samples = least
    if samples < least:
        logger.warning(
            "--segment_seconds %g is shorter than the least that a %s takes in training, %g seconds: windows are padded "
            "with silence to that length",
            segment_seconds,
            config.model_type,
            least / extractor.sampling_rate,
        )
    extractor.segment_seconds, extractor.hop_seconds = float(segment_seconds), hop_seconds


def least_samples(config: Any, extractor: Any) -> int:
    """Return the fewest samples that go through extractor and model, training included; 0 where any number does.

    Two frames, since batch norm and the variance of a mel band need more than one value; with the model's own
    SpecAugment as many as a mask is long; in SEW as many as it squeezes into one.

    Args:
        config (`PretrainedConfig`): The model's configuration.
        extractor (`FeatureExtractionMixin`): Its feature extractor.
    """
    frames = max(2, getattr(config, "squeeze_factor", 1), config.mask_time_length if masks_time(config) else 0)
    if hasattr(config, "conv_kernel") and hasattr(config, "conv_stride"):
        for kernel, stride in reversed(list(zip(config.conv_kernel, config.conv_stride, strict=True))):
            frames = (frames - 1) * stride + kernel
        return frames
    if config.model_type == "wav2vec2-bert":
        return (frames * extractor.stride - 1) * _FBANK_HOP + _FBANK_FRAME
    return _FBANK_FRAME if config.model_type == "audio-spectrogram-transformer" else 0


def masks_time(config: Any) -> bool:
    """Whether a model masks spans of time in training (its own SpecAugment)."""
    return bool(getattr(config, "apply_spec_augment", True) and getattr(config, "mask_time_prob", 0) > 0)


def _whisper_seconds(config: Any, extractor: Any) -> float:
    return config.max_source_positions * _WHISPER_STRIDE * extractor.hop_length / extractor.sampling_rate


def _check_whisper(config: Any, extractor: Any, segment_seconds: float) -> None:
    longest = _whisper_seconds(config, extractor)
    if not (1 <= segment_seconds <= longest and segment_seconds == round(segment_seconds)):
        raise OptionError(
            f"--segment_seconds is {segment_seconds:g}; this Whisper has positions for {longest:g} seconds and its "
            f"feature extractor counts in whole seconds: it must be a whole number from 1 to {longest:g}"
        )


def whisper_positions(extractor: Any) -> int:
    """Return the positions that Whisper's encoder needs for the windows of its fitted extractor."""
    return extractor.nb_max_frames // _WHISPER_STRIDE


def cut_positions(model: Any, extractor: Any) -> None:
    """Cut the positions of a Whisper encoder to its extractor's window, so that a shorter window costs less.

    Configuration, embedding and the encoder's own number change together, so that the saved model loads as it is.
    Other models are left as they are.

    Args:
        model (`PreTrainedModel`): The model, changed in place.
        extractor (`FeatureExtractionMixin`): Its extractor after [`fit_extractor`].
    """
    if model.config.model_type != "whisper":
        return
    from torch import nn

    positions = whisper_positions(extractor)
    weight = model.encoder.embed_positions.weight
    if positions == len(weight):
        return
    model.encoder.embed_positions = nn.Embedding.from_pretrained(weight[:positions].detach().clone(), freeze=True)
    model.encoder.max_source_positions = model.config.max_source_positions = positions
