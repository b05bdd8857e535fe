"""A tiny model of every kind that `AutoModelForAudioClassification` takes, saved as a checkpoint lies on a disk."""

from pathlib import Path
from typing import Any

from transformers import AutoModelForAudioClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING

from mgc_hf.models import OWN_MODELS, scratch
from mgc_hf.models.heads import is_head

KINDS = sorted(kind.model_type for kind in MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING if kind.model_type not in OWN_MODELS)


def save_checkpoint(kind: str, folder: Path, head: bool = False, half: bool = False, **values: Any) -> Path:
    """Save a tiny model with random weights, without a head unless told otherwise."""
    config = scratch.sized_config(kind, "tiny")
    for name, value in values.items():
        setattr(config, name, value)
    model = AutoModelForAudioClassification.from_config(config)
    weights = {name: value for name, value in model.state_dict().items() if head or not is_head(name)}
    if half:
        weights = {name: value.half() for name, value in weights.items()}
    model.save_pretrained(folder, state_dict=weights)
    scratch.extractor_for(config).save_pretrained(folder)
    return folder
