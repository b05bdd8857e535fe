"""Defaults that the recipes of pre-trained audio models share, where they differ from the package's own."""

from typing import Any

#: A recipe adds its checkpoint and output folder; `docs/speech.md` tells of them.
SPEECH_DEFAULTS: dict[str, Any] = {
    "dataset": "marsyas/gtzan",
    "protocol": "track",
    "segment_seconds": 10.0,
    "random_windows": 2,
    "num_train_epochs": 10,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "learning_rate": 1e-4,
    "head_learning_rate": 1e-3,
    "weight_decay": 0.01,
    "weight_averaging": 0.0,
    "label_smoothing_factor": 0.0,
    "mixup_alpha": 0.0,
    "spec_time_masks": 0,
    "bf16": None,
}
