"""What is the head of an audio classifier, and what lies below it."""

from typing import Any

#: Top-level submodules and parameters of transformers' audio classifiers that turn hidden states into scores.
HEAD = ("projector", "classifier", "layer_weights")

#: Weights below the head that say nothing of what a model has learnt: SpecAugment writes them over masked frames.
NOT_LEARNT = "masked_spec_embed"


def is_head(name: str) -> bool:
    """Whether a parameter, by its full name, belongs to the head."""
    return name.split(".", 1)[0] in HEAD


def head_parameters(model: Any) -> set[str]:
    """Return the names of the parameters of a model's head, as `named_parameters` spells them."""
    return {name for name, _ in model.named_parameters() if is_head(name)}


def learnt_below_head(model: Any, names: set[str]) -> list[str]:
    """Return which of these weights a checkpoint must hold: those of no head, no buffers, no mask embedding."""
    buffers = {name for name, _ in model.named_buffers()}
    return sorted(
        name for name in names if not is_head(name) and name not in buffers and name.rsplit(".", 1)[-1] != NOT_LEARNT
    )
