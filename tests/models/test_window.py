"""Windows: Whisper's positions, AST's frames, and the least that each kind of model takes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.models.build import build_model, load_model, plan_model
from tests.conftest import SHARED
from tests.models.whisper import save_tiny_whisper

GENRES = ["blues", "jazz", "metal"]


@pytest.fixture(scope="module")
def tiny_whisper(tmp_path_factory) -> Path:
    return save_tiny_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def real_whisper() -> Path:
    folder = SHARED / "checkpoints" / "whisper-tiny.en-encoder"
    if not folder.is_dir():
        pytest.skip("the real checkpoint (../shared/checkpoints/whisper-tiny.en-encoder) is not at hand")
    return folder


def _logits(model, extractor, seconds):
    clip = np.random.default_rng(0).normal(size=round(seconds * 16000)).astype(np.float32)
    with torch.inference_mode():
        return model(**extractor(clip, sampling_rate=16000, return_tensors="pt")).logits


@pytest.mark.parametrize("checkpoint", ["tiny_whisper", "real_whisper"])
def test_whisper_is_cut_to_the_window_and_loads_as_it_was_saved(checkpoint, request, tmp_path):
    folder = request.getfixturevalue(checkpoint)
    model, extractor = build_model(str(folder), GENRES, segment_seconds=10)
    whole, _ = build_model(str(folder), GENRES, segment_seconds=30)
    assert model.dtype == torch.float32
    assert (extractor.chunk_length, extractor.n_samples, extractor.nb_max_frames) == (10, 160000, 1000)
    assert model.config.max_source_positions == model.encoder.max_source_positions == 500
    assert torch.equal(model.encoder.embed_positions.weight, whole.encoder.embed_positions.weight[:500])
    assert not model.encoder.embed_positions.weight.requires_grad
    before = _logits(model.eval(), extractor, 10)
    model.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert (saved["chunk_length"], saved["n_samples"], saved["nb_max_frames"]) == (10, 160000, 1000)
    assert torch.allclose(_logits(*load_model(tmp_path), 10), before, atol=6e-8, rtol=0)


def test_a_cut_whisper_can_be_cut_again_and_not_stretched(tiny_whisper, tmp_path):
    model, extractor = build_model(str(tiny_whisper), GENRES, segment_seconds=10)
    model.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    shorter, _ = build_model(str(tmp_path), GENRES, segment_seconds=4)
    assert shorter.config.max_source_positions == 200
    with pytest.raises(OptionError, match="from 1 to 10"):
        plan_model(str(tmp_path), segment_seconds=11)


@pytest.mark.parametrize("seconds", [0.5, 2.5, 31, 30.5])
def test_windows_that_whisper_cannot_have(tiny_whisper, seconds):
    with pytest.raises(OptionError, match=f"--segment_seconds is {seconds:g}.*whole number from 1 to 30"):
        plan_model(str(tiny_whisper), segment_seconds=seconds)


def test_positions_of_another_size_are_never_random(tiny_whisper):
    with pytest.raises(CheckpointError, match="embed_positions") as error:
        build_model(str(tiny_whisper), GENRES, segment_seconds=5, model_values={"max_source_positions": 250})
    assert "(1500, 16)" in str(error.value)


def test_a_shorter_window_costs_less(tiny_whisper):
    model, extractor = build_model(str(tiny_whisper), GENRES, segment_seconds=5)
    clip = np.zeros(5 * 16000, dtype=np.float32)
    inputs = extractor(clip, sampling_rate=16000, return_tensors="pt")
    assert inputs["input_features"].shape == (1, 8, 500)
    with torch.inference_mode():
        assert model.encoder(**inputs).last_hidden_state.shape[1] == 250
