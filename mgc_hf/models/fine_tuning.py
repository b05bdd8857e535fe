"""What is trained of a model and how: frozen parts, LoRA, SpecAugment, attention. Clashes with a model are told early."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from mgc_hf.errors import OptionError
from mgc_hf.models.heads import NOT_LEARNT, head_parameters, is_head
from mgc_hf.models.window import masks_time

#: Models that are brought to sdpa by `wavlm_attention.py`, since transformers has only eager attention for them.
OWN_SDPA = ("wavlm",)

#: Models that normalise after the last layer, not before the first; wav2vec 2.0's kin say it in their configuration.
_NORM_LAST = ("whisper", "wav2vec2-conformer", "audio-spectrogram-transformer")

_LORA = "_mgc_hf_lora"


@dataclass(frozen=True)
class FineTuning:
    """The options of fine-tuning, by the names that recipes give them.

    Args:
        freeze_feature_encoder (`bool`, *optional*): Keep the convolutions below the transformer as they are; `None` for
            where the model has any and they are pre-trained.
        freeze_layers (`int`, *optional*, defaults to 0): Keep so many of the lowest layers, and all below, as they are.
        weighted_layer_sum (`bool`, *optional*, defaults to `False`): Classify from a learnt sum of all layers.
        lora_rank (`int`, *optional*, defaults to 0): Rank of LoRA's updates; 0 for none.
        lora_alpha (`float`, *optional*, defaults to 16.0): The updates are multiplied by `lora_alpha / lora_rank`.
        lora_dropout (`float`, *optional*, defaults to 0.0): Dropout on the inputs of the updates.
        lora_target_modules (`str`, *optional*, defaults to `"q_proj,v_proj"`): Ends of names of linear layers.
        mask_time_prob, mask_feature_prob (`float`, *optional*): SpecAugment in the model: fractions that are masked;
            `None` for what its configuration says.
        layerdrop (`float`, *optional*, defaults to 0.0): Probability of leaving a layer out of a training step.
        attn_implementation (`str`, *optional*): `"sdpa"` or `"eager"`; `None` for sdpa where there is one.
        gradient_checkpointing (`bool`, *optional*, defaults to `False`): Whether the Trainer will ask for it.
    """

    freeze_feature_encoder: bool | None = None
    freeze_layers: int = 0
    weighted_layer_sum: bool = False
    lora_rank: int = 0
    lora_alpha: float = 16.0
    lora_dropout: float = 0.0
    lora_target_modules: str = "q_proj,v_proj"
    mask_time_prob: float | None = None
    mask_feature_prob: float | None = None
    layerdrop: float = 0.0
    attn_implementation: str | None = None
    gradient_checkpointing: bool = False

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Take the fields from a mapping that may hold other things too, such as `vars(options.model)`."""
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls) if field.name in values})

    def configure(self, config: Any, name: str) -> None:
        """Write into a configuration what is said there.

        Args:
            config (`PretrainedConfig`): Changed in place.
            name (`str`): The model's name, for errors.

        Raises:
            OptionError: The kind of model has no such thing.
        """
        if self.weighted_layer_sum:
            if not hasattr(config, "use_weighted_layer_sum"):
                raise _clash("weighted_layer_sum", True, name, config, "it classifies from its last layer alone")
            config.use_weighted_layer_sum = True
        drop = next((key for key in ("layerdrop", "encoder_layerdrop") if hasattr(config, key)), None)
        if drop is not None:
            setattr(config, drop, self.layerdrop)
        elif self.layerdrop:
            raise _clash("layerdrop", self.layerdrop, name, config, "it leaves no layers out in training")
        for key in ("mask_time_prob", "mask_feature_prob"):
            value = getattr(self, key)
            if value is not None and hasattr(config, key):
                setattr(config, key, value)
                if value and hasattr(config, "apply_spec_augment"):
                    config.apply_spec_augment = True

    def attention(self, model_class: Any, config: Any, name: str) -> str:
        """Return what transformers is to be asked for as `attn_implementation`.

        Raises:
            OptionError: sdpa is asked of a model that has none.
        """
        has_sdpa = bool(model_class._supports_sdpa)
        if self.attn_implementation == "sdpa" and not has_sdpa and config.model_type not in OWN_SDPA:
            raise _clash("attn_implementation", "sdpa", name, config, "it has only eager attention")
        return "sdpa" if has_sdpa and self.attn_implementation != "eager" else "eager"

    def bring_attention(self, model: Any) -> None:
        """Bring a model to the package's own sdpa, unless eager was asked for or there is none.

        Where transformers has sdpa for a model, ours differs from it in training on a CPU alone (`attention.py`).
        """
        if model.config._attn_implementation == "sdpa":
            from mgc_hf.models.attention import ATTENTION

            model.set_attn_implementation(ATTENTION)
        if model.config.model_type in OWN_SDPA and self.attn_implementation != "eager":
            from mgc_hf.models.wavlm_attention import use_sdpa

            use_sdpa(model)

    def check(self, skeleton: Any, name: str) -> None:
        """Refuse what does not go together with a model.

        Args:
            skeleton (`PreTrainedModel`): The model, its weights on no device.
            name (`str`): Its name, for errors.

        Raises:
            OptionError: The text names option and model.
        """
        config = skeleton.config
        if self.freeze_feature_encoder and not hasattr(skeleton, "freeze_feature_encoder"):
            raise _clash("freeze_feature_encoder", True, name, config, "it has no convolutional feature encoder")
        for option in ("freeze_layers", "lora_rank"):
            if getattr(self, option) and self.freeze_feature_encoder is False:
                raise OptionError(
                    f"--freeze_feature_encoder false does not go together with --{option} {getattr(self, option)}, "
                    "which leaves all below it as it is; leave one of them out"
                )
        self._check_layers(skeleton, name)
        self._check_masks(skeleton, name)
        if self.gradient_checkpointing and not skeleton.supports_gradient_checkpointing:
            raise _clash("gradient_checkpointing", True, name, config, "it has no layers to compute again")
        if self.lora_rank:
            self._check_lora(skeleton, name)

    def _check_layers(self, skeleton: Any, name: str) -> None:
        if not self.freeze_layers:
            return
        prefix, count = transformer_layers(skeleton)
        if not prefix:
            raise _clash("freeze_layers", self.freeze_layers, name, skeleton.config, "it has no transformer layers")
        if self.freeze_layers > count:
            raise _clash("freeze_layers", self.freeze_layers, name, skeleton.config, f"it has {count} layers")

    def _check_masks(self, skeleton: Any, name: str) -> None:
        asked = [key for key in ("mask_time_prob", "mask_feature_prob") if getattr(self, key) is not None]
        config = skeleton.config
        if asked and not _masks_itself(skeleton):
            raise _clash(asked[0], getattr(self, asked[0]), name, config, "it does not mask its own inputs")
        masks = _masks_itself(skeleton) and config.mask_feature_prob > 0
        if masks and config.mask_feature_length > config.hidden_size:
            raise OptionError(
                f"--mask_feature_prob is {config.mask_feature_prob}: a mask of {config.mask_feature_length} features is "
                f"wider than the {config.hidden_size} that {name} has; set mask_feature_length in --model_config"
            )

    def _check_lora(self, skeleton: Any, name: str) -> None:
        from torch import nn

        try:
            import peft  # noqa: F401
        except ImportError as error:
            raise OptionError(
                f"--lora_rank {self.lora_rank} needs the package peft, which is not installed: pip install peft"
            ) from error
        below = [key for key, module in skeleton.named_modules() if isinstance(module, nn.Linear) and not is_head(key)]
        absent = [target for target in self._targets() if not any(_ends(key, target) for key in below)]
        if absent or not self._targets():
            kinds = sorted({key.rsplit(".", 1)[-1] for key in below})
            raise OptionError(
                f"--lora_target_modules is {self.lora_target_modules!r}; {name} has no linear layer "
                f"{' and none '.join(absent)}: it has {', '.join(kinds) or 'none below its head'}"
            )
        if skeleton.config.model_type in OWN_SDPA and self.attn_implementation == "eager":
            raise OptionError(
                f"--lora_rank {self.lora_rank} does not go together with --attn_implementation eager on {name}: its "
                "eager attention reads the weights past their updates; leave it at sdpa"
            )

    def _targets(self) -> list[str]:
        return [target.strip() for target in self.lora_target_modules.split(",") if target.strip()]

    def apply(self, model: Any, pretrained: bool) -> None:
        """Freeze what is to stay as it is, and add LoRA's updates.

        Args:
            model (`PreTrainedModel`): Changed in place.
            pretrained (`bool`): Whether its weights come from a checkpoint.
        """
        if self.lora_rank:
            self._add_lora(model)
        if hasattr(model, "freeze_feature_encoder"):
            freeze = pretrained if self.freeze_feature_encoder is None else self.freeze_feature_encoder
            if freeze or self.freeze_layers or self.lora_rank:
                # by the model's own method: it also stops asking for gradients of its inputs
                model.freeze_feature_encoder()
        prefix, _ = transformer_layers(model) if self.freeze_layers else ("", 0)
        for name, parameter in model.named_parameters():
            # what never gets a gradient is no parameter to train, and DDP refuses it
            if _is_never_used(name, model.config) or (prefix and self._is_frozen(name, prefix, model.config)):
                parameter.requires_grad = False

    def _is_frozen(self, name: str, prefix: str, config: Any) -> bool:
        if is_head(name):
            return False
        if name.startswith(f"{prefix}."):
            return int(name.removeprefix(f"{prefix}.").split(".", 1)[0]) < self.freeze_layers
        if "upsample" in name.split("."):  # of SEW, after the layers
            return False
        beside = name.removeprefix(f"{prefix.rpartition('.')[0]}.")
        norm_last = getattr(config, "do_stable_layer_norm", False) or config.model_type in _NORM_LAST
        return not (norm_last and beside.startswith(("layer_norm.", "layernorm.")))

    def _add_lora(self, model: Any) -> None:
        from peft import LoraConfig, LoraModel

        config = LoraConfig(
            r=self.lora_rank,
            lora_alpha=cast(Any, self.lora_alpha),  # any number will do
            lora_dropout=self.lora_dropout,
            target_modules=self._targets(),
        )
        wrapper = LoraModel(model, config, "default")
        # kept for merging, past torch's book-keeping: the wrapper holds the model, so it cannot be a part of it
        object.__setattr__(model, _LORA, wrapper)
        of_head = head_parameters(model)
        for name, parameter in model.named_parameters():
            if name in of_head:
                parameter.requires_grad = True


def merge_lora(model: Any) -> Any:
    """Add LoRA's updates to the weights that they belong to, and take the updates away; other models stay as they are.

    Args:
        model (`PreTrainedModel`): From [`ModelPlan.build`], changed in place.

    Returns:
        `PreTrainedModel`: The same model, with plain weights.
    """
    wrapper = model.__dict__.pop(_LORA, None)
    return model if wrapper is None else wrapper.merge_and_unload()


def _is_never_used(name: str, config: Any) -> bool:
    """Whether a parameter takes no part in training: an unused mask embedding, or the conformer's unused positions."""
    if name.endswith(NOT_LEARNT):
        return not masks_time(config)
    return config.model_type == "wav2vec2-conformer" and ".pos_conv_embed." in name


def transformer_layers(model: Any) -> tuple[str, int]:
    """Return the name of a model's list of transformer layers, and how many there are; `("", 0)` without any."""
    from torch import nn

    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) and _attends(module[0]):
            return name, len(module)
    return "", 0


def _attends(layer: Any) -> bool:
    return any(name in ("attention", "self_attn") for name, _ in layer.named_children())


def _masks_itself(model: Any) -> bool:
    return any(hasattr(module, "_mask_hidden_states") for module in model.modules())


def _ends(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _clash(option: str, value: Any, name: str, config: Any, reason: str) -> OptionError:
    return OptionError(
        f"--{option} {str(value).lower() if isinstance(value, bool) else value} does not go together with {name} (a "
        f"{config.model_type}): {reason}"
    )
