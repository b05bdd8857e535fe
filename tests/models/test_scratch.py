"""Architectures without weights."""

import pytest
import torch

from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.models import scratch
from mgc_hf.models.build import build_model, plan_model
from tests.models.kinds import KINDS, save_checkpoint

GENRES = ["blues", "jazz", "metal"]


@pytest.mark.parametrize("name", ["mel_lstm", *scratch.KNOWN])
def test_known_names_need_no_hub(name):
    plan = plan_model(name, segment_seconds=3.0, from_scratch=True)
    assert not plan.pretrained
    assert plan.extractor.segment_seconds == 3.0
    assert plan.extractor.sampling_rate == (22050 if name == "mel_lstm" else 16000)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("facebook/hubert-base-ls960", 94.6),
        ("microsoft/wavlm-base", 94.6),
        ("facebook/wav2vec2-base", 94.6),
        ("ntu-spml/distilhubert", 23.7),
        ("MIT/ast-finetuned-audioset-10-10-0.4593", 86.2),
        ("openai/whisper-tiny", 8.3),
    ],
)
def test_architectures_have_the_sizes_of_their_checkpoints(name, millions):
    """Encoder with head, within 3 %: the figures of the papers, of what is built without memory for it."""
    from mgc_hf.models.build import _skeleton

    plan = plan_model(name, segment_seconds=10.0, from_scratch=True)
    count = sum(value.numel() for value in _skeleton(plan.config, plan.attention).parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_gives_its_architecture_alone(kind, tmp_path):
    save_checkpoint(kind, tmp_path)
    torch.manual_seed(1)
    model, extractor = build_model(str(tmp_path), GENRES, segment_seconds=1.0, from_scratch=True)
    pretrained, _ = build_model(str(tmp_path), GENRES, segment_seconds=1.0)
    assert model.num_parameters() == pretrained.num_parameters()
    drawn = {name: value for name, value in pretrained.named_parameters() if value.dim() > 1 and value.std() > 0}
    assert len(drawn) > 10
    same = {name for name, value in model.named_parameters() if name in drawn and torch.equal(value, drawn[name])}
    assert same <= {"encoder.embed_positions.weight"}  # Whisper's are sine waves
    assert type(extractor) is type(scratch.extractor_for(model.config))


def test_a_size_replaces_that_of_the_name(tmp_path):
    save_checkpoint("wavlm", tmp_path)
    base = plan_model(str(tmp_path), segment_seconds=1.0, from_scratch=True, size="base")
    assert base.config.hidden_size == 768
    tiny = plan_model("microsoft/wavlm-large", segment_seconds=1.0, from_scratch=True, size="tiny")
    assert tiny.config.hidden_size == 64


def test_sizes_that_cannot_be(tmp_path):
    with pytest.raises(OptionError, match="--size tiny"):
        plan_model("mel_lstm", segment_seconds=3.0, from_scratch=True, size="tiny")
    with pytest.raises(CheckpointError, match="somebody/unknown"):
        plan_model("somebody/unknown", segment_seconds=3.0, from_scratch=True)


def test_values_change_the_architecture():
    plan = plan_model(
        "facebook/hubert-base-ls960", segment_seconds=1.0, from_scratch=True, model_values={"num_hidden_layers": 3}
    )
    assert plan.config.num_hidden_layers == 3


def test_convolutions_from_scratch_are_trained():
    model, _ = build_model("facebook/hubert-base-ls960", GENRES, segment_seconds=1.0, from_scratch=True, size="tiny")
    assert all(value.requires_grad for value in model.hubert.feature_extractor.parameters())
