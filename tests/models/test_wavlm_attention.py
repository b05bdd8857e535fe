"""WavLM with scaled-dot-product attention against transformers' own, over weights that are not near zero."""

import copy
import pickle

import pytest
import torch
from torch import nn
from transformers import HubertConfig, HubertModel, WavLMConfig, WavLMForSequenceClassification, WavLMModel
from transformers.models.wavlm import modeling_wavlm

from mgc_hf.errors import OptionError
from mgc_hf.models import wavlm_attention
from mgc_hf.models.wavlm_attention import SdpaWavLMAttention, use_sdpa

OWN_FORWARD = modeling_wavlm.WavLMAttention.forward
ENCODERS = pytest.mark.parametrize("stable", [False, True], ids=["group norm", "stable layer norm"])
MASKED = pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])


def tiny_config(stable: bool = False, **values) -> WavLMConfig:
    """Three layers of four heads; 20 samples a frame, and distances beyond `max_bucket_distance` in all tests."""
    return WavLMConfig(
        **{
            "hidden_size": 32,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "intermediate_size": 48,
            "conv_dim": (16, 16),
            "conv_kernel": (10, 3),
            "conv_stride": (5, 4),
            "num_conv_pos_embeddings": 8,
            "num_conv_pos_embedding_groups": 4,
            "num_buckets": 24,
            "max_bucket_distance": 30,
            "classifier_proj_size": 16,
            "num_labels": 3,
            "do_stable_layer_norm": stable,
            "feat_extract_norm": "layer" if stable else "group",
            "hidden_dropout": 0.0,
            "activation_dropout": 0.0,
            "attention_dropout": 0.0,
            "feat_proj_dropout": 0.0,
            "layerdrop": 0.0,
            "mask_time_prob": 0.0,
            **values,
        }
    )


def pair(config: WavLMConfig, seed: int = 0, model_class: type = WavLMForSequenceClassification) -> tuple:
    """Return an eager model whose every weight counts, and its copy with scaled-dot-product attention, for training."""
    torch.manual_seed(seed)
    eager = model_class(config).train()
    with torch.no_grad():
        for name, weight in eager.named_parameters():
            if name.endswith("norm.weight"):
                weight.uniform_(0.5, 1.5)
            elif "rel_attn_embed" in name or "gru_rel_pos" in name:
                weight.normal_()
            elif weight.dim() == 1:
                weight.normal_(std=0.5)
            else:
                weight.normal_(std=1.5 / weight[0].numel() ** 0.5)
    ours = copy.deepcopy(eager)
    assert use_sdpa(ours) == config.num_hidden_layers
    return eager, ours


def batch(frames: int, masked: bool, clips: int = 3) -> dict[str, torch.Tensor]:
    """Return clips of so many frames; where masked, all but the first end early, with odd lengths."""
    inputs = {"input_values": torch.randn(clips, 20 * frames + 10), "labels": torch.arange(clips) % 3}
    if masked:
        mask = torch.ones_like(inputs["input_values"], dtype=torch.long)
        for clip in range(1, clips):
            mask[clip, 20 * (frames * clip // (clips + 1)) + 31 :] = 0
        inputs["attention_mask"] = mask
    return inputs


def run(model: nn.Module, inputs: dict[str, torch.Tensor], **kwargs) -> tuple:
    """Return the outputs with all hidden states, and the gradients."""
    model.zero_grad()
    outputs = model(**inputs, output_hidden_states=True, **kwargs)
    (10 * outputs.loss).backward()
    return outputs, {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


def assert_equal_runs(theirs: tuple, mine: tuple, at_most: float = 1e-5) -> None:
    (their_outputs, their_gradients), (my_outputs, my_gradients) = theirs, mine
    assert len(their_outputs.hidden_states) == len(my_outputs.hidden_states) > 1
    for their, my in zip(their_outputs.hidden_states, my_outputs.hidden_states, strict=True):
        assert torch.isfinite(my).all()
        assert (their - my).abs().max() <= at_most
    assert (their_outputs.logits - my_outputs.logits).abs().max() <= at_most
    assert set(their_gradients) == set(my_gradients)
    assert any("gru_rel_pos_const" in name for name in my_gradients)
    largest = max(float(gradient.abs().max()) for gradient in their_gradients.values())
    assert largest > 0.01
    for name, gradient in their_gradients.items():
        assert (gradient - my_gradients[name]).abs().max() <= at_most * largest, name


@ENCODERS
@MASKED
@pytest.mark.parametrize(("seed", "frames"), [(0, 51), (1, 37), (2, 85)])
def test_equal_to_eager(stable, masked, seed, frames):
    eager, ours = pair(tiny_config(stable), seed)
    inputs = batch(frames, masked)
    assert_equal_runs(run(eager, inputs), run(ours, inputs))
    eager.eval(), ours.eval()
    assert_equal_runs(run(eager, inputs), run(ours, inputs))
    with torch.no_grad():  # the fused kernel
        theirs, mine = (model(**inputs, output_hidden_states=True) for model in (eager, ours))
    assert max((a - b).abs().max() for a, b in zip(theirs.hidden_states, mine.hidden_states, strict=True)) <= 1e-5


@pytest.mark.parametrize(
    "left_out",
    [
        "rel_attn_embed.weight",
        "gru_rel_pos_linear.weight",
        "gru_rel_pos_linear.bias",
        "gru_rel_pos_const",
        "q_proj.bias",
    ],
)
def test_these_weights_show_what_is_left_out(left_out):
    eager, ours = pair(tiny_config())
    with torch.no_grad():
        for name, weight in ours.named_parameters():
            if name.endswith(left_out):
                weight.fill_(1.0 if left_out == "gru_rel_pos_const" else 0.0)
    inputs = batch(51, masked=True)
    with torch.no_grad():
        theirs, mine = (model.wavlm(inputs["input_values"]).last_hidden_state for model in (eager, ours))
    assert (theirs - mine).abs().max() > 0.01


@ENCODERS
def test_other_models_and_single_layers(stable):
    eager, ours = pair(tiny_config(stable), model_class=WavLMModel)
    values = torch.randn(2, 830)
    assert (eager(values).last_hidden_state - ours(values).last_hidden_state).abs().max() <= 1e-5
    layer, own = eager.encoder.layers[0], copy.deepcopy(eager.encoder.layers[0])
    assert use_sdpa(own) == 1
    states = torch.randn(2, 33, 32)
    assert (layer(states)[0] - own(states)[0]).abs().max() <= 1e-5
    bias = own.attention.compute_bias(9, 14)
    assert torch.equal(bias, layer.attention.compute_bias(9, 14))
    assert bias.is_contiguous()


@pytest.mark.parametrize("asked", ["argument", "configuration"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_attentions_equal_eager(asked, checkpointing):
    eager, ours = pair(tiny_config())
    if asked == "configuration":
        eager.config.output_attentions = ours.config.output_attentions = True
    if checkpointing:
        ours.activation_checkpointing_enable()
    inputs = batch(51, masked=True)
    kwargs = {"output_attentions": True} if asked == "argument" else {}
    theirs, mine = run(eager, inputs, **kwargs), run(ours, inputs, **kwargs)
    assert_equal_runs(theirs, mine)
    assert len(mine[0].attentions) == 3
    for their, my in zip(theirs[0].attentions, mine[0].attentions, strict=True):
        assert my.shape == their.shape == (3, 4, 51, 51)
        assert (their - my).abs().max() <= 1e-6
    ours.config.output_attentions = False
    assert not ours(**inputs).attentions


def test_a_clip_of_padding_alone_stays_finite_and_alone():
    eager, ours = pair(tiny_config(), model_class=WavLMModel)
    mask = torch.ones(3, 41, dtype=torch.bool)
    mask[1] = False
    states = torch.randn(3, 41, 32)
    theirs, mine = (m.encoder(states.clone(), attention_mask=mask).last_hidden_state for m in (eager, ours))
    assert torch.isnan(theirs[1]).all()
    assert (theirs[[0, 2]] - mine[[0, 2]]).abs().max() <= 1e-5
    mine.square().sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in ours.encoder.parameters())
    with torch.no_grad():
        fused = ours.encoder(states.clone(), attention_mask=mask).last_hidden_state
    assert (fused - mine).abs().max() <= 1e-5


def test_dropout_is_that_of_the_configuration():
    """The mean over many draws is the output without dropout, the spread is that of transformers' own."""
    eager, ours = pair(tiny_config(attention_dropout=0.3), model_class=WavLMModel)
    own, their = ours.encoder.layers[0].attention, eager.encoder.layers[0].attention
    states = torch.randn(1, 35, 32).expand(400, -1, -1)
    theirs, mine = their(states)[0], own(states)[0]
    assert mine.requires_grad
    assert not torch.equal(mine[0], mine[1])
    without = own.eval()(states[:1])[0]
    spread = theirs.std(0).mean()
    assert (mine.mean(0) - without).abs().mean() < 0.1 * spread
    assert abs(mine.std(0).mean() / spread - 1) < 0.03
    with torch.no_grad():
        assert abs(own.train()(states)[0].std(0).mean() / spread - 1) < 0.03


@MASKED
def test_gradients_under_dropout_are_those_of_the_forward_pass(masked):
    """Of the input, of every weight and of the position bias, whose gradient is a sum over clips."""
    _, ours = pair(tiny_config(attention_dropout=0.3), model_class=WavLMModel)
    attention = ours.encoder.layers[0].attention.double()
    states = torch.randn(2, 5, 32, dtype=torch.double)
    mask = torch.ones(2, 5, dtype=torch.long)
    mask[1, 3:] = 0
    bias = attention.compute_bias(5, 5).unsqueeze(0).detach()
    gate = attention.gru_rel_pos_const.detach()

    def attend(states, bias, gate):
        torch.manual_seed(3)
        attention.gru_rel_pos_const = None
        del attention.gru_rel_pos_const
        attention.gru_rel_pos_const = gate
        return attention(states, attention_mask=mask if masked else None, position_bias=bias)[0].sum(-1)

    del attention.gru_rel_pos_const
    inputs = [value.clone().requires_grad_() for value in (states, bias, gate)]
    assert torch.autograd.gradcheck(attend, inputs)


@MASKED
def test_gradients_under_bfloat16_autocast_are_close(masked):
    eager, ours = pair(tiny_config())
    inputs = batch(51, masked)
    _, exact = run(eager, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        _, theirs = run(eager, inputs)
        _, mine = run(ours, inputs)

    # those that are nothing but rounding, as that of the keys' bias, have no relative error
    largest = max(float(gradient.norm()) for gradient in exact.values())
    counted = [name for name in exact if exact[name].norm() > 1e-5 * largest]

    def error(gradients):
        return {name: float((gradients[name] - exact[name]).norm() / exact[name].norm()) for name in counted}

    own, others = error(mine), error(theirs)
    assert set(mine) == set(exact)
    assert len(counted) > 40
    assert any("gru_rel_pos_const" in name for name in counted)
    assert any("rel_attn_embed" in name for name in counted)
    assert sum(own.values()) <= 1.5 * sum(others.values())
    assert max(own.values()) < 0.2, own


@MASKED
@pytest.mark.parametrize("grad", [False, True])
def test_bfloat16_autocast_is_close(masked, grad):
    eager, ours = pair(tiny_config(), model_class=WavLMModel)
    inputs = batch(51, masked)
    inputs.pop("labels")
    exact = eager(**inputs).last_hidden_state
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(grad):
        theirs, mine = (model(**inputs).last_hidden_state.float() for model in (eager, ours))
    assert torch.isfinite(mine).all()
    assert (mine - exact).abs().mean() <= 1.5 * (theirs - exact).abs().mean()


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_gradient_checkpointing_changes_nothing(dropout):
    """Without re-entrance, transformers' default: with it WavLM's own layers call each other's backward for ever."""
    _, ours = pair(tiny_config(attention_dropout=dropout))
    inputs = batch(51, masked=True)
    torch.manual_seed(1)
    plain = run(ours, inputs)
    ours.activation_checkpointing_enable()
    torch.manual_seed(1)
    assert_equal_runs(plain, run(ours, inputs), 1e-6)


def test_importing_and_use_leave_transformers_alone():
    eager, _ = pair(tiny_config())
    assert modeling_wavlm.WavLMAttention.forward is OWN_FORWARD
    assert all(type(layer.attention) is modeling_wavlm.WavLMAttention for layer in eager.wavlm.encoder.layers)


def test_a_second_call_changes_nothing():
    _, ours = pair(tiny_config())
    before = {name: weight.clone() for name, weight in ours.state_dict().items()}
    assert use_sdpa(ours) == 3
    assert all(type(layer.attention) is SdpaWavLMAttention for layer in ours.wavlm.encoder.layers)
    assert all(torch.equal(weight, before[name]) for name, weight in ours.state_dict().items())


def test_copies_keep_it_and_are_independent():
    _, ours = pair(tiny_config())
    inputs = batch(33, masked=False)
    expected = ours.eval()(**inputs).logits
    copied = copy.deepcopy(ours)
    assert type(copied.wavlm.encoder.layers[2].attention) is SdpaWavLMAttention
    assert torch.equal(copied(**inputs).logits, expected)
    copied.config.output_attentions = True
    assert len(copied(**inputs).attentions) == 3
    nn.init.zeros_(copied.wavlm.encoder.layers[0].attention.out_proj.weight)
    assert torch.equal(ours(**inputs).logits, expected)


def test_pickles_keep_it():
    """Layers, since no WavLM can be pickled as a whole: torch refuses its weight norm."""
    _, ours = pair(tiny_config())
    states = torch.randn(2, 33, 32)
    layer = ours.wavlm.encoder.layers[0]
    loaded = pickle.loads(pickle.dumps(layer))
    assert type(loaded.attention) is SdpaWavLMAttention
    assert torch.equal(loaded(states)[0], layer(states)[0])


def test_saved_and_loaded_as_any_wavlm(tmp_path):
    eager, ours = pair(tiny_config())
    eager.save_pretrained(tmp_path / "eager")
    ours.save_pretrained(tmp_path / "ours")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "eager" / name).read_bytes()
    loaded = WavLMForSequenceClassification.from_pretrained(tmp_path / "ours")
    assert type(loaded.wavlm.encoder.layers[0].attention) is modeling_wavlm.WavLMAttention
    inputs = batch(33, masked=True)
    assert (loaded(**inputs).logits - ours.eval()(**inputs).logits).abs().max() <= 1e-5


def test_lora_on_the_projections_counts():
    peft = pytest.importorskip("peft")
    _, ours = pair(tiny_config())
    model = peft.get_peft_model(
        ours, peft.LoraConfig(target_modules=["q_proj", "v_proj", "out_proj"], init_lora_weights=False)
    )
    assert use_sdpa(model) == 3
    inputs = batch(33, masked=True)
    model(**inputs).loss.backward()
    adapted = {name: weight.grad for name, weight in model.named_parameters() if "lora_" in name}
    assert len(adapted) == 18
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in adapted.values())
    logits = model.eval()(**inputs).logits
    assert (logits - model(**inputs, output_attentions=True).logits).abs().max() <= 1e-5
    merged = model.merge_and_unload()
    assert (merged(**inputs).logits - logits).abs().max() <= 1e-4
    with_eager = copy.deepcopy(merged)
    for layer in with_eager.wavlm.encoder.layers:
        layer.attention.__class__ = modeling_wavlm.WavLMAttention
    assert (with_eager(**inputs).logits - logits).abs().max() <= 1e-4


def test_frozen_lower_layers():
    """The bias of frozen layers needs no gradient: they take the fused kernel on a CPU."""
    eager, ours = pair(tiny_config())
    for model in (eager, ours):
        model.freeze_base_model()
        model.freeze_feature_encoder()  # else it asks for gradients of its input, and so of all above
        model.wavlm.encoder.layers[2].requires_grad_(True)
    calls = []
    fused = wavlm_attention.scaled_dot_product_attention

    def counted(*args, **kwargs):
        calls.append(args)
        return fused(*args, **kwargs)

    inputs = batch(51, masked=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wavlm_attention, "scaled_dot_product_attention", counted)
        mine = run(ours, inputs)
    assert len(calls) == 2 * 4  # layers, heads
    assert_equal_runs(run(eager, inputs), mine)


def test_a_model_without_wavlm_attention_is_refused():
    config = HubertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    with pytest.raises(OptionError, match="HubertModel has no WavLM attention"):
        use_sdpa(HubertModel(config))
