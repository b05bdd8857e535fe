"""The LSTM on log-mel spectrograms: configuration, feature extractor and models, loaded when they are used.

Each class saved through this package takes its code along, so that its folder loads where mgc_hf is not installed.
"""

from typing import TYPE_CHECKING

from mgc_hf.models.own import lazy_classes

#: Auto class -> the class that a saved folder's `auto_map` names for it.
AUTO_CLASSES = {
    "AutoConfig": "MelLstmConfig",
    "AutoFeatureExtractor": "LogMelFeatureExtractor",
    "AutoModel": "MelLstmModel",
    "AutoModelForAudioClassification": "MelLstmForAudioClassification",
}
#: The configuration's name for the extractor's `feature_size`.
INPUT_SIZE = "num_mel_bins"

_MODULES = {
    "LogMelFeatureExtractor": "feature_extraction_mel_lstm",
    "MelLstmConfig": "configuration_mel_lstm",
    "MelLstmForAudioClassification": "modeling_mel_lstm",
    "MelLstmModel": "modeling_mel_lstm",
    "MelLstmPreTrainedModel": "modeling_mel_lstm",
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

__getattr__, __dir__ = lazy_classes(__name__, _MODULES, AUTO_CLASSES)
