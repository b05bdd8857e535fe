"""The loop learns: a tiny model of each of the paper's three learns its own training clips by heart."""

import json

import pytest

from mgc_hf.options import SPEECH_DEFAULTS
from mgc_hf.run import fine_tune


@pytest.mark.parametrize("name", ["facebook/hubert-base-ls960", "microsoft/wavlm-base", "facebook/wav2vec2-base"])
def test_a_tiny_model_learns_its_training_clips(name, cache_dir, tmp_path):
    result = fine_tune(
        **{
            **SPEECH_DEFAULTS,
            "dataset": "demo",
            "demo_clips_per_genre": 4,
            "demo_seconds": 2,
            "segment_seconds": 1.0,
            "random_windows": 0,
            "train_hop_seconds": 1.0,
            "validation_fraction": 0.0,
            "model_name_or_path": name,
            "from_scratch": True,
            "size": "tiny",
            "mask_time_prob": 0.0,
            "num_train_epochs": 25,
            "per_device_train_batch_size": 10,
            "learning_rate": 2e-3,
            "head_learning_rate": None,
            "bf16": False,
            "save_strategy": "no",
            "floor": False,
            "pictures": False,
            "num_resamples": 100,
            "disable_tqdm": True,
            "cache_dir": str(cache_dir),
        },
        output_dir=str(tmp_path / "run"),
    )
    assert result.data.tracks["train"] == dict.fromkeys(result.data.genres, 3)
    assert result.training.history[0].train_accuracy < 0.5
    assert result.training.history[-1].train_accuracy >= 0.95
    # what was not pre-trained says so
    assert result.model.base_model is None
    card = (tmp_path / "run" / "README.md").read_text()
    assert "not pre-trained" in card.split("---")[2].strip().splitlines()[0]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["num_hidden_layers"] == 2
