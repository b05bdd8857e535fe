"""The one door to a model and its feature extractor: a new LSTM, or any audio classifier from a folder or the Hub.

First a plan is made from options, configuration and feature extractor, so that whatever does not fit is told before
any data is read; then the plan builds the model for the genres that the data turned out to have.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_hf.errors import OptionError
from mgc_hf.models import OWN_MODELS, scratch
from mgc_hf.models.checkpoint import (
    as_option_errors,
    find_weights,
    labelled,
    load_classifier,
    load_weights,
    read_config,
    read_extractor,
    refuse_unknown,
    with_values,
)
from mgc_hf.models.dropout import use_cpu_dropout
from mgc_hf.models.fine_tuning import FineTuning, merge_lora
from mgc_hf.models.own import input_size_name, own_class
from mgc_hf.models.window import cut_positions, fit_extractor


@dataclass(frozen=True, eq=False)
class ModelPlan:
    """A model that can be built: everything about it is known but its genres.

    Args:
        name (`str`): Its name, folder or Hub id.
        config (`PretrainedConfig`): Its configuration, without the genres.
        extractor (`FeatureExtractionMixin`): Its feature extractor, fitted to the window.
        tuning ([`FineTuning`]): What is trained of it.
        attention (`str`): `attn_implementation` for transformers.
        pretrained (`bool`): Whether its weights come from the checkpoint of that name.
    """

    name: str
    config: Any
    extractor: Any
    tuning: FineTuning
    attention: str
    pretrained: bool

    def build(self, genres: Sequence[str]) -> tuple[Any, Any]:
        """Build the model with one output per genre.

        Args:
            genres (`Sequence[str]`): Class names in label order.

        Returns:
            `tuple[PreTrainedModel, FeatureExtractionMixin]`: The weights are float32 whatever the checkpoint's dtype.

        Raises:
            CheckpointError: The checkpoint cannot be read, or does not hold every weight below the head.
        """
        if self.pretrained:
            model = load_weights(self.name, self.config, genres, self.attention)
        else:
            model = _from_config(labelled(self.config, genres), self.attention)
        cut_positions(model, self.extractor)
        self.tuning.bring_attention(model)
        self.tuning.apply(model, self.pretrained)
        if self.name not in OWN_MODELS:
            use_cpu_dropout(model)
        return model, copy.deepcopy(self.extractor)


def plan_model(
    name_or_path: str,
    *,
    segment_seconds: float,
    hop_seconds: float | None = None,
    model_values: Mapping[str, Any] | None = None,
    feature_values: Mapping[str, Any] | None = None,
    tuning: FineTuning | None = None,
    from_scratch: bool = False,
    size: str | None = None,
) -> ModelPlan:
    """Look at a model's configuration and feature extractor, and refuse what does not go together with it.

    Args:
        name_or_path (`str`): One of `OWN_MODELS` (`"mel_lstm"`) from scratch, or a folder or Hub id of an audio
            classifier.
        segment_seconds (`float`): Length of the segments that it will be given, seconds.
        hop_seconds (`float`, *optional*): Step between the windows of a clip in evaluation and prediction, seconds;
            `segment_seconds` by default.
        model_values, feature_values (`Mapping[str, Any]`, *optional*): Configuration values that differ from the
            defaults.
        tuning ([`FineTuning`], *optional*): What is trained of it and how.
        from_scratch (`bool`, *optional*, defaults to `False`): Take the architecture alone. Well-known names
            ([`scratch.KNOWN`]) then need no Hub.
        size (`str`, *optional*): `"tiny"` or `"base"` in place of the size of `name_or_path`, with `from_scratch`.

    Returns:
        [`ModelPlan`]

    Raises:
        OptionError: A configuration value is unknown or out of range, or an option does not fit the model.
        CheckpointError: The checkpoint cannot be found or read.
    """
    tuning = tuning or FineTuning()
    model_values, feature_values = dict(model_values or {}), dict(feature_values or {})
    own = name_or_path in OWN_MODELS
    if size is not None and (own or not from_scratch):
        raise OptionError(f"--size {size} needs --from_scratch and a model of transformers, not {name_or_path}")
    pretrained = not from_scratch and not own
    if own:
        windows = {"segment_seconds": segment_seconds, "hop_seconds": hop_seconds}
        config, extractor = _own_model(name_or_path, model_values, {**windows, **feature_values})
    elif from_scratch:
        config, extractor = _architecture(name_or_path, size, model_values, feature_values)
    else:
        config = read_config(name_or_path, model_values)
        extractor = read_extractor(name_or_path, feature_values)
    tuning.configure(config, name_or_path)
    if not own:
        fit_extractor(config, extractor, segment_seconds, hop_seconds)
    skeleton_class = _model_class(config)
    if pretrained and is_fitted(skeleton_class):
        raise OptionError(
            f"--model_name_or_path {name_or_path}: is a {config.model_type}, which is fitted in closed form, so there is "
            f"nothing in it to go on from; name {config.model_type} to fit a new one"
        )
    attention = tuning.attention(skeleton_class, config, name_or_path)
    tuning.check(_skeleton(config, attention), name_or_path)
    if pretrained:
        find_weights(name_or_path)
    return ModelPlan(name_or_path, config, extractor, tuning, attention, pretrained)


def build_model(name_or_path: str, genres: Sequence[str], **values: Any) -> tuple[Any, Any]:
    """Build a model with one output per genre, and its feature extractor: [`plan_model`] and [`ModelPlan.build`].

    Args:
        name_or_path (`str`): One of `OWN_MODELS`, or a folder or Hub id of an audio classifier.
        genres (`Sequence[str]`): Class names in label order.
        values: As for [`plan_model`].
    """
    return plan_model(name_or_path, **values).build(genres)


def is_fitted(model: Any) -> bool:
    """Whether a model (or its class) is fitted in closed form, not trained step by step."""
    return hasattr(model, "set_discriminants")


def finish_model(model: Any) -> Any:
    """Return a trained model as it is saved: with plain weights, LoRA's updates merged.

    Args:
        model (`PreTrainedModel`): From [`ModelPlan.build`].
    """
    return merge_lora(model)


def load_model(name_or_path: str | Path, revision: str | None = None) -> tuple[Any, Any]:
    """Load a finished classifier and its feature extractor, in evaluation mode, float32.

    Args:
        name_or_path (`str` or `Path`): Folder or Hub id.
        revision (`str`, *optional*): Branch, tag or commit of a Hub id.

    Raises:
        CheckpointError: The folder is missing or incomplete, or some weights are not in it; it says which.
        OptionError: A revision of a local folder.
    """
    model, extractor = load_classifier(name_or_path, revision)
    FineTuning().bring_attention(model)
    return model, extractor


def _own_model(model_type: str, model_values: Mapping[str, Any], feature_values: Mapping[str, Any]) -> tuple[Any, Any]:
    config_class, extractor_class = own_class(model_type, "AutoConfig"), own_class(model_type, "AutoFeatureExtractor")
    refuse_unknown("model_config", model_values, config_class().to_dict())
    refuse_unknown("feature_config", feature_values, extractor_class().to_dict())
    with as_option_errors("feature_config"):
        extractor = extractor_class(**feature_values)
    with as_option_errors("model_config"):
        config = config_class(**{input_size_name(model_type): extractor.feature_size, **model_values})
    return config, extractor


def _architecture(
    name_or_path: str, size: str | None, model_values: Mapping[str, Any], feature_values: Mapping[str, Any]
) -> tuple[Any, Any]:
    if name_or_path in scratch.KNOWN:
        config, extractor = scratch.known_config(name_or_path), None
    else:
        config, extractor = read_config(name_or_path, {}), None
        if size is not None and config.model_type in OWN_MODELS:
            raise OptionError(f"--size {size} is for models of transformers; {name_or_path} is a {config.model_type}")
        if size is None:
            extractor = read_extractor(name_or_path, {})
    if size is not None:
        config = scratch.sized_config(config.model_type, size)
    config = with_values(config, model_values, "model_config")
    if extractor is None:
        extractor = scratch.extractor_for(config)
    return config, with_values(extractor, feature_values, "feature_config")


def _model_class(config: Any) -> Any:
    from transformers.models.auto.modeling_auto import MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING

    return MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING[type(config)]


def _from_config(config: Any, attention: str) -> Any:
    import torch
    from transformers import AutoModelForAudioClassification

    return AutoModelForAudioClassification.from_config(config, dtype=torch.float32, attn_implementation=attention)


def _skeleton(config: Any, attention: str) -> Any:
    """Return the model without memory for its weights: enough to see what it has."""
    import torch

    with as_option_errors("model_config"), torch.device("meta"):
        return _from_config(copy.deepcopy(config), attention)
