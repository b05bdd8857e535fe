"""The options of every recipe and the one way to read them."""

from mgc_hf.options.groups import AugmentOptions, DataOptions, EvalOptions, ModelOptions
from mgc_hf.options.parser import Options, build_parser, parse_options
from mgc_hf.options.speech import SPEECH_DEFAULTS
from mgc_hf.options.training import METRICS_FOR_BEST, TrainOptions

__all__ = [
    "METRICS_FOR_BEST",
    "SPEECH_DEFAULTS",
    "AugmentOptions",
    "DataOptions",
    "EvalOptions",
    "ModelOptions",
    "Options",
    "TrainOptions",
    "build_parser",
    "parse_options",
]
