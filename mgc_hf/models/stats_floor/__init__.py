"""The floor, a linear model of statistics of frame features: configuration, feature extractor and model, loaded when
they are used.

Each class saved through this package takes its code along, so that its folder loads where mgc_hf is not installed. Two
files of that code are links to the LSTM's, whose pipeline and checks of audio serve both.
"""

from typing import TYPE_CHECKING

from mgc_hf.models.own import lazy_classes

#: Auto class -> the class that a saved folder's `auto_map` names for it.
AUTO_CLASSES = {
    "AutoConfig": "StatsFloorConfig",
    "AutoFeatureExtractor": "StatsFeatureExtractor",
    "AutoModelForAudioClassification": "StatsFloorForAudioClassification",
}
#: The configuration's name for the extractor's `feature_size`.
INPUT_SIZE = "num_features"

_MODULES = {
    "StatsFeatureExtractor": "feature_extraction_stats_floor",
    "StatsFloorConfig": "configuration_stats_floor",
    "StatsFloorForAudioClassification": "modeling_stats_floor",
}

__all__ = ["StatsFeatureExtractor", "StatsFloorConfig", "StatsFloorForAudioClassification"]

if TYPE_CHECKING:
    from .configuration_stats_floor import StatsFloorConfig
    from .feature_extraction_stats_floor import StatsFeatureExtractor
    from .modeling_stats_floor import StatsFloorForAudioClassification

__getattr__, __dir__ = lazy_classes(__name__, _MODULES, AUTO_CLASSES)
