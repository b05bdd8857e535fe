"""Checkpoints are read whole or refused, and what is adapted is said."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.models.build import build_model, load_model, plan_model
from tests.models.kinds import save_checkpoint

GENRES = ["blues", "jazz", "metal"]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A checkpoint without a head, in half precision."""
    return save_checkpoint("hubert", tmp_path_factory.mktemp("base"), half=True)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    """A checkpoint of a classifier of three genres."""
    labels = {"id2label": dict(enumerate(GENRES)), "label2id": {genre: i for i, genre in enumerate(GENRES)}}
    return save_checkpoint("hubert", tmp_path_factory.mktemp("classifier"), head=True, **labels)


def _copy(folder: Path, to: Path, change) -> str:
    """Copy a checkpoint with changed weights."""
    shutil.copytree(folder, to)
    weights = load_file(to / "model.safetensors")
    change(weights)
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return str(to)


def _build(folder, genres=GENRES, **values):
    return build_model(str(folder), genres, segment_seconds=1.0, **values)


def test_weights_are_float32_and_those_of_the_checkpoint(base, caplog):
    with caplog.at_level(logging.INFO, logger="mgc_hf"):
        model, _ = _build(base)
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert model.config.dtype in (None, torch.float32)
    stored = load_file(base / "model.safetensors")
    name = "hubert.encoder.layers.0.attention.k_proj.weight"
    assert stored[name].dtype == torch.float16
    assert torch.equal(model.state_dict()[name], stored[name].float())
    assert "has no classification head" in caplog.text
    assert model.config.id2label == dict(enumerate(GENRES))


def test_a_head_of_the_same_genres_is_kept(classifier, caplog):
    model, _ = _build(classifier)
    stored = load_file(classifier / "model.safetensors")
    assert torch.equal(model.classifier.weight, stored["classifier.weight"])
    assert "its head is kept" in caplog.text


@pytest.mark.parametrize("genres", [["a", "b", "c"], ["jazz", "blues", "metal"]])
def test_as_many_genres_of_other_names_get_a_new_classifier(classifier, genres, caplog):
    torch.manual_seed(0)
    model, _ = _build(classifier, genres)
    stored = load_file(classifier / "model.safetensors")
    assert not torch.allclose(model.classifier.weight, stored["classifier.weight"], atol=1e-4)
    assert 0.5 < model.classifier.weight.std() / model.config.initializer_range < 2
    assert torch.equal(model.projector.weight, stored["projector.weight"])
    assert "blues, jazz, metal" in caplog.text
    assert model.config.id2label[0] == genres[0]


def test_another_number_of_genres_gets_a_new_classifier(classifier, caplog):
    model, _ = _build(classifier, [*GENRES, "rock"])
    assert model.classifier.weight.shape[0] == 4
    assert torch.isfinite(model.classifier.weight).all()
    assert "classifies 3 labels; for the 4 genres these weights" in caplog.text


def test_a_missing_weight_below_the_head_is_refused(base, tmp_path):
    """FC46."""
    name = "hubert.encoder.layers.1.attention.v_proj.weight"
    folder = _copy(base, tmp_path / "c", lambda weights: weights.pop(name))
    with pytest.raises(CheckpointError, match="1 weights below the classification head") as error:
        _build(folder)
    assert name in str(error.value)
    assert "--from_scratch" in str(error.value)


def test_a_weight_of_another_size_below_the_head_is_refused(base):
    with pytest.raises(CheckpointError, match=r"\(is \(128, 64\), needs \(96, 64\)\)"):
        _build(base, model_values={"intermediate_size": 96})


@pytest.mark.parametrize("kind", ["hubert", "sew-d"])
def test_a_missing_mask_embedding_is_no_loss(kind, tmp_path):
    folder = save_checkpoint(kind, tmp_path / "whole")
    name = f"{kind.replace('-', '_')}.masked_spec_embed"
    model, _ = _build(_copy(folder, tmp_path / "c", lambda weights: weights.pop(name)))
    embedding = model.get_parameter(name)
    assert embedding.min() >= 0  # uniform, and no memory that nobody has set
    assert 0 < embedding.max() <= 1


def test_missing_buffers_are_no_loss(tmp_path):
    folder = save_checkpoint("wav2vec2-conformer", tmp_path / "whole")
    name = "wav2vec2_conformer.encoder.layers.0.conv_module.batch_norm.num_batches_tracked"
    model, _ = _build(_copy(folder, tmp_path / "c", lambda weights: weights.pop(name)))
    assert model.state_dict()[name] == 0


def test_names_of_older_checkpoints_are_known(base, tmp_path):
    """FC46: weight_g and weight_v, as torch's former weight norm called them, as the published checkpoints do."""

    def rename(weights):
        stem = "hubert.encoder.pos_conv_embed.conv."
        weights[f"{stem}weight_g"] = weights.pop(f"{stem}parametrizations.weight.original0")
        weights[f"{stem}weight_v"] = weights.pop(f"{stem}parametrizations.weight.original1")

    model, _ = _build(_copy(base, tmp_path / "c", rename))
    stored = load_file(base / "model.safetensors")
    name = "hubert.encoder.pos_conv_embed.conv.parametrizations.weight.original1"
    assert torch.equal(model.state_dict()[name], stored[name].float())


def test_a_git_lfs_pointer_is_called_that(base, tmp_path):
    """FC46."""
    shutil.copytree(base, tmp_path / "c")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 378\n"
    (tmp_path / "c" / "model.safetensors").write_text(pointer)
    for call in (lambda: plan_model(str(tmp_path / "c"), segment_seconds=1.0), lambda: load_model(tmp_path / "c")):
        with pytest.raises(CheckpointError, match="Git LFS pointer.*git lfs pull"):
            call()


def test_a_folder_without_weights(base, tmp_path):
    shutil.copytree(base, tmp_path / "c")
    (tmp_path / "c" / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no weights"):
        plan_model(str(tmp_path / "c"), segment_seconds=1.0)


def test_a_checkpoint_that_is_not_at_hand_names_the_ways_out():
    with pytest.raises(CheckpointError) as error:
        plan_model("facebook/hubert-base-ls960", segment_seconds=10.0)
    for part in ("facebook/hubert-base-ls960", "local folder", "HF_HOME", "--from_scratch"):
        assert part in str(error.value)


def test_code_of_a_checkpoint_is_not_run(base, tmp_path):
    shutil.copytree(base, tmp_path / "c")
    config = json.loads((tmp_path / "c" / "config.json").read_text())
    config |= {"model_type": "mert_model", "auto_map": {"AutoConfig": "code.Config"}}
    (tmp_path / "c" / "config.json").write_text(json.dumps(config))
    (tmp_path / "c" / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")
    with pytest.raises(CheckpointError, match="code of its own, which is not run"):
        plan_model(str(tmp_path / "c"), segment_seconds=1.0)
    assert not (tmp_path / "ran").exists()


def test_a_model_that_is_no_audio_classifier(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="is a bert, which is no audio classifier.*wavlm"):
        plan_model(str(tmp_path), segment_seconds=1.0)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"model_values": {"hiden_size": 1}}, ["--model_config", "hiden_size", "hidden_size"]),
        ({"feature_values": {"do_normalise": True}}, ["--feature_config", "do_normalise", "do_normalize"]),
        ({"model_values": {"num_attention_heads": 7}}, ["--model_config", "7"]),
    ],
)
def test_values_that_do_not_fit_are_named(base, values, parts):
    with pytest.raises(OptionError) as error:
        plan_model(str(base), segment_seconds=1.0, **values)
    for part in parts:
        assert part in str(error.value)


def test_values_of_the_feature_extractor_are_taken(base):
    _, extractor = _build(base, feature_values={"do_normalize": False}, hop_seconds=0.5)
    assert extractor.do_normalize is False
    assert (extractor.segment_seconds, extractor.hop_seconds) == (1.0, 0.5)


def test_a_finished_model_without_some_weight_is_refused(classifier, tmp_path):
    folder = _copy(classifier, tmp_path / "c", lambda weights: weights.pop("classifier.bias"))
    with pytest.raises(CheckpointError, match="classifier.bias"):
        load_model(folder)
