"""What the packages of our own models share: classes that are loaded when they are used and take their code along."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from mgc_hf.models import OWN_MODELS


def lazy_classes(
    package: str, modules: Mapping[str, str], auto_classes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a model's package.

    Each class that has an Auto class is registered for it as soon as it is loaded, and the configuration with any of
    them, since it is saved with them: so every folder loads where mgc_hf is not installed.

    Args:
        package (`str`): Its `__name__`.
        modules (`Mapping[str, str]`): Class -> module of the package that has it.
        auto_classes (`Mapping[str, str]`): Auto class -> class that a saved folder's `auto_map` names for it.
    """
    auto_of = {name: auto for auto, name in auto_classes.items()}

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        if name in auto_of:
            value.register_for_auto_class(auto_of[name])
            if auto_of[name] != "AutoConfig":
                get(auto_classes["AutoConfig"])
        vars(sys.modules[package])[name] = value
        return value

    return get, lambda: sorted({*vars(sys.modules[package]), *modules})


def own_class(model_type: str, auto_class: str) -> Any:
    """Return the class of a model of ours that an Auto class gives, `None` where it has none.

    Args:
        model_type (`str`): One of `OWN_MODELS`.
        auto_class (`str`): `"AutoConfig"`, `"AutoFeatureExtractor"`, `"AutoModel"` or
            `"AutoModelForAudioClassification"`.
    """
    package = _package(model_type)
    return getattr(package, package.AUTO_CLASSES[auto_class]) if auto_class in package.AUTO_CLASSES else None


def input_size_name(model_type: str) -> str:
    """Return the configuration's name for what its feature extractor calls `feature_size`."""
    return str(_package(model_type).INPUT_SIZE)


def _package(model_type: str) -> Any:
    if model_type not in OWN_MODELS:
        raise ValueError(f"{model_type} is not one of {', '.join(OWN_MODELS)}")
    return importlib.import_module(f"mgc_hf.models.{model_type}")
