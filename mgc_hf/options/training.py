"""The options of training: those of `transformers.TrainingArguments`, with our defaults and a few more."""

import logging
import math
from dataclasses import dataclass

from transformers import TrainingArguments

from mgc_hf.distributed import join
from mgc_hf.errors import OptionError
from mgc_hf.options.declaring import Checked, option
from mgc_hf.options.precision import choose_precision

logger = logging.getLogger(__name__)

#: Options of the Trainer that `--help` shows; the others are accepted and listed by `--help_all`.
SHOWN_TRAINER_OPTIONS = [
    "output_dir",
    "seed",
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
    "gradient_checkpointing",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "max_grad_norm",
    "label_smoothing_factor",
    "bf16",
    "fp16",
    "use_cpu",
    "save_strategy",
    "save_steps",
    "save_total_limit",
    "metric_for_best_model",
    "report_to",
    "dataloader_num_workers",
    "ddp_timeout",
    "disable_tqdm",
]


@dataclass
class TrainOptions(TrainingArguments, Checked):
    """`transformers.TrainingArguments` with our defaults and a few options more.

    The defaults that differ are those of the LSTM and those that the loop needs (`training/trainer.py`).
    """

    _argument_group_name = "training (transformers.TrainingArguments)"

    output_dir: str | None = option(None, "Folder for the model, its card and its checkpoints")
    seed: int = option(0, "Seed of split, initial weights and training")
    num_train_epochs: float = option(40.0, "Epochs, at most")
    per_device_train_batch_size: int = option(32, "Training batch size per device")
    per_device_eval_batch_size: int = option(64, "Evaluation batch size per device")
    learning_rate: float = option(2e-3, "Peak learning rate")
    lr_scheduler_type: str = option("cosine", "Learning rate schedule")
    warmup_steps: float = option(0.1, "Warm-up: steps, or below 1 the fraction of all steps")
    head_learning_rate: float | None = option(
        None, "Peak learning rate of the classification head; --learning_rate by default"
    )
    bf16: bool | None = option(  # type: ignore[assignment]  # empty: by the device
        False, "bfloat16 autocast, weights stay float32; recipes that leave it open use it where the device has it"
    )
    ddp_timeout: int = option(1800, "Seconds that a process waits for the others before it gives them up")
    weight_decay: float = option(0.1, "Weight decay of AdamW")
    label_smoothing_factor: float = option(0.1, "Label smoothing")
    metric_for_best_model: str | None = option(
        "segment_accuracy",
        "What chooses the best epoch on validation: segment_accuracy, track_accuracy or loss",
    )
    save_strategy: str = option("epoch", "When to write a checkpoint: epoch, steps (--save_steps) or no")
    save_total_limit: int | None = option(2, "Checkpoints kept (the best one is always kept)")
    eval_strategy: str = option("epoch", "Validation once an epoch")
    logging_strategy: str = option("epoch", "Logging once an epoch")
    report_to: str | None = option("none", "Where curves go: none, tensorboard or trackio (private by default)")
    remove_unused_columns: bool = option(False, "Must stay off: the data set gives whole batches")
    logging_nan_inf_filter: bool = option(False, "Must stay off: a non-finite loss stops the run")
    restore_callback_states_from_checkpoint: bool = option(True, "Resume keeps the early-stopping counter")
    dataloader_pin_memory: bool = option(False, "Pinned host memory; worth it with a GPU")
    resume: bool = option(False, "Go on from the newest whole checkpoint in --output_dir; all other options as before")
    overwrite_output_dir: bool = option(False, "Replace the run in --output_dir")
    early_stopping_patience: int = option(0, "Stop after so many epochs without a better validation; 0 for never")
    weight_averaging: float = option(0.98, "Decay per step of the moving average of the weights; 0 for none")

    def __post_init__(self) -> None:
        """Check ranges, then let `TrainingArguments` do its own.

        Raises:
            OptionError: Values out of range, or values that the Trainer refuses.
            DistributedError: A launcher has started several processes, and they do not find each other.
        """
        self.check(
            (bool(self.output_dir), "output_dir", "given: the folder that receives the model"),
            (self.num_train_epochs > 0, "num_train_epochs", "above 0"),
            (self.per_device_train_batch_size >= 1, "per_device_train_batch_size", "1 or more"),
            (self.per_device_eval_batch_size >= 1, "per_device_eval_batch_size", "1 or more"),
            (self.seed >= 0, "seed", "0 or more"),
            (0 < self.learning_rate < math.inf, "learning_rate", "above 0 and finite"),
            (
                self.head_learning_rate is None or 0 < self.head_learning_rate < math.inf,
                "head_learning_rate",
                "above 0 and finite",
            ),
            (self.ddp_timeout >= 1, "ddp_timeout", "1 second or more"),
            (self.max_grad_norm >= 0, "max_grad_norm", "0 (no clipping) or more"),
            (set(_as_list(self.report_to)) <= set(REPORTERS), "report_to", f"one of {', '.join(REPORTERS)}"),
            (self.warmup_steps >= 0, "warmup_steps", "0 or more"),
            (self.weight_decay >= 0, "weight_decay", "0 or more"),
            (0 <= self.label_smoothing_factor < 1, "label_smoothing_factor", "at least 0 and below 1"),
            (0 <= self.weight_averaging < 1, "weight_averaging", "at least 0 and below 1"),
            (self.early_stopping_patience >= 0, "early_stopping_patience", "0 or more"),
            (self.save_total_limit is None or self.save_total_limit >= 1, "save_total_limit", "1 or more"),
            (
                self.metric_for_best_model in METRICS_FOR_BEST,
                "metric_for_best_model",
                f"one of {', '.join(METRICS_FOR_BEST)}",
            ),
            (
                self.train_sampling_strategy != "group_by_length",
                "train_sampling_strategy",
                "something else: group_by_length would also reorder the evaluation, and scores would be paired "
                "with the wrong tracks",
            ),
            (not self.remove_unused_columns, "remove_unused_columns", "false: the data set gives whole batches"),
            (not self.logging_nan_inf_filter, "logging_nan_inf_filter", "false: a non-finite loss stops the run"),
            (not (self.resume and self.overwrite_output_dir), "resume", "given without --overwrite_output_dir"),
        )
        precision = choose_precision(self.bf16, self.fp16, self.use_cpu)
        # told afterwards: the Trainer would take bf16 on a CPU only with use_cpu, which loses ddp_timeout
        self.bf16 = self.fp16 = False
        self.use_cpu = join(use_cpu=self.use_cpu, timeout_seconds=self.ddp_timeout)
        try:
            super().__post_init__()
        except (ValueError, TypeError, ImportError) as error:
            raise OptionError(f"the Trainer refuses these options: {error}") from error
        self.bf16, self.fp16 = precision.mode == "bf16", precision.mode == "fp16"
        self.mixed_precision = precision.mode
        if precision.said and self.process_index == 0:
            logger.warning("%s", precision.said)


#: Where curves may go.
REPORTERS = ("none", "tensorboard", "trackio", "all")


def _as_list(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


#: What may choose the best epoch, and whether more is better.
METRICS_FOR_BEST = {"segment_accuracy": True, "track_accuracy": True, "loss": False}
