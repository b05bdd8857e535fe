"""Dropout that is quick on a CPU, where torch draws a number in double precision for each value, on one thread."""

from typing import Any

import torch
from torch import nn


def dropped(values: torch.Tensor, probability: float) -> torch.Tensor:
    """Draw which values are dropped, by 16 bits of torch's global generator for each.

    Args:
        values (`torch.Tensor`): On the CPU, of any shape.
        probability (`float`): Of being dropped, exact to 1 / 65,536.

    Returns:
        `torch.Tensor` of `bool`: In the shape of `values`.
    """
    count = values.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    return bits[:count].view(values.shape) < round(probability * 2**16) - 2**15


class CpuDropout(nn.Dropout):
    """`nn.Dropout` with draws of its own on a CPU; elsewhere, and in evaluation, the very same."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Drop values in training and scale the others, as `nn.Dropout`."""
        if not self.training or self.p == 0 or self.p == 1 or input.device.type != "cpu":
            return super().forward(input)
        return input.masked_fill(dropped(input, self.p), 0.0) / (1 - self.p)


def use_cpu_dropout(model: Any) -> None:
    """Make every `nn.Dropout` of a model a [`CpuDropout`], in place: what is saved of it stays as it was."""
    for module in model.modules():
        if type(module) is nn.Dropout:
            module.__class__ = CpuDropout  # a class, not a bound method: copies keep it
