"""Watches for losses and weights that are not finite, at no cost that a device would notice."""

from collections.abc import Callable

import torch

from mgc_hf.errors import NonFiniteLossError

#: Steps between two looks at what lives on a GPU: a look makes the host wait. On a CPU every step is looked at.
LOOK_EVERY = 16


class FiniteWatch:
    """Remembers the first step whose loss was NaN or infinite, and stops the run for it.

    Args:
        device (`torch.device`): Where the losses live.
        learning_rate (`float`): For the message.
        gather (`Callable`, *optional*): Gathers a tensor of shape `(1,)` from all processes, so that they stop together.
        look_every (`int`, *optional*): Steps between two looks; 1 on a CPU and `LOOK_EVERY` elsewhere by default.
    """

    def __init__(
        self,
        device: torch.device,
        learning_rate: float,
        gather: Callable[[torch.Tensor], torch.Tensor] | None = None,
        look_every: int | None = None,
    ):
        self._bad_step = torch.tensor(-1, device=device)
        self._learning_rate = learning_rate
        self._gather = gather or (lambda step: step)
        self.look_every = look_every or (1 if device.type == "cpu" else LOOK_EVERY)

    def add(self, loss: torch.Tensor, step: int) -> None:
        """Take in the loss of a step.

        Raises:
            NonFiniteLossError: It, or that of a step since the last look, is not finite, here or in another process.
        """
        is_first = (self._bad_step < 0) & ~torch.isfinite(loss)
        self._bad_step = torch.where(is_first, step, self._bad_step)
        if step % self.look_every == 0:
            self._look()

    def check(self, model: torch.nn.Module, step: int) -> None:
        """Look at every loss so far, in all processes, and at every weight; before anything is validated or saved.

        Args:
            model (`torch.nn.Module`): The model.
            step (`int`): Optimiser steps done.

        Raises:
            NonFiniteLossError: The text names the step.
        """
        self._look()
        wrong = [name for name, weight in model.named_parameters() if not torch.isfinite(weight).all()]
        if self._gather(torch.tensor([len(wrong)], device=self._bad_step.device)).max() > 0:
            which = f"the weight {wrong[0]}" if wrong else "a weight in another process"
            self.refuse(f"after step {step} {which} is not finite")

    def _look(self) -> None:
        steps = self._gather(self._bad_step.reshape(1))
        steps = steps[steps >= 0]
        if len(steps):  # the first: a loss that is not finite makes those of all processes so in the next step
            self.refuse(f"the loss of step {int(steps.min())} is not finite")

    def refuse(self, what: str) -> None:
        """Stop the run; for what every process has been told.

        Raises:
            NonFiniteLossError: Always.
        """
        error = NonFiniteLossError(
            f"training stopped: {what} (the peak learning rate is {self._learning_rate:g}). Nothing after that was "
            "kept; lower --learning_rate or --max_grad_norm"
        )
        error.everywhere = True
        raise error
