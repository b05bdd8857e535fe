"""What a feature extractor does to a window, as a torch module: from the waveform to the model's input.

An exported model takes its front end along, so that a runtime without transformers needs nothing but samples. Spectra
are computed in float64: in float32 the error of a transform would move bands that are faint beside the others, and
each runtime would move them in its own way.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from mgc_hf.models.mel_lstm.settings_mel_lstm import LogMelSettings, frame_window, mel_filters


def front_end(feature_extractor: Any) -> nn.Module | None:
    """Return a module that takes waveforms `(batch_size, num_samples)` and gives what the extractor gives for them.

    Args:
        feature_extractor (`FeatureExtractionMixin`): Ours of log-mel spectrograms, or transformers' of wav2vec 2.0
            (HuBERT and WavLM have the same), Whisper and AST.

    Returns:
        `nn.Module`, or `None` for any other extractor.
    """
    kind = type(feature_extractor).__name__
    if kind == "LogMelFeatureExtractor":
        return _LogMel(feature_extractor.settings)
    if kind == "Wav2Vec2FeatureExtractor":
        return _ZeroMeanUnitVariance() if feature_extractor.do_normalize else nn.Identity()
    if kind == "WhisperFeatureExtractor" and not feature_extractor.dither:
        return _WhisperLogMel(feature_extractor)
    # torchaudio, which transformers prefers where it is installed, has other filters
    if kind == "ASTFeatureExtractor" and hasattr(feature_extractor, "mel_filters"):
        return _Fbank(feature_extractor)
    return None


class WithFrontEnd(PreTrainedModel):
    """A classifier that takes waveforms `(batch_size, num_samples)`.

    Args:
        model (`PreTrainedModel`): The classifier.
        front (`nn.Module`): From [`front_end`].
        name (`str`): What the classifier calls the input that `front` gives.
    """

    # the classifier has asked for its attention already; nothing attends here
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = _supports_attention_backend = True

    def __init__(self, model: Any, front: nn.Module, name: str):
        super().__init__(model.config)
        self.model, self.front, self.name = model, front, name

    def forward(self, input_values: torch.Tensor) -> SequenceClassifierOutput:
        """Return `logits` `(batch_size, num_labels)`."""
        return SequenceClassifierOutput(logits=self.model(**{self.name: self.front(input_values)}).logits)


class _MelPowers(nn.Module):
    """Mel powers of frames, `(batch_size, num_samples)` → `(batch_size, num_frames, num_mel_bins)` float64."""

    def __init__(self, window: np.ndarray, filters: np.ndarray, hop_length: int, power: float = 2.0):
        super().__init__()
        self.n_fft, self.hop_length, self.power = len(window), hop_length, power
        self.register_buffer("window", torch.from_numpy(window), persistent=False)
        self.register_buffer("filters", torch.from_numpy(np.asarray(filters, np.float64)), persistent=False)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(
            samples,
            self.n_fft,
            self.hop_length,
            window=self.get_buffer("window"),
            center=False,
            onesided=True,
            return_complex=True,
        )
        values = spectrum.real.square() + spectrum.imag.square()
        values = values.sqrt() if self.power == 1.0 else values
        return torch.matmul(values.transpose(1, 2), self.get_buffer("filters"))


class _LogMel(nn.Module):
    """As `LogMelFeatureExtractor` of `mel_lstm`, dB."""

    def __init__(self, settings: LogMelSettings):
        super().__init__()
        self.settings = settings
        self.mel = _MelPowers(frame_window(settings), mel_filters(settings), settings.hop_length, settings.power)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        samples, edge = waveforms.double(), self.settings.edge
        if edge:
            mode = "reflect" if self.settings.pad_mode == "reflect" else "constant"
            samples = nn.functional.pad(samples, (edge, edge), mode=mode)
        mel = self.mel(samples).clamp(min=self.settings.amin)
        return (10.0 * torch.log10(mel) - self.settings.reference_db).float()


class _ZeroMeanUnitVariance(nn.Module):
    """As `Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm`."""

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        samples = waveforms.double()
        centred = samples - samples.mean(dim=1, keepdim=True)
        return (centred / torch.sqrt(centred.square().mean(dim=1, keepdim=True) + 1e-7)).float()


class _WhisperLogMel(nn.Module):
    """As `WhisperFeatureExtractor`: padded or cut to its window, the logarithm limited to 8 below the loudest."""

    def __init__(self, extractor: Any):
        super().__init__()
        self.num_samples, self.edge = extractor.n_samples, extractor.n_fft // 2
        window = np.hanning(extractor.n_fft + 1)[:-1]
        self.mel = _MelPowers(window, extractor.mel_filters, extractor.hop_length)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        samples = nn.functional.pad(waveforms.double(), (0, self.num_samples))[:, : self.num_samples]
        samples = nn.functional.pad(samples, (self.edge, self.edge), mode="reflect")
        mel = self.mel(samples)[:, :-1].clamp(min=1e-10).log10().transpose(1, 2)
        return (torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - 8.0) / 4.0 + 1.0).float()


class _Fbank(nn.Module):
    """As `ASTFeatureExtractor` without torchaudio: Kaldi's filter banks, zeros after the last frame of the waveform."""

    frame, hop, n_fft, pre_emphasis, floor = 400, 160, 512, 0.97, 1.192092955078125e-07

    def __init__(self, extractor: Any):
        super().__init__()
        self.num_frames = extractor.max_length
        self.mean: float = extractor.mean if extractor.do_normalize else 0.0
        self.std: float = 2.0 * extractor.std if extractor.do_normalize else 1.0
        filters = torch.from_numpy(np.asarray(extractor.mel_filters, np.float64))
        # A frame's mean, pre-emphasis and window are linear in its samples: one matrix does them and the transform.
        centre = np.eye(self.frame) - 1.0 / self.frame
        emphasis = np.eye(self.frame) - self.pre_emphasis * np.eye(self.frame, k=-1)
        emphasis[0, 0] = 1.0 - self.pre_emphasis
        windowed = extractor.window[:, None] * (emphasis @ centre)  # (frame, frame), of a column of samples
        spectrum = np.fft.rfft(windowed, n=self.n_fft, axis=0).T  # (frame, bins)
        transform = np.concatenate([spectrum.real, spectrum.imag], axis=1)
        self.register_buffer("transform", torch.from_numpy(transform), persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        length = (self.num_frames - 1) * self.hop + self.frame
        samples = nn.functional.pad(waveforms.double(), (0, length))[:, :length]
        parts = torch.matmul(samples.unfold(1, self.frame, self.hop), self.get_buffer("transform"))
        real, imaginary = parts.chunk(2, dim=-1)
        mel = torch.matmul(real.square() + imaginary.square(), self.get_buffer("filters")).clamp(min=self.floor).log()
        starts = torch.arange(self.num_frames, device=waveforms.device) * self.hop + self.frame
        mel = torch.where((starts <= waveforms.shape[1])[:, None], mel, torch.zeros_like(mel))
        return ((mel - self.mean) / self.std).float()
