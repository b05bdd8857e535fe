"""The LSTM on log-mel spectrograms: configuration, feature extractor and models, loaded when they are used.

Each class saved through this package takes its code along, so that its folder loads where mgc_hf is not installed.
"""

import importlib
from typing import TYPE_CHECKING, Any

_MODULES = {
    "LogMelFeatureExtractor": "feature_extraction_mel_lstm",
    "MelLstmConfig": "configuration_mel_lstm",
    "MelLstmForAudioClassification": "modeling_mel_lstm",
    "MelLstmModel": "modeling_mel_lstm",
    "MelLstmPreTrainedModel": "modeling_mel_lstm",
}

#: Class -> the Auto class that a saved folder's `auto_map` names it for.
_AUTO_CLASSES = {
    "LogMelFeatureExtractor": "AutoFeatureExtractor",
    "MelLstmConfig": "AutoConfig",
    "MelLstmForAudioClassification": "AutoModelForAudioClassification",
    "MelLstmModel": "AutoModel",
}

__all__ = [
    "LogMelFeatureExtractor",
    "MelLstmConfig",
    "MelLstmForAudioClassification",
    "MelLstmModel",
    "MelLstmPreTrainedModel",
]

if TYPE_CHECKING:
    from .configuration_mel_lstm import MelLstmConfig
    from .feature_extraction_mel_lstm import LogMelFeatureExtractor
    from .modeling_mel_lstm import MelLstmForAudioClassification, MelLstmModel, MelLstmPreTrainedModel


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    if name in _AUTO_CLASSES:
        value.register_for_auto_class(_AUTO_CLASSES[name])
        if name != "MelLstmConfig":
            __getattr__("MelLstmConfig")  # a model's configuration is saved with it
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
