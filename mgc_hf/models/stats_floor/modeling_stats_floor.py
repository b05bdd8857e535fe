"""The floor: one linear layer over the statistics of a segment.

    statistics        (batch_size, num_features), from a `StatsFeatureExtractor`
    normalisation     mean and deviation of each over the training set, kept as buffers
    linear layer      the discriminant functions of a linear discriminant analysis, so that softmax gives its probabilities

It is fitted in closed form, not trained (`mgc_hf/training/fitting.py` of the project), and any system that is worth its
cost should be better than it.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils.generic import maybe_autocast

from .configuration_stats_floor import StatsFloorConfig

if TYPE_CHECKING:
    # takes the pipeline's file along wherever a model is saved, as in `modeling_mel_lstm.py`
    from .pipeline_genre import GenrePipeline  # noqa: F401


class StatsFloorNormalisation(nn.Module):
    """Brings each statistic to mean 0 and deviation 1 on the training set."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, num_features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("deviation", torch.ones(num_features))

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        """Normalised statistics of the same shape, `(batch_size, num_features)`."""
        return (input_features - self.mean) / self.deviation


class StatsFloorForAudioClassification(PreTrainedModel):
    """A linear classifier of the statistics of a segment.

    Args:
        config ([`StatsFloorConfig`]): The configuration; `num_labels` (or `id2label`) gives the number of classes.
    """

    config: StatsFloorConfig
    config_class = StatsFloorConfig
    base_model_prefix = "stats_floor"
    main_input_name = "input_features"
    input_modalities = ["audio"]
    # half precision would round the training set's means
    _keep_in_fp32_modules_strict = {"normalisation"}

    def __init__(self, config: StatsFloorConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.normalisation = StatsFloorNormalisation(config.num_features)
        # transformers types the property as optional, which it is not once a configuration is made
        self.classifier = nn.Linear(config.num_features, config.num_labels)  # type: ignore[arg-type]
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, StatsFloorNormalisation):
            init.zeros_(module.mean)
            init.ones_(module.deviation)

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """Save as any model of transformers does, with weight files that have the mode of any new file."""
        super().save_pretrained(save_directory, *args, **kwargs)
        mask = os.umask(0)
        os.umask(mask)
        for file in Path(save_directory).glob("*.safetensors"):
            file.chmod(0o666 & ~mask)

    @torch.no_grad()
    def set_discriminants(
        self, mean: torch.Tensor, deviation: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
    ) -> None:
        """Set what a fit came to.

        Args:
            mean, deviation (`torch.Tensor` of shape `(num_features,)`): What the statistics are normalised by.
            weight (`torch.Tensor` of shape `(num_labels, num_features)`), bias (`torch.Tensor` of shape
                `(num_labels,)`): The discriminant functions of the normalised statistics.

        Raises:
            ValueError: A shape is wrong, a value is not finite, or a deviation is not above 0.
        """
        own = {
            "mean": self.normalisation.mean,
            "deviation": self.normalisation.deviation,
            "weight": self.classifier.weight,
            "bias": self.classifier.bias,
        }
        given = {"mean": mean, "deviation": deviation, "weight": weight, "bias": bias}
        for name, value in given.items():
            if value.shape != own[name].shape:
                raise ValueError(f"{name} has shape {tuple(value.shape)}, not {tuple(own[name].shape)}")
            if not torch.isfinite(value).all():
                raise ValueError(f"{name} is not finite")
        if (deviation <= 0).any():
            raise ValueError("deviation must be above 0; give 1 for a statistic that does not vary")
        for name, value in given.items():
            own[name].copy_(value)

    def forward(
        self,
        input_features: torch.Tensor,
        labels: torch.Tensor | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[torch.Tensor, ...]:
        """
        Args:
            input_features (`torch.Tensor` of shape `(batch_size, num_features)`):
                Statistics from a [`StatsFeatureExtractor`].
            labels (`torch.Tensor` of shape `(batch_size,)` or `(batch_size, num_labels)`, *optional*):
                Class indices, or a probability for each class.
            return_dict (`bool`, *optional*, defaults to `config.return_dict`):
                Whether to return an output object instead of a tuple.

        Returns:
            `SequenceClassifierOutput`: `logits` of shape `(batch_size, num_labels)` and, where labels are given, the
            mean cross-entropy `loss`, float32.

        Raises:
            ValueError: The shape does not fit the configuration.
        """
        if input_features.ndim != 2 or input_features.shape[1] != self.config.num_features:
            raise ValueError(
                f"input_features has shape {tuple(input_features.shape)}, must be (batch_size, "
                f"{self.config.num_features}): statistics as the feature extractor of this model gives them"
            )
        # thousands of Hz need float32, whatever the weights are kept in
        with maybe_autocast(device_type=input_features.device.type, enabled=False):
            normalised = self.normalisation(input_features.float())
        logits = self.classifier(normalised.to(self.dtype))
        loss = None
        if labels is not None:
            labels = labels.float() if labels.is_floating_point() else labels
            loss = nn.functional.cross_entropy(logits.float(), labels)
        return_dict = self.config.return_dict if return_dict is None else return_dict
        if not return_dict:
            return (logits,) if loss is None else (loss, logits)
        return SequenceClassifierOutput(loss=loss, logits=logits)


__all__ = ["StatsFloorForAudioClassification"]
