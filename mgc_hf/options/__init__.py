"""The options of every recipe and the one way to read them."""

from mgc_hf.options.groups import (
    METRICS_FOR_BEST,
    AugmentOptions,
    DataOptions,
    EvalOptions,
    ModelOptions,
    TrainOptions,
)
from mgc_hf.options.parser import Options, build_parser, parse_options

__all__ = [
    "METRICS_FOR_BEST",
    "AugmentOptions",
    "DataOptions",
    "EvalOptions",
    "ModelOptions",
    "Options",
    "TrainOptions",
    "build_parser",
    "parse_options",
]
