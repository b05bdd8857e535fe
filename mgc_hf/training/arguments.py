"""What the Trainer is told: the user's options, less what would break the loop's promises, plus what the loop decides."""

import copy
from typing import Any

from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from mgc_hf.errors import OptionError
from mgc_hf.options import METRICS_FOR_BEST

#: Options of the Trainer that must keep a value here, and why.
_FIXED: dict[str, tuple[Any, str]] = {
    "auto_find_batch_size": (False, "a run begun again half-way is not the run of its seed"),
    "dataloader_drop_last": (False, "it would drop rows from the evaluation too"),
    "prediction_loss_only": (False, "accuracy needs the logits"),
    "batch_eval_metrics": (False, "metrics are computed over whole tracks"),
    "eval_do_concat_batches": (True, "metrics are computed over whole tracks"),
    "fp16_full_eval": (False, "it would turn the weights themselves into half precision"),
    "bf16_full_eval": (False, "it would turn the weights themselves into half precision"),
    "save_only_model": (False, "such a checkpoint cannot be resumed from"),
    "save_on_each_node": (False, "one process writes, the others are sent what they need"),
    "ignore_data_skip": (False, "a resumed epoch would see other batches"),
    "eval_on_start": (False, "validation is once an epoch"),
    "deepspeed": (None, "weights must be whole in every process; use plain data parallelism"),
    "fsdp": (None, "weights must be whole in every process; use plain data parallelism"),
}

_SAMPLING = ("random", "sequential")


def trainer_arguments(options: Any, has_validation: bool) -> Any:
    """Return a copy of the options as the Trainer shall see them.

    Checkpoints are named, rotated and chosen from by `checkpointing.py`, so the Trainer's own rotation and its loading of
    the best one are off; so is everything that costs time in each step without being used.

    Args:
        options ([`~mgc_hf.options.TrainOptions`]): The user's options.
        has_validation (`bool`): Whether there is a validation part.

    Raises:
        OptionError: Options that the loop cannot honour, all of them in one message.
    """
    wrong = [
        f"--{name} is {getattr(options, name)!r}; it must be left at {value!r}: {why}"
        for name, (value, why) in _FIXED.items()
        if (getattr(options, name, value) or None) != (value or None)
    ]
    sampling = str(getattr(options.train_sampling_strategy, "value", options.train_sampling_strategy))
    if sampling not in _SAMPLING:
        wrong.append(
            f"--train_sampling_strategy is {sampling!r}; it must be one of {', '.join(_SAMPLING)}: grouping by length "
            "also reorders the evaluation, and logits would be paired with the wrong tracks"
        )
    if (options.activation_checkpointing_kwargs or {}).get("use_reentrant"):
        wrong.append(
            "--activation_checkpointing_kwargs asks for use_reentrant; leave it out: WavLM's layers would call each "
            "other's backward pass for ever, and several processes would stop at weights without a gradient"
        )
    if has_validation and options.metric_for_best_model not in METRICS_FOR_BEST:
        wrong.append(
            f"--metric_for_best_model is {options.metric_for_best_model!r}; it must be one of "
            f"{', '.join(METRICS_FOR_BEST)}"
        )
    if wrong:
        raise OptionError("; ".join(wrong))

    args = copy.copy(options)
    args.push_to_hub = False  # the finished folder is published (hub/), not the Trainer's checkpoints and pickles
    args.remove_unused_columns = False
    args.label_names = ["labels"]
    args.logging_nan_inf_filter = False
    args.load_best_model_at_end = False
    args.save_total_limit = None
    args.enable_jit_checkpoint = False
    if args.ddp_find_unused_parameters is None:
        # Layers left out (layerdrop) and weights that a configuration never uses have no gradient. The Trainer does
        # not look for them under activation checkpointing, which is right for the re-entrant kind only.
        args.ddp_find_unused_parameters = True
    args.data_seed = args.seed if args.data_seed is None else args.data_seed
    if "trackio" in args.report_to and args.hub_private_repo is None:
        args.hub_private_repo = True  # a Space that trackio makes is public unless told otherwise
    if has_validation:
        args.eval_strategy = IntervalStrategy.EPOCH if args.eval_strategy == "no" else args.eval_strategy
        args.greater_is_better = METRICS_FOR_BEST[args.metric_for_best_model]
    else:
        args.eval_strategy = IntervalStrategy.NO
        args.save_strategy = SaveStrategy.EPOCH if args.save_strategy == "best" else args.save_strategy
        args.metric_for_best_model = args.greater_is_better = None
    return args
