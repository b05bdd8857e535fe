"""What is the head of an audio classifier, and what lies below it."""

from typing import Any

#: Top-level submodules and parameters of transformers' audio classifiers that turn hidden states into scores.
HEAD = ("projector", "classifier", "layer_weights")


def is_head(name: str) -> bool:
    """Whether a parameter, by its full name, belongs to the head."""
    return name.split(".", 1)[0] in HEAD


def head_parameters(model: Any) -> set[str]:
    """Return the names of the parameters of a model's head, as `named_parameters` spells them."""
    return {name for name, _ in model.named_parameters() if is_head(name)}
