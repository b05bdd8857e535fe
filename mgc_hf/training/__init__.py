"""The one training loop: a model, a feature extractor, data and options in; selected weights and their history out.

Names are loaded when they are used: transformers' Trainer alone takes seconds to import.
"""

import importlib
from typing import TYPE_CHECKING, Any

_LAZY = {
    "TrainOutcome": "mgc_hf.training.loop",
    "find_resumable": "mgc_hf.training.checkpoints",
    "predict": "mgc_hf.training.predicting",
    "save_model_folder": "mgc_hf.training.saving",
    "train": "mgc_hf.training.loop",
    "trainer_arguments": "mgc_hf.training.arguments",
}

__all__ = ["TrainOutcome", "find_resumable", "predict", "save_model_folder", "train", "trainer_arguments"]

if TYPE_CHECKING:
    from mgc_hf.training.arguments import trainer_arguments
    from mgc_hf.training.checkpoints import find_resumable
    from mgc_hf.training.loop import TrainOutcome, train
    from mgc_hf.training.predicting import predict
    from mgc_hf.training.saving import save_model_folder


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
