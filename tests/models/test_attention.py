import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoModelForAudioClassification, HubertConfig, set_seed

from mgc_hf.models import cpu_attention
from mgc_hf.models.attention import ATTENTION, attention_forward

MODULE = torch.nn.Module()
MODULE.is_causal = False


def projections(dtype=torch.float32, frames=50):
    torch.manual_seed(0)
    return [torch.randn(2, 6, frames, 8).to(dtype).requires_grad_() for _ in range(3)]


def padding(kind):
    """The second clip has 20 frames of padding; as torch's boolean mask, or as numbers that are added."""
    seen = torch.ones(2, 1, 50, 50, dtype=torch.bool)
    seen[1, :, :, 30:] = False
    if kind == "added":
        return torch.zeros(2, 1, 50, 50).masked_fill(~seen, torch.finfo(torch.float32).min)
    return {"none": None, "boolean": seen}[kind]


@pytest.mark.parametrize("mask", ["none", "boolean", "added"])
def test_with_no_weight_dropped_it_is_torchs_own(monkeypatch, mask):
    """Weights that stay are divided by the probability of staying, as dropout does."""
    monkeypatch.setattr(cpu_attention, "draw_kept", lambda scores, _: torch.ones_like(scores, dtype=torch.uint8))
    ours, theirs = projections(), projections()
    output, weights = attention_forward(MODULE, *ours, padding(mask), dropout=0.2)
    expected = scaled_dot_product_attention(*theirs, attn_mask=padding(mask)).transpose(1, 2) / 0.8
    assert weights is None
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    direction = torch.randn(output.shape)
    output.backward(direction)
    expected.backward(direction)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-5)


def test_a_clip_of_padding_alone_stays_finite():
    nothing = torch.zeros(2, 1, 50, 50, dtype=torch.bool)
    assert torch.isfinite(attention_forward(MODULE, *projections(), nothing, dropout=0.2)[0]).all()


def test_a_position_bias_is_not_left_out(monkeypatch):
    """As the conformer has: transformers' own function does it."""
    monkeypatch.setattr(cpu_attention, "draw_kept", None)
    bias = torch.randn(2, 6, 50, 50, requires_grad=True)
    output, _ = attention_forward(MODULE, *projections(), None, dropout=0.2, position_bias=bias)
    output.sum().backward()
    assert bias.grad.abs().max() > 0


def test_without_dropout_transformers_function_does_it(monkeypatch):
    monkeypatch.setattr(cpu_attention, "draw_kept", None)
    output, _ = attention_forward(MODULE, *projections(), None)
    assert torch.equal(output, scaled_dot_product_attention(*projections()).transpose(1, 2))


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_the_mean_stays(probability):
    query, key, _ = projections()
    ones = torch.ones(2, 6, 50, 8)
    means = [attention_forward(MODULE, query, key, ones, None, dropout=probability)[0].mean() for _ in range(20)]
    assert torch.stack(means).mean().item() == pytest.approx(1.0, abs=0.02)


def test_bfloat16_stays_bfloat16():
    output, _ = attention_forward(MODULE, *projections(torch.bfloat16), padding("boolean"), dropout=0.1)
    assert output.dtype == torch.bfloat16


def test_gradients_in_bfloat16_are_close(monkeypatch):
    monkeypatch.setattr(cpu_attention, "draw_kept", lambda scores, _: torch.ones_like(scores, dtype=torch.uint8))
    exact, rounded = projections(), projections(torch.bfloat16)
    for parts in (exact, rounded):
        output, _ = attention_forward(MODULE, *parts, padding("boolean"), dropout=0.1)
        torch.manual_seed(1)
        output.float().mul(torch.randn(output.shape)).sum().backward()
    for one, other in zip(exact, rounded, strict=True):
        assert other.grad.dtype == torch.bfloat16
        assert (one.grad - other.grad.float()).norm() < 0.02 * one.grad.norm()


def test_gradients_with_mask_and_dropout_are_those_of_the_forward_pass():
    torch.manual_seed(0)
    parts = [torch.randn(2, 3, 5, 4, dtype=torch.double, requires_grad=True) for _ in range(3)]
    seen = torch.ones(2, 1, 1, 5, dtype=torch.bool)
    seen[1, ..., 3:] = False

    def attend(*parts):
        torch.manual_seed(3)
        return attention_forward(MODULE, *parts, seen, dropout=0.3)[0]

    assert torch.autograd.gradcheck(attend, parts)


def test_a_model_takes_it_by_name():
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "num_hidden_layers": 2}
    convolutions = {"conv_dim": (8,), "conv_stride": (80,), "conv_kernel": (80,), "num_conv_pos_embedding_groups": 2}
    config = HubertConfig(**sizes, **convolutions, layerdrop=0.0, attention_dropout=0.3, apply_spec_augment=False)
    for name in ("hidden_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout"):
        setattr(config, name, 0.0)
    models = []
    for name in (ATTENTION, "sdpa"):
        set_seed(0)
        models.append(AutoModelForAudioClassification.from_config(config, attn_implementation=name))
    ours, theirs = models
    samples = torch.randn(2, 4000)
    assert torch.equal(ours.eval()(samples).logits, theirs.eval()(samples).logits)
    ours.train()
    torch.manual_seed(1)
    first = ours(samples).logits
    assert not torch.equal(ours(samples).logits, first)
    torch.manual_seed(1)
    assert torch.equal(ours(samples).logits, first)
    assert "mgc_hf" not in ours.config.to_json_string()
