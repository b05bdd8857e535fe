import copy

import pytest
import torch
from torch import nn

from mgc_hf.models.build import plan_model
from mgc_hf.models.dropout import CpuDropout, draw_kept, use_cpu_dropout


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_so_many_values_are_dropped_and_neighbours_know_nothing_of_each_other(probability):
    torch.manual_seed(0)
    kept = draw_kept(torch.empty(4, 251, 253), probability)
    assert kept.dtype == torch.uint8
    drawn = kept == 0
    assert drawn.shape == (4, 251, 253)
    assert drawn.float().mean().item() == pytest.approx(probability, abs=0.003)
    for axis in range(3):
        one, other = drawn.narrow(axis, 0, drawn.shape[axis] - 1), drawn.narrow(axis, 1, drawn.shape[axis] - 1)
        assert (one & other).float().mean().item() == pytest.approx(probability**2, abs=0.003)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_left_is_scaled_and_gradients_go_the_same_way(dtype):
    module = CpuDropout(0.2)
    values = torch.rand(50, 31).add(0.5).to(dtype).requires_grad_()
    output = module(values)
    output.sum().backward()
    left = output != 0
    assert output.dtype == dtype
    assert 0.7 < left.float().mean() < 0.9
    torch.testing.assert_close(output[left], (values / 0.8)[left])
    torch.testing.assert_close(values.grad, left.to(dtype) / 0.8)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_edges_are_those_of_torch(probability):
    values = torch.rand(10)
    own, theirs = CpuDropout(probability), nn.Dropout(probability)
    assert torch.equal(own.eval()(values), values)
    if probability != 0.3:
        assert torch.equal(own.train()(values), theirs(values))


def test_a_seed_gives_the_same_draws():
    module, values = CpuDropout(0.5), torch.ones(100)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(module(values))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_every_dropout_of_a_model_and_of_its_copies():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1), nn.Sequential(nn.Dropout(0.2), nn.Dropout1d(0.3)))
    use_cpu_dropout(model)
    for one in (model, copy.deepcopy(model)):
        assert [type(module).__name__ for module in one.modules() if "Dropout" in type(module).__name__] == [
            "CpuDropout",
            "CpuDropout",
            "Dropout1d",
        ]


@pytest.mark.parametrize(("name", "expected"), [("facebook/hubert-base-ls960", True), ("mel_lstm", False)])
def test_the_lstm_keeps_its_draws(name, expected):
    size = {"from_scratch": True, "size": "tiny"} if expected else {}
    model, _ = plan_model(name, segment_seconds=1.0, **size).build(["blues", "jazz"])
    kinds = {type(module) for module in model.modules() if isinstance(module, nn.Dropout)}
    assert kinds == {CpuDropout if expected else nn.Dropout}
