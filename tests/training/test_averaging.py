import torch

from mgc_hf.training.averaging import AVERAGED_WEIGHTS, WeightAverage


def stepped(model, average, steps, seed=0):
    """Give the model random weights `steps` times, averaging each, and return them."""
    generator = torch.Generator().manual_seed(seed)
    seen = []
    for _ in range(steps):
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.copy_(torch.randn(weight.shape, generator=generator))
        average.update()
        seen.append(model.weight.detach().clone())
    return seen


def test_the_average_is_the_weighted_mean_without_bias():
    model = torch.nn.Linear(3, 2)
    average = WeightAverage(model, 0.9)
    seen = stepped(model, average, 7)
    shares = [0.9 ** (6 - index) for index in range(7)]
    expected = sum(share * weight for share, weight in zip(shares, seen, strict=True)) / sum(shares)
    torch.testing.assert_close(average.state_dict()["weight"], expected)


def test_applied_lends_the_average_and_gives_the_weights_back():
    model = torch.nn.Linear(3, 2)
    average = WeightAverage(model, 0.9)
    with average.applied():  # before any update: the model as it is
        assert average.updates == 0
    own = stepped(model, average, 3)[-1]
    try:
        with average.applied():
            assert torch.equal(model.weight, average.state_dict()["weight"])
            assert not torch.equal(model.weight, own)
            raise KeyError
    except KeyError:
        pass
    assert torch.equal(model.weight, own)
    average.copy_to_model()
    assert torch.equal(model.weight, average.state_dict()["weight"])


def test_saved_and_loaded_it_goes_on_bit_for_bit(tmp_path):
    model, twin = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    average, resumed = WeightAverage(model, 0.98), WeightAverage(twin, 0.98)
    stepped(model, average, 5)
    average.save(tmp_path)
    assert (tmp_path / AVERAGED_WEIGHTS).is_file()
    resumed.load(tmp_path)
    assert resumed.updates == 5
    stepped(model, average, 4, seed=1)
    stepped(twin, resumed, 4, seed=1)
    for name, value in average.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


def test_frozen_weights_are_not_copied():
    model = torch.nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    average = WeightAverage(model, 0.9)
    average.update()
    assert set(average.state_dict()) == {"weight"}
