"""Fine-tune and honestly evaluate music genre classifiers the Hugging Face way.

`import mgc_hf` is cheap: names are loaded when they are used, and neither torch nor transformers is imported. Once
transformers is imported too, before or after, `AutoConfig`, `AutoFeatureExtractor`, `AutoModel` and
`AutoModelForAudioClassification` know our models (`models/registration.py`), and a broken torchaudio is no hindrance
(`libraries.py`).
"""

import importlib
from typing import TYPE_CHECKING, Any

from mgc_hf.libraries import hide_when_transformers_is_imported
from mgc_hf.models.registration import register_when_imported

__version__ = "0.1.0"

_LAZY = {
    "load_gtzan": "mgc_hf.data.sources",
    "Predictions": "mgc_hf.predictions",
    "RunResult": "mgc_hf.results",
    "LogMelFeatureExtractor": "mgc_hf.models.mel_lstm",
    "MelLstmConfig": "mgc_hf.models.mel_lstm",
    "MelLstmForAudioClassification": "mgc_hf.models.mel_lstm",
    "MelLstmModel": "mgc_hf.models.mel_lstm",
    "StatsFeatureExtractor": "mgc_hf.models.stats_floor",
    "StatsFloorConfig": "mgc_hf.models.stats_floor",
    "StatsFloorForAudioClassification": "mgc_hf.models.stats_floor",
    "GenreClassifier": "mgc_hf.inference",
    "fine_tune": "mgc_hf.run",
    "evaluate": "mgc_hf.evaluating",
    "rerun": "mgc_hf.rerunning",
    "compare": "mgc_hf.comparison.pair",
}

__all__ = [
    "GenreClassifier",
    "LogMelFeatureExtractor",
    "MelLstmConfig",
    "MelLstmForAudioClassification",
    "MelLstmModel",
    "Predictions",
    "RunResult",
    "StatsFeatureExtractor",
    "StatsFloorConfig",
    "StatsFloorForAudioClassification",
    "__version__",
    "compare",
    "evaluate",
    "fine_tune",
    "load_gtzan",
    "rerun",
]

if TYPE_CHECKING:
    from mgc_hf.comparison.pair import compare
    from mgc_hf.data.sources import load_gtzan
    from mgc_hf.evaluating import evaluate
    from mgc_hf.inference import GenreClassifier
    from mgc_hf.models.mel_lstm import (
        LogMelFeatureExtractor,
        MelLstmConfig,
        MelLstmForAudioClassification,
        MelLstmModel,
    )
    from mgc_hf.models.stats_floor import StatsFeatureExtractor, StatsFloorConfig, StatsFloorForAudioClassification
    from mgc_hf.predictions import Predictions
    from mgc_hf.rerunning import rerun
    from mgc_hf.results import RunResult
    from mgc_hf.run import fine_tune

hide_when_transformers_is_imported()
register_when_imported()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
