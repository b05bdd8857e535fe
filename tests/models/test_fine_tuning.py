"""The options of fine-tuning: what they do, and what goes with which model, told before data is read."""

import builtins

import numpy as np
import pytest
import torch

from mgc_hf.errors import OptionError
from mgc_hf.models.attention import ATTENTION
from mgc_hf.models.build import build_model, load_model, plan_model
from mgc_hf.models.fine_tuning import FineTuning
from mgc_hf.models.heads import head_parameters
from mgc_hf.run import fine_tune
from tests.models.kinds import KINDS, save_checkpoint

GENRES = ["blues", "jazz", "metal"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    made = {}

    def make(kind, **values):
        key = (kind, *sorted(values.items()))
        if key not in made:
            made[key] = save_checkpoint(kind, tmp_path_factory.mktemp(kind), **values)
        return str(made[key])

    return make


def _build(folder, **tuning):
    return build_model(folder, GENRES, segment_seconds=1.0, tuning=FineTuning(**tuning))[0]


def _trained(model):
    return {name for name, value in model.named_parameters() if value.requires_grad}


def test_options_are_taken_by_name():
    assert FineTuning.from_values({"freeze_layers": 3, "seed": 1}) == FineTuning(freeze_layers=3)


@pytest.mark.parametrize("kind", KINDS)
def test_pre_trained_convolutions_are_frozen_where_there_are_any(kind, checkpoint):
    model = _build(checkpoint(kind))
    convolutions = {name for name, _ in model.named_parameters() if ".feature_extractor." in name}
    assert bool(convolutions) == (kind not in ("audio-spectrogram-transformer", "wav2vec2-bert", "whisper"))
    assert not convolutions & _trained(model)
    if convolutions:
        assert convolutions <= _trained(_build(checkpoint(kind), freeze_feature_encoder=False))


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_layers_and_all_below_get_no_gradient(kind, checkpoint):
    """Nothing below needs a gradient, so none is computed: the first layer's input does not ask for one."""
    model = _build(checkpoint(kind), freeze_layers=1)
    names = _trained(model)
    assert head_parameters(model) <= names
    assert not any(".layers.0." in name or ".layer.0." in name for name in names)
    assert any(".layers.1." in name or ".layer.1." in name for name in names)
    left = {n for n in names - head_parameters(model) if ".layers.1." not in n and ".layer.1." not in n}
    last = {
        "whisper": {"encoder.layer_norm.weight", "encoder.layer_norm.bias"},
        "wav2vec2-conformer": {f"wav2vec2_conformer.encoder.layer_norm.{end}" for end in ("weight", "bias")},
        "audio-spectrogram-transformer": {
            f"audio_spectrogram_transformer.layernorm.{end}" for end in ("weight", "bias")
        },
        "sew": {f"sew.encoder.upsample.projection.{end}" for end in ("weight", "bias")},
        "sew-d": {f"sew_d.encoder.upsample.projection.{end}" for end in ("weight", "bias")},
    }
    assert left == last.get(kind, set())


def test_the_norm_of_a_stable_model_is_above_its_layers(checkpoint):
    folder = checkpoint("wav2vec2", do_stable_layer_norm=True, feat_extract_norm="layer")
    assert "wav2vec2.encoder.layer_norm.weight" in _trained(_build(folder, freeze_layers=1))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "audio-spectrogram-transformer"])
def test_a_weighted_sum_of_layers_is_learnt(kind, checkpoint):
    model = _build(checkpoint(kind), weighted_layer_sum=True)
    assert torch.allclose(model.layer_weights, torch.full((3,), 1 / 3))  # transformers leaves it unset
    inputs = torch.randn(2, 8000) if model.main_input_name == "input_values" else None
    if kind == "whisper":
        inputs = torch.randn(2, 80, 100)
    elif kind == "wav2vec2-bert":
        inputs = torch.randn(2, 50, 160)
    model.eval()(inputs).logits.sum().backward()
    assert model.layer_weights.grad.abs().max() > 0
    assert "layer_weights" in head_parameters(model)


def test_spec_augment_of_the_model_is_set(checkpoint):
    folder = checkpoint("hubert", apply_spec_augment=False)
    off = _build(folder)
    assert "hubert.masked_spec_embed" not in _trained(off)
    on = _build(folder, mask_time_prob=0.5, mask_feature_prob=0.1)
    assert (on.config.apply_spec_augment, on.config.mask_time_prob, on.config.mask_feature_prob) == (True, 0.5, 0.1)
    assert "hubert.masked_spec_embed" in _trained(on)
    assert "hubert.masked_spec_embed" not in _trained(_build(checkpoint("hubert"), mask_time_prob=0.0))


@pytest.mark.parametrize(
    ("kind", "key"), [("hubert", "layerdrop"), ("wav2vec2-bert", "layerdrop"), ("whisper", "encoder_layerdrop")]
)
def test_layers_are_dropped_only_on_request(kind, key, checkpoint):
    assert getattr(_build(checkpoint(kind)).config, key) == 0
    assert getattr(_build(checkpoint(kind), layerdrop=0.2).config, key) == 0.2


def test_attention(checkpoint):
    assert _build(checkpoint("hubert")).config._attn_implementation == ATTENTION
    assert _build(checkpoint("hubert"), attn_implementation="eager").config._attn_implementation == "eager"
    assert _build(checkpoint("sew-d")).config._attn_implementation == "eager"


def test_wavlm_is_brought_to_sdpa(checkpoint, tmp_path):
    from transformers.models.wavlm.modeling_wavlm import WavLMAttention

    from mgc_hf.models.wavlm_attention import SdpaWavLMAttention

    def kinds(model):
        return {type(module) for module in model.modules() if isinstance(module, WavLMAttention)}

    model, extractor = build_model(checkpoint("wavlm"), GENRES, segment_seconds=1.0)
    assert kinds(model) == {SdpaWavLMAttention}
    assert kinds(_build(checkpoint("wavlm"), attn_implementation="sdpa")) == {SdpaWavLMAttention}
    assert kinds(_build(checkpoint("wavlm"), attn_implementation="eager")) == {WavLMAttention}
    model.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    assert kinds(load_model(tmp_path)[0]) == {SdpaWavLMAttention}


CLASHES = [
    ("whisper", {"freeze_feature_encoder": True}, "--freeze_feature_encoder true.*whisper.*no convolutional"),
    ("audio-spectrogram-transformer", {"freeze_feature_encoder": True}, "no convolutional"),
    ("wav2vec2-bert", {"freeze_feature_encoder": True}, "no convolutional"),
    ("hubert", {"freeze_layers": 3}, "--freeze_layers 3.*it has 2 layers"),
    (
        "hubert",
        {"freeze_layers": 1, "freeze_feature_encoder": False},
        "--freeze_feature_encoder false.*--freeze_layers",
    ),
    ("hubert", {"lora_rank": 4, "freeze_feature_encoder": False}, "--freeze_feature_encoder false.*--lora_rank"),
    ("audio-spectrogram-transformer", {"weighted_layer_sum": True}, "--weighted_layer_sum true.*last layer alone"),
    ("whisper", {"mask_time_prob": 0.1}, "--mask_time_prob 0.1.*does not mask"),
    ("audio-spectrogram-transformer", {"mask_feature_prob": 0.1}, "--mask_feature_prob 0.1.*does not mask"),
    ("audio-spectrogram-transformer", {"layerdrop": 0.1}, "--layerdrop 0.1"),
    ("sew-d", {"layerdrop": 0.1}, "--layerdrop 0.1"),
    ("sew-d", {"attn_implementation": "sdpa"}, "--attn_implementation sdpa.*sew-d.*only eager"),
    ("wav2vec2-bert", {"lora_rank": 4}, "--lora_target_modules.*no linear layer q_proj and none v_proj.*linear_q"),
    ("hubert", {"lora_rank": 4, "lora_target_modules": ""}, "--lora_target_modules"),
    ("wavlm", {"lora_rank": 4, "attn_implementation": "eager"}, "--lora_rank 4.*--attn_implementation eager"),
]


@pytest.mark.parametrize(("kind", "options", "message"), CLASHES)
def test_what_does_not_go_together(kind, options, message, checkpoint):
    with pytest.raises(OptionError, match=message):
        plan_model(checkpoint(kind), segment_seconds=1.0, tuning=FineTuning(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"freeze_feature_encoder": True},
        {"freeze_layers": 1},
        {"weighted_layer_sum": True},
        {"mask_time_prob": 0.1},
        {"layerdrop": 0.1},
        {"lora_rank": 2},
        {"attn_implementation": "sdpa"},
        {"gradient_checkpointing": True},
    ],
)
def test_the_lstm_has_none_of_this(options):
    with pytest.raises(OptionError, match="mel_lstm"):
        plan_model("mel_lstm", segment_seconds=3.0, tuning=FineTuning(**options))


def test_masks_wider_than_the_model(checkpoint):
    with pytest.raises(OptionError, match="mask_feature_length"):
        plan_model(
            checkpoint("hubert"),
            segment_seconds=1.0,
            tuning=FineTuning(mask_feature_prob=0.5),
            model_values={"mask_feature_length": 65},
        )


def test_lora_without_peft_says_what_to_install(checkpoint, monkeypatch):
    real = builtins.__import__

    def without_peft(name, *args, **kwargs):
        if name.split(".")[0] == "peft":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_peft)
    with pytest.raises(OptionError, match="pip install peft"):
        plan_model(checkpoint("hubert"), segment_seconds=1.0, tuning=FineTuning(lora_rank=2))


def test_lora_through_the_loop_leaves_plain_weights(checkpoint, run_values, tmp_path):
    values = {
        **run_values,
        "model_name_or_path": checkpoint("hubert"),
        "model_config": None,
        "spec_time_masks": 0,
        "segment_seconds": 1.0,
        "num_train_epochs": 1,
        "lora_rank": 2,
        "weight_averaging": 0.0,
        "pictures": False,
    }
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    from safetensors.torch import load_file

    saved = load_file(tmp_path / "run" / "model.safetensors")
    stored = load_file(f"{checkpoint('hubert')}/model.safetensors")
    assert not any("lora" in name or "base_layer" in name for name in saved)
    assert result.model.num_parameters == sum(value.numel() for value in saved.values())
    changed = {name for name, value in stored.items() if not torch.equal(value, saved[name])}
    assert changed == {
        f"hubert.encoder.layers.{layer}.attention.{kind}_proj.weight" for layer in (0, 1) for kind in "qv"
    }


def test_a_clash_is_told_before_data_is_read(checkpoint, tmp_path):
    with pytest.raises(OptionError, match="--attn_implementation"):
        fine_tune(
            dataset=str(tmp_path / "there-is-no-data"),
            model_name_or_path=checkpoint("sew-d"),
            attn_implementation="sdpa",
            output_dir=str(tmp_path / "run"),
        )


@pytest.mark.parametrize("kind", ["hubert", "wavlm", "wav2vec2-conformer", "wav2vec2-bert", "sew", "data2vec-audio"])
def test_windows_below_the_least_are_padded_with_a_warning(kind, checkpoint, caplog):
    from mgc_hf.features.extraction import BatchExtractor

    model, extractor = build_model(checkpoint(kind), GENRES, segment_seconds=0.01)
    assert "--segment_seconds 0.01 is shorter than the least" in caplog.text
    batch_extractor = BatchExtractor(extractor, 160)
    features, _ = batch_extractor([np.ones(160, dtype=np.float32), np.zeros(16, dtype=np.float32)])
    model.train()(torch.from_numpy(features)).logits.sum().backward()
    with torch.inference_mode():
        assert torch.isfinite(model.eval()(torch.from_numpy(features)).logits).all()


def test_ast_does_not_cut_off_windows(checkpoint):
    folder = checkpoint("audio-spectrogram-transformer")
    plan_model(folder, segment_seconds=10.24)
    with pytest.raises(OptionError, match="--segment_seconds is 10.3; .*1024 frames, 10.24 seconds"):
        plan_model(folder, segment_seconds=10.3)
