"""A bidirectional LSTM over texture windows of a log-mel spectrogram.

The input is the log-mel spectrogram alone; everything derived from it is computed here, in torch, so that a saved model
needs nothing but its feature extractor:

    log-mel, dB       (batch_size, num_frames, num_mel_bins)
    frame features    the bands, cepstra and their slopes, four descriptors of the spectrum, onset strength
    texture windows   mean, deviation and mean absolute step of each over 16 frames, every 8 frames
    normalisation     mean and deviation of each over the training set (`fit_statistics`), kept as buffers
    LSTM              one layer, both directions; mean and maximum of its states over time; a linear classifier

Statistics over texture windows are those of Tzanetakis and Cook, "Musical genre classification of audio signals", IEEE
Transactions on Speech and Audio Processing 10(5), 2002, section III. On few clips they matter far more than the
recurrent net does (`docs/lstm.md`).

Padding is on the right and never changes a result: the last real frame is held through it before slopes are taken,
windows that reach into it are left out, and the backward LSTM starts at the last real window (by `gather`, since packed
sequences do not export to ONNX).
"""

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput
from transformers.utils.generic import maybe_autocast

from .configuration_mel_lstm import MelLstmConfig

if TYPE_CHECKING:
    # transformers copies what is imported relatively: this line takes the pipeline's file along wherever a model is
    # saved, so that the `custom_pipelines` of its configuration never name a file that is not there
    from .pipeline_genre import GenrePipeline  # noqa: F401

#: Frames on either side of a frame that its slope is fitted to: librosa's delta of width 9.
_SLOPE_REACH = 4


class MelLstmFrameFeatures(nn.Module):
    """Descriptors of each frame, from its log-mel spectrum and its neighbours. It has no parameters."""

    def __init__(self, config: MelLstmConfig):
        super().__init__()
        self.decibel_floor = float(config.decibel_floor)
        self.bands_alone = config.frame_features == "bands"
        self.num_cepstra = min(config.num_cepstra, config.num_mel_bins)
        self.num_features = config.num_mel_bins + (0 if self.bands_alone else 2 * self.num_cepstra + 5)

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        """
        Args:
            input_features (`torch.Tensor` of shape `(batch_size, num_frames, num_mel_bins)`): Log-mel, dB.

        Returns:
            `torch.Tensor` of shape `(batch_size, num_frames, num_features)`: the bands (dB) and, unless they are wanted
            alone, `num_cepstra` cepstral coefficients (dB), their slopes (dB per frame), centroid and bandwidth (bands),
            flatness (dB), level (dB) and onset strength (dB per frame).
        """
        decibels = input_features.clamp(min=self.decibel_floor)
        if self.bands_alone:
            return decibels
        cepstra = decibels @ _dct_matrix(decibels.shape[-1], self.num_cepstra, decibels.device)
        return torch.cat(
            [decibels, cepstra, _slopes(cepstra), _spectrum_shape(decibels), _onset_strength(decibels)], dim=-1
        )


def _dct_matrix(num_bands: int, num_coefficients: int, device: torch.device) -> torch.Tensor:
    """Orthonormal DCT-II of shape `(num_bands, num_coefficients)`. Built on each call (2,560 cosines): a buffer that is
    not saved would be lost when transformers builds the model on the meta device."""
    band = torch.arange(num_bands, dtype=torch.float32, device=device)[:, None]
    order = torch.arange(num_coefficients, dtype=torch.float32, device=device)[None, :]
    matrix = torch.cos(torch.pi / num_bands * (band + 0.5) * order) * (2.0 / num_bands) ** 0.5
    return torch.where(order == 0, matrix * 0.5**0.5, matrix)


def _slopes(values: torch.Tensor) -> torch.Tensor:
    """Slope per frame of the straight line through each frame and its neighbours, `(batch_size, num_frames, n)`; the
    first and last frames are held beyond the ends (Furui, "Speaker-independent isolated word recognition using dynamic
    features of speech spectrum", IEEE Transactions on ASSP 34(1), 1986)."""
    reach, num_frames = _SLOPE_REACH, values.shape[1]
    held = torch.cat([values[:, :1].expand(-1, reach, -1), values, values[:, -1:].expand(-1, reach, -1)], dim=1)
    steps = [
        k * (held[:, reach + k : reach + k + num_frames] - held[:, reach - k : reach - k + num_frames])
        for k in range(1, reach + 1)
    ]
    return torch.stack(steps).sum(0) / (2 * sum(k * k for k in range(1, reach + 1)))


def _spectrum_shape(decibels: torch.Tensor) -> torch.Tensor:
    """Centroid and bandwidth (in bands, weighted by magnitude), flatness (mean of the dB less the dB of the mean power)
    and level (dB of the summed power) of each spectrum: `(batch_size, num_frames, 4)`."""
    magnitude = torch.exp(decibels * (math.log(10.0) / 20.0))
    weight = magnitude / magnitude.sum(-1, keepdim=True)
    band = torch.arange(decibels.shape[-1], dtype=decibels.dtype, device=decibels.device)
    centroid = (weight * band).sum(-1, keepdim=True)
    bandwidth = (weight * (band - centroid).square()).sum(-1, keepdim=True).sqrt()
    level = 10.0 * torch.log10(magnitude.square().sum(-1, keepdim=True))
    flatness = decibels.mean(-1, keepdim=True) - level
    return torch.cat([centroid, bandwidth, flatness, level], dim=-1)


def _onset_strength(decibels: torch.Tensor) -> torch.Tensor:
    """Mean over the bands of what each rose by since the frame before, dB: `(batch_size, num_frames, 1)`."""
    before = torch.cat([decibels[:, :1], decibels[:, :-1]], dim=1)
    return (decibels - before).clamp(min=0.0).mean(-1, keepdim=True)


class MelLstmTexture(nn.Module):
    """Statistics of the frame features over short windows, normalised by those of the training set."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, config: MelLstmConfig):
        super().__init__()
        self.window = config.texture_frames
        self.hop = config.texture_hop
        self.means_alone = config.texture_statistics == "mean"
        self.frames = MelLstmFrameFeatures(config)
        self.num_features = (1 if self.means_alone else 3) * self.frames.num_features
        self.register_buffer("mean", torch.zeros(self.num_features))
        self.register_buffer("deviation", torch.ones(self.num_features))

    def num_windows(self, lengths: torch.Tensor) -> torch.Tensor:
        """Windows that lie wholly within so many frames; at least the one that starts with the first frame."""
        return ((lengths - self.window).clamp(min=0) // self.hop) + 1

    def forward(self, input_features: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Normalised texture features of shape `(batch_size, num_windows, num_features)`; arguments as in `raw`."""
        return (self.raw(input_features, lengths) - self.mean) / self.deviation

    def raw(self, input_features: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """
        Args:
            input_features (`torch.Tensor` of shape `(batch_size, num_frames, num_mel_bins)`): Log-mel, dB.
            lengths (`torch.Tensor` of shape `(batch_size,)`, *optional*): Real frames of each row; all by default.

        Returns:
            `torch.Tensor` of shape `(batch_size, num_windows, num_features)`: mean (and, unless it is wanted alone,
            deviation and mean absolute step) of the frame features in each window. Windows past `num_windows(lengths)` of a row are of no use.
        """
        num_frames = max(input_features.shape[1], self.window)
        if lengths is None:
            lengths = torch.full_like(input_features[:, 0, 0], input_features.shape[1], dtype=torch.long)
        frame = torch.arange(num_frames, device=input_features.device)[None, :]
        # the last real frame is held to the end: what stands in the padding is never read, be it NaN
        held = torch.minimum(frame, lengths[:, None] - 1)
        held = held[:, :, None].expand(-1, -1, input_features.shape[2])
        features = self.frames(input_features.gather(1, held))
        real = (frame < lengths[:, None]).to(features.dtype)[:, :, None]
        # moments about the clip's own mean: float32 squares of -80 dB would cost four digits
        centre = (features * real).sum(1, keepdim=True) / lengths[:, None, None]
        features = (features - centre) * real
        mean = self._window_mean(features, lengths, self.window)
        if self.means_alone:
            return mean + centre
        steps = (features[:, 1:] - features[:, :-1]).abs() * real[:, 1:]
        square = self._window_mean(features.square(), lengths, self.window)
        deviation = (square - mean.square()).clamp(min=1e-6).sqrt()
        step = self._window_mean(steps, lengths - 1, self.window - 1)
        return torch.cat([mean + centre, deviation, step], dim=-1)

    def _window_mean(self, values: torch.Tensor, lengths: torch.Tensor, window: int) -> torch.Tensor:
        """Mean over the real frames of each window, of values that are 0 elsewhere: `(batch_size, num_windows, n)`."""
        means = nn.functional.avg_pool1d(values.transpose(1, 2), window, self.hop).transpose(1, 2)
        start = self.hop * torch.arange(means.shape[1], device=values.device)
        count = (lengths[:, None] - start).clamp(min=1, max=window)
        return means * (window / count.to(means.dtype))[:, :, None]


class MelLstmLayer(nn.Module):
    """One bidirectional LSTM layer that reads each row backwards from its own last step."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.forward_lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.backward_lstm = nn.LSTM(input_size, hidden_size, batch_first=True)

    def forward(self, hidden_states: torch.Tensor, turned: torch.Tensor) -> torch.Tensor:
        """
        Args:
            hidden_states (`torch.Tensor` of shape `(batch_size, num_steps, input_size)`): The input sequence.
            turned (`torch.Tensor` of shape `(batch_size, num_steps, 1)`): Steps in backward order, from `_turned`.

        Returns:
            `torch.Tensor` of shape `(batch_size, num_steps, 2 * hidden_size)`: states, forward then backward.
        """
        # a processor without AVX-512 has no bfloat16 LSTM, which autocast would ask it for
        with maybe_autocast(device_type="cpu", enabled=False):
            ahead, _ = self.forward_lstm(hidden_states)
            back, _ = self.backward_lstm(hidden_states.gather(1, turned.expand(-1, -1, hidden_states.shape[2])))
        return torch.cat([ahead, back.gather(1, turned.expand(-1, -1, back.shape[2]))], dim=-1)


def _turned(step: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Steps `(num_steps,)` with the real ones of each row in reverse order and the rest where they are, so that it is
    its own inverse: `(batch_size, num_steps, 1)`."""
    return torch.where(step < lengths[:, None], lengths[:, None] - 1 - step, step)[:, :, None]


class MelLstmPreTrainedModel(PreTrainedModel):
    """Weights' initialisation, and the names by which transformers finds the parts."""

    config: MelLstmConfig
    config_class = MelLstmConfig
    base_model_prefix = "mel_lstm"
    main_input_name = "input_features"
    input_modalities = ["audio"]
    # bfloat16 would round the training set's means by 0.2 dB
    _keep_in_fp32_modules_strict = {"texture"}

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # PreTrainedModel gives an LSTM Xavier weights and zero biases, and a linear layer N(0, 0.02): both are wanted
        super()._init_weights(module)
        if isinstance(module, MelLstmTexture):
            init.zeros_(module.mean)
            init.ones_(module.deviation)

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Save as any model of transformers does, with weight files that have the mode of any new file.

        safetensors writes them readable by their owner alone, so that nobody else could load the model.
        """
        if self._auto_class is not None:
            # a class writes itself alone into `auto_map`; the folder of either model is one for AutoModel, too
            base = f"{type(self).__module__.rsplit('.', 1)[-1]}.{MelLstmModel.__name__}"
            self.config.auto_map = {"AutoModel": base, **(getattr(self.config, "auto_map", None) or {})}
        super().save_pretrained(save_directory, *args, **kwargs)
        mask = os.umask(0)
        os.umask(mask)
        for file in Path(save_directory).glob("*.safetensors"):
            file.chmod(0o666 & ~mask)


class MelLstmModel(MelLstmPreTrainedModel):
    """The LSTM without a classifier: texture features, states over time, and their mean and maximum.

    Args:
        config ([`MelLstmConfig`]): The configuration.
    """

    # a classifier's folder holds the base model's weights and these
    _keys_to_ignore_on_load_unexpected = [r"^classifier\."]
    texture: MelLstmTexture

    def __init__(self, config: MelLstmConfig):
        super().__init__(config)
        self.texture = MelLstmTexture(config)
        self.input_dropout = nn.Dropout(config.input_dropout)
        sizes = [self.texture.num_features] + [2 * config.hidden_size] * (config.num_hidden_layers - 1)
        self.layers = nn.ModuleList([MelLstmLayer(size, config.hidden_size) for size in sizes])
        self.hidden_dropout = nn.Dropout(config.hidden_dropout)
        self.post_init()

    def forward(
        self,
        input_features: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPooling | tuple[torch.Tensor, ...]:
        """
        Args:
            input_features (`torch.Tensor` of shape `(batch_size, num_frames, num_mel_bins)`):
                Log-mel spectrogram, dB re 1.0, from a [`LogMelFeatureExtractor`].
            attention_mask (`torch.Tensor` of shape `(batch_size, num_frames)`, *optional*):
                1 for real frames, 0 for padding, which is on the right. All frames are real by default.
            return_dict (`bool`, *optional*, defaults to `config.return_dict`):
                Whether to return an output object instead of a tuple.

        Returns:
            `BaseModelOutputWithPooling`: `last_hidden_state` of shape `(batch_size, num_windows, 2 * hidden_size)` (of
            no use past the last whole window of a row) and `pooler_output` of shape `(batch_size, 4 * hidden_size)`.

        Raises:
            ValueError: The shapes do not fit the configuration or each other.
        """
        self._check_shapes(input_features, attention_mask)
        lengths = None if attention_mask is None else attention_mask.to(torch.long).sum(1).clamp(min=1)
        # decibels of a power need float32, whatever the weights are kept in
        with maybe_autocast(device_type=input_features.device.type, enabled=False):
            texture = self.texture(input_features.float(), lengths)
        hidden_states = self.input_dropout(texture.to(self.dtype))
        if lengths is None:
            steps = torch.full_like(hidden_states[:, 0, 0], hidden_states.shape[1], dtype=torch.long)
        else:
            steps = self.texture.num_windows(lengths)
        # from the shape before the LSTM: after it, ONNX export takes the number of steps for a constant
        step = torch.arange(hidden_states.shape[1], device=hidden_states.device)
        turned = _turned(step, steps)
        for index, layer in enumerate(self.layers):
            hidden_states = layer(self.hidden_dropout(hidden_states) if index else hidden_states, turned)
        pooled = _mean_and_max(hidden_states, (step < steps[:, None])[:, :, None])
        return_dict = self.config.return_dict if return_dict is None else return_dict
        if not return_dict:
            return hidden_states, pooled
        return BaseModelOutputWithPooling(last_hidden_state=hidden_states, pooler_output=pooled)

    def fit_statistics(self, batches: Iterable[Mapping[str, Any]]) -> None:
        """Take mean and deviation of every texture feature from training data, each texture window counting once.

        Args:
            batches (`Iterable[Mapping]`): Batches with `input_features` of shape `(batch_size, num_frames,
                num_mel_bins)`, dB, and where some frames are padding `attention_mask` of shape `(batch_size,
                num_frames)`, as arrays or tensors. They are read once, in order; other keys are ignored.

        Raises:
            ValueError: There is no batch, its shapes do not fit, or a real frame is not finite.
        """
        device = self.texture.mean.device
        total = torch.zeros(2, self.texture.num_features, dtype=torch.float64)
        count = 0
        for batch in batches:
            features = torch.as_tensor(batch["input_features"], dtype=torch.float32, device=device)
            mask = batch.get("attention_mask")
            mask = None if mask is None else torch.as_tensor(mask, device=device)
            self._check_shapes(features, mask)
            windows = self._real_windows(features, mask).to("cpu", torch.float64)
            total += torch.stack([windows.sum(0), windows.square().sum(0)])
            count += len(windows)
        if count == 0:
            raise ValueError("fit_statistics got no batch; it needs the training set's input_features")
        mean, square = total / count
        deviation = (square - mean.square()).clamp(min=0.0).sqrt()
        self.set_feature_statistics(mean, deviation)

    @torch.no_grad()
    def _real_windows(self, features: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Texture features, not normalised, of the windows without padding: `(num_real_windows, num_features)`."""
        lengths = None if mask is None else mask.to(torch.long).sum(1).clamp(min=1)
        texture = self.texture.raw(features, lengths)
        if lengths is None:
            return texture.flatten(0, 1)
        step = torch.arange(texture.shape[1], device=texture.device)
        return texture[step < self.texture.num_windows(lengths)[:, None]]

    @torch.no_grad()
    def set_feature_statistics(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """Set what the texture features are normalised by; it is saved with the weights.

        Args:
            mean (`torch.Tensor` of shape `(num_features,)`): Mean of each texture feature.
            deviation (`torch.Tensor` of shape `(num_features,)`): Standard deviation of each. A feature that did not
                vary (below 1e-5) is divided by 1 instead.

        Raises:
            ValueError: The shape is wrong, or a value is not finite.
        """
        for name, value in (("mean", mean), ("deviation", deviation)):
            if value.shape != self.texture.mean.shape:
                raise ValueError(f"{name} has shape {tuple(value.shape)}, not {tuple(self.texture.mean.shape)}")
            if not torch.isfinite(value).all():
                raise ValueError(f"{name} of the texture features is not finite; the input must be finite decibels")
        self.texture.mean.copy_(mean)
        self.texture.deviation.copy_(torch.where(deviation < 1e-5, torch.ones_like(deviation), deviation))

    def _check_shapes(self, features: torch.Tensor, mask: torch.Tensor | None) -> None:
        bands = self.config.num_mel_bins
        if features.ndim != 3 or features.shape[2] != bands or features.shape[1] == 0:
            raise ValueError(
                f"input_features has shape {tuple(features.shape)}, must be (batch_size, num_frames, {bands}) with at "
                "least one frame: log-mel in dB, as the feature extractor of this model gives it"
            )
        if mask is not None and mask.shape != features.shape[:2]:
            raise ValueError(
                f"attention_mask has shape {tuple(mask.shape)}, must be {tuple(features.shape[:2])}: one value a frame"
            )


def _mean_and_max(hidden_states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Mean and maximum over the real steps, a mask of shape `(batch_size, num_steps, 1)`: `(batch_size, num_steps, n)`
    to `(batch_size, 2 * n)`."""
    mean = hidden_states.masked_fill(~real, 0.0).sum(1) / real.sum(1).to(hidden_states.dtype)
    return torch.cat([mean, hidden_states.masked_fill(~real, float("-inf")).amax(1)], dim=-1)


class MelLstmForAudioClassification(MelLstmPreTrainedModel):
    """The LSTM with a linear classifier over the pooled states.

    Args:
        config ([`MelLstmConfig`]): The configuration; `num_labels` (or `id2label`) gives the number of classes.
    """

    def __init__(self, config: MelLstmConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.mel_lstm = MelLstmModel(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        # transformers types the property as optional, which it is not once a configuration is made
        self.classifier = nn.Linear(4 * config.hidden_size, config.num_labels)  # type: ignore[arg-type]
        self.post_init()

    def forward(
        self,
        input_features: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[torch.Tensor, ...]:
        """
        Args:
            input_features (`torch.Tensor` of shape `(batch_size, num_frames, num_mel_bins)`):
                Log-mel spectrogram, dB re 1.0, from a [`LogMelFeatureExtractor`].
            attention_mask (`torch.Tensor` of shape `(batch_size, num_frames)`, *optional*):
                1 for real frames, 0 for padding, which is on the right. All frames are real by default.
            labels (`torch.Tensor` of shape `(batch_size,)` or `(batch_size, num_labels)`, *optional*):
                Class indices, or a probability for each class (mixup).
            return_dict (`bool`, *optional*, defaults to `config.return_dict`):
                Whether to return an output object instead of a tuple.

        Returns:
            `SequenceClassifierOutput`: `logits` of shape `(batch_size, num_labels)` and, where labels are given, the
            mean cross-entropy `loss`, float32.

        Raises:
            ValueError: The shapes do not fit the configuration or each other.
        """
        outputs = self.mel_lstm(input_features, attention_mask=attention_mask, return_dict=True)
        logits = self.classifier(self.dropout(outputs.pooler_output))
        loss = None
        if labels is not None:
            labels = labels.float() if labels.is_floating_point() else labels
            loss = nn.functional.cross_entropy(logits.float(), labels)
        return_dict = self.config.return_dict if return_dict is None else return_dict
        if not return_dict:
            return (logits,) if loss is None else (loss, logits)
        return SequenceClassifierOutput(loss=loss, logits=logits)

    def fit_statistics(self, batches: Iterable[Mapping[str, Any]]) -> None:
        """Fit the normalisation to training data; see [`MelLstmModel.fit_statistics`]."""
        self.mel_lstm.fit_statistics(batches)

    def set_feature_statistics(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """Set the normalisation; see [`MelLstmModel.set_feature_statistics`]."""
        self.mel_lstm.set_feature_statistics(mean, deviation)


__all__ = ["MelLstmForAudioClassification", "MelLstmModel", "MelLstmPreTrainedModel"]
