"""Architectures without weights: those of well-known checkpoints, and a tiny and a base size of each kind of model."""

from typing import Any

_LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
}


def _whisper(width: int, layers: int, heads: int, bands: int = 80) -> tuple[str, dict[str, Any]]:
    sizes = {"encoder_layers": layers, "encoder_attention_heads": heads, "encoder_ffn_dim": 4 * width}
    return "whisper", {"d_model": width, "num_mel_bins": bands, **sizes}


#: Hub name -> kind of model and what its configuration changes of transformers' defaults. Nothing is asked of the Hub.
KNOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "facebook/hubert-base-ls960": ("hubert", {}),
    "facebook/hubert-large-ll60k": ("hubert", {**_LARGE, "conv_bias": True}),
    "ntu-spml/distilhubert": ("hubert", {"num_hidden_layers": 2, "feat_proj_layer_norm": False}),
    "microsoft/wavlm-base": ("wavlm", {}),
    "microsoft/wavlm-base-plus": ("wavlm", {}),
    "microsoft/wavlm-large": ("wavlm", _LARGE),
    "facebook/wav2vec2-base": ("wav2vec2", {}),
    "facebook/wav2vec2-large-lv60": ("wav2vec2", {**_LARGE, "conv_bias": True}),
    "facebook/w2v-bert-2.0": ("wav2vec2-bert", {}),
    "MIT/ast-finetuned-audioset-10-10-0.4593": ("audio-spectrogram-transformer", {}),
    "openai/whisper-tiny": _whisper(384, 4, 6),
    "openai/whisper-base": _whisper(512, 6, 8),
    "openai/whisper-small": _whisper(768, 12, 12),
    "openai/whisper-medium": _whisper(1024, 24, 16),
    "openai/whisper-large-v3": _whisper(1280, 32, 20, bands=128),
}

#: The tiny size: what of this a kind of model has. Seven convolutions become three of the same total stride (320).
_TINY: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "conv_dim": (32, 32, 64),
    "conv_kernel": (20, 8, 8),
    "conv_stride": (10, 8, 4),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 64,
    "d_model": 64,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
}
#: data2vec-audio has as many convolutions of positions as this says, and not one that is so wide.
_TINY_OF: dict[str, dict[str, Any]] = {"data2vec-audio": {"num_conv_pos_embeddings": 2}}


def sized_config(model_type: str, size: str) -> Any:
    """Return a configuration of a kind of model.

    Args:
        model_type (`str`): As in transformers' `CONFIG_MAPPING`, such as `"hubert"`.
        size (`str`): `"base"` for transformers' defaults, `"tiny"` for a model for tests.
    """
    from transformers import AutoConfig

    config = AutoConfig.for_model(model_type)
    if size == "base":
        return config
    names = set(config.to_dict()) - set(config.attribute_map)
    values = {name: value for name, value in {**_TINY, **_TINY_OF.get(model_type, {})}.items() if name in names}
    return AutoConfig.for_model(model_type, **values)


def known_config(name: str) -> Any:
    """Return the configuration of a checkpoint in [`KNOWN`]."""
    from transformers import AutoConfig

    model_type, values = KNOWN[name]
    return AutoConfig.for_model(model_type, **values)


def extractor_for(config: Any) -> Any:
    """Return a feature extractor that goes with a configuration.

    Models whose first convolution has a group norm were trained without attention masks, the others with one, as
    transformers' documentation of `Wav2Vec2FeatureExtractor` says.
    """
    from transformers import SeamlessM4TFeatureExtractor
    from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING

    kind = config.model_type
    if kind == "wav2vec2-bert":  # the mapping names wav2vec 2.0's for it, whose output it does not take
        stride = 2
        bands = config.feature_projection_input_dim // stride
        return SeamlessM4TFeatureExtractor(feature_size=bands, num_mel_bins=bands, stride=stride)
    extractor_class: Any = FEATURE_EXTRACTOR_MAPPING[type(config)]
    if kind == "whisper":
        return extractor_class(feature_size=config.num_mel_bins)
    if kind == "audio-spectrogram-transformer":
        return extractor_class(num_mel_bins=config.num_mel_bins, max_length=config.max_length)
    return extractor_class(return_attention_mask=getattr(config, "feat_extract_norm", "layer") == "layer")
