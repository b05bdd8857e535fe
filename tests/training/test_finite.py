import math

import pytest
import torch

from mgc_hf.errors import NonFiniteLossError
from mgc_hf.training.finite import FiniteWatch

CPU = torch.device("cpu")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_step_is_named_at_once(value):
    watch = FiniteWatch(CPU, learning_rate=0.5)
    for step in range(1, 5):
        watch.add(torch.tensor(2.0), step)
    with pytest.raises(NonFiniteLossError, match=r"the loss of step 5 is not finite .*0\.5"):
        watch.add(torch.tensor(value), 5)


def test_a_late_look_names_the_first_bad_step():
    watch = FiniteWatch(CPU, learning_rate=0.5, look_every=4)
    for step, value in enumerate([1.0, math.nan, math.inf], start=1):
        watch.add(torch.tensor(value), step)
    with pytest.raises(NonFiniteLossError, match="step 2 "):
        watch.add(torch.tensor(1.0), 4)


def test_check_sees_losses_that_were_not_looked_at_and_weights():
    model = torch.nn.Linear(2, 2)
    watch = FiniteWatch(CPU, learning_rate=0.5, look_every=100)
    watch.add(torch.tensor(1.0), 1)
    watch.check(model, 1)
    watch.add(torch.tensor(math.nan), 2)
    with pytest.raises(NonFiniteLossError, match="step 2 "):
        watch.check(model, 2)
    watch = FiniteWatch(CPU, learning_rate=0.5)
    with torch.no_grad():
        model.bias[1] = math.inf
    with pytest.raises(NonFiniteLossError, match="after step 3 the weight bias is not finite"):
        watch.check(model, 3)


def test_the_first_of_all_processes_is_named():
    watch = FiniteWatch(CPU, 0.5, gather=lambda step: torch.cat([step, torch.tensor([3, -1])]), look_every=8)
    for step in range(1, 8):
        watch.add(torch.tensor(math.nan if step >= 4 else 1.0), step)
    with pytest.raises(NonFiniteLossError, match="step 3 "):
        watch.add(torch.tensor(1.0), 8)


def test_a_weight_in_another_process_stops_this_one_too():
    gathered = iter([torch.tensor([-1, -1]), torch.tensor([0, 2])])
    watch = FiniteWatch(CPU, 0.5, gather=lambda _: next(gathered))
    with pytest.raises(NonFiniteLossError, match="after step 3 a weight in another process") as caught:
        watch.check(torch.nn.Linear(2, 2), 3)
    assert caught.value.everywhere


def test_what_another_process_sees_stops_this_one_too():
    watch = FiniteWatch(CPU, learning_rate=0.5, gather=lambda step: torch.cat([step, torch.tensor([2])]))
    with pytest.raises(NonFiniteLossError, match="step 2 "):
        watch.add(torch.tensor(1.0), 2)
