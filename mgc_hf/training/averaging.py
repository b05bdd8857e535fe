"""An exponential moving average of the weights, kept beside the model and part of every checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.optim.swa_utils import get_ema_multi_avg_fn

#: File of a checkpoint that holds the averaged weights.
AVERAGED_WEIGHTS = "averaged.safetensors"


class WeightAverage:
    """Moving average of a model's trainable weights, without a pull towards the first ones.

    After `t` updates the average is `sum(decay^(t-i) w_i) / sum(decay^(t-i))` over the weights `w_1 .. w_t`: the bias
    correction of Adam's moments (Kingma and Ba, 2015, section 3) applied to the weights themselves. Frozen weights
    and buffers are not copied; they are the model's own.

    Args:
        model (`torch.nn.Module`): The model whose weights are averaged; which ones train must not change later.
        decay (`float`): Decay per optimiser step, above 0 and below 1.
    """

    def __init__(self, model: torch.nn.Module, decay: float):
        self.decay = decay
        self.updates = 0
        self._weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._averages: dict[str, torch.Tensor] = {}

    def update(self) -> None:
        """Take the model's present weights into the average; called after every optimiser step."""
        self.updates += 1
        if self.updates == 1:
            self._averages = {name: weight.detach().clone() for name, weight in self._weights.items()}
            return
        share = (1 - self.decay) / (1 - self.decay**self.updates)
        blend = get_ema_multi_avg_fn(1 - share)
        blend(list(self._averages.values()), [weight.detach() for weight in self._weights.values()], None)

    @torch.no_grad()
    def copy_to_model(self) -> None:
        """Overwrite the model's weights with the averaged ones."""
        for name, average in self._averages.items():
            self._weights[name].copy_(average)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model hold the averaged weights for the time of a `with` block."""
        if not self.updates:
            yield
            return
        kept = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self.copy_to_model()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in self._weights.items():
                    weight.copy_(kept[name])

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the averaged weights by name, on the CPU."""
        return {name: average.to("cpu", copy=True).contiguous() for name, average in self._averages.items()}

    def load_state_dict(self, averages: dict[str, torch.Tensor], updates: int) -> None:
        """Take averaged weights back, with the number of updates that made them."""
        self.updates = updates
        self._averages = {
            name: averages[name].to(device=weight.device, dtype=weight.dtype, copy=True)
            for name, weight in self._weights.items()
            if name in averages
        }

    def save(self, folder: str | Path) -> None:
        """Write the average into a checkpoint folder."""
        save_file(self.state_dict(), Path(folder) / AVERAGED_WEIGHTS, metadata={"updates": str(self.updates)})

    def load(self, folder: str | Path) -> None:
        """Read what `save` wrote."""
        with safe_open(Path(folder) / AVERAGED_WEIGHTS, framework="pt") as file:
            averages = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            self.load_state_dict(averages, int(file.metadata()["updates"]))
