"""Every option of a recipe, as dataclasses that `HfArgumentParser` reads.

The defaults are those of the package's own LSTM (`docs/lstm.md`); each class checks its own ranges and tells all that
is wrong in one error.
"""

import json
import logging
import math
import typing
from dataclasses import dataclass, field
from typing import Any, Literal

from transformers import TrainingArguments

from mgc_hf.distributed import join
from mgc_hf.errors import OptionError
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


def _option(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help.replace("%", "%%")})


class _Checked:
    """Collects every range error of a dataclass, so that the user sees all of them at once."""

    def _check(self, *rules: tuple[bool, str, str]) -> None:
        wrong = [
            f"--{name} is {getattr(self, name)!r}; it must be {allowed}" for holds, name, allowed in rules if not holds
        ]
        if wrong:
            raise OptionError("; ".join(wrong))


@dataclass
class DataOptions(_Checked):
    """Which audio, how it is split and how it is cut into segments."""

    _argument_group_name = "data"

    dataset: str = _option(
        "marsyas/gtzan",
        "Data to train on: a Hub dataset id, a local folder (<genre>/<file>), genres.tar.gz, a CSV (path, genre, "
        "split), or 'demo' (a synthetic corpus that needs no download)",
    )
    test_dataset: str | None = _option(
        None, "Take the test part from this source instead; all of --dataset is then for training and validation"
    )
    dataset_revision: str | None = _option(None, "Revision (branch, tag or commit) of a Hub dataset")
    dataset_columns: str | None = _option(
        None, 'Column names of another Hub dataset, as JSON: {"audio": "clip", "genre": "style"}'
    )
    test_dataset_revision: str | None = _option(None, "Revision of a Hub --test_dataset")
    test_dataset_columns: str | None = _option(None, "Column names of --test_dataset, as JSON")
    protocol: str = _option("track", "Split protocol: 'track' (leak-free) or 'segment' (the paper's, leaky)")
    split: str | None = _option(None, "Use the split saved in this file (split.json of an earlier run)")
    split_seed: int | None = _option(None, "Seed of the split alone; --seed by default")
    validation_fraction: float = _option(
        0.15, "Fraction of each genre for validation; 0 means fixed epochs and no choice of a best one"
    )
    test_fraction: float = _option(0.25, "Fraction of each genre for the test part")
    segment_seconds: float = _option(3.0, "Length of a segment, seconds")
    train_hop_seconds: float | None = _option(
        None, "Step between training segments, seconds; half a segment by default under 'track', a segment else"
    )
    eval_hop_seconds: float | None = _option(
        None, "Step between the windows of a clip in evaluation and prediction, seconds; a window by default"
    )
    random_windows: int = _option(
        0, "Train on so many windows of each clip an epoch, anywhere in it and anew each epoch (0: on fixed segments)"
    )
    train_tracks_per_genre: int = _option(
        0,
        "Train on exactly so many tracks of each genre; those that no part takes are tested on (0: by the fractions)",
    )
    test_tracks_per_genre: int = _option(
        0, "Test on exactly so many tracks of each genre, in place of --test_fraction (0: by the fraction)"
    )
    num_segments: int = _option(
        0, "Protocol 'segment' only: size of the pool that is split, about (0: every segment; the paper has 5,000)"
    )
    augmented_copies: int = _option(
        0, "Protocol 'segment' only: augmented copies of each segment, made before the split as in the paper"
    )
    on_bad_audio: Literal["skip", "error"] = _option("skip", "Leave unusable files out with a warning, or stop")
    min_seconds: float = _option(0.5, "Clips shorter than this are left out, seconds")
    cache_dir: str | None = _option(None, "Folder for prepared data; the Hugging Face datasets cache by default")
    demo_clips_per_genre: int = _option(20, "Clips per genre of the demo corpus")
    demo_seconds: float = _option(30.0, "Length of a demo clip, seconds")
    preprocessing_num_proc: int | None = _option(None, "Processes that decode audio; in this one by default")

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: Values out of range, all of them in one message.
        """
        from mgc_hf.data.protocols import drawn_protocols

        leaky_only = self.protocol == "segment"
        by_number = self.train_tracks_per_genre > 0 or self.test_tracks_per_genre > 0
        self._check(
            (self.protocol in drawn_protocols(), "protocol", f"one of {', '.join(drawn_protocols())}"),
            (0 <= self.validation_fraction < 1, "validation_fraction", "at least 0 and below 1"),
            (0 < self.test_fraction < 1, "test_fraction", "above 0 and below 1"),
            (
                by_number or self.validation_fraction + self.test_fraction < 1,
                "validation_fraction",
                "so small that it and --test_fraction leave something to train on",
            ),
            (self.segment_seconds > 0, "segment_seconds", "above 0"),
            (self.train_hop_seconds is None or self.train_hop_seconds > 0, "train_hop_seconds", "above 0"),
            (
                self.eval_hop_seconds is None or 0 < self.eval_hop_seconds <= self.segment_seconds,
                "eval_hop_seconds",
                "above 0 and at most --segment_seconds: audio between windows would not be heard",
            ),
            (
                not leaky_only or self.eval_hop_seconds is None,
                "eval_hop_seconds",
                "left out with --protocol segment, which tests on the pool's own segments (--train_hop_seconds)",
            ),
            (self.random_windows >= 0, "random_windows", "0 or more"),
            (
                self.random_windows == 0 or self.train_hop_seconds is None,
                "random_windows",
                "0 with --train_hop_seconds: windows are either at random or at fixed steps",
            ),
            (not leaky_only or self.random_windows == 0, "random_windows", "0 with --protocol segment"),
            (self.train_tracks_per_genre >= 0, "train_tracks_per_genre", "0 or more"),
            (self.test_tracks_per_genre >= 0, "test_tracks_per_genre", "0 or more"),
            (
                not leaky_only or self.train_tracks_per_genre == 0,
                "train_tracks_per_genre",
                "0 with --protocol segment",
            ),
            (not leaky_only or self.test_tracks_per_genre == 0, "test_tracks_per_genre", "0 with --protocol segment"),
            (
                self.test_dataset is None or self.test_tracks_per_genre == 0,
                "test_tracks_per_genre",
                "0 with --test_dataset, which is the whole test part",
            ),
            *(
                (self.split is None or getattr(self, name) == 0, name, "0 with --split, which says what is drawn")
                for name in ("train_tracks_per_genre", "test_tracks_per_genre")
            ),
            (self.num_segments >= 0, "num_segments", "0 or more"),
            (self.augmented_copies >= 0, "augmented_copies", "0 or more"),
            (leaky_only or self.num_segments == 0, "num_segments", "0 unless --protocol segment"),
            (leaky_only or self.augmented_copies == 0, "augmented_copies", "0 unless --protocol segment"),
            (not leaky_only or self.test_dataset is None, "test_dataset", "left out with --protocol segment"),
            (self.split_seed is None or self.split_seed >= 0, "split_seed", "0 or more"),
            (
                self.train_hop_seconds is None or self.train_hop_seconds <= self.segment_seconds,
                "train_hop_seconds",
                "at most --segment_seconds: audio between segments would be dropped",
            ),
            (self.min_seconds > 0, "min_seconds", "above 0"),
            (self.demo_clips_per_genre >= 1, "demo_clips_per_genre", "1 or more"),
            (1 <= self.demo_seconds <= 600, "demo_seconds", "1 to 600"),
            (
                self.preprocessing_num_proc is None or self.preprocessing_num_proc >= 1,
                "preprocessing_num_proc",
                "1 or more",
            ),
        )
        self.columns, self.test_columns  # noqa: B018 - parsed here: a wrong value is told before data is touched

    @property
    def columns(self) -> dict[str, str] | None:
        """`--dataset_columns` as a dictionary."""
        return self._names("dataset_columns")

    @property
    def test_columns(self) -> dict[str, str] | None:
        """`--test_dataset_columns` as a dictionary."""
        return self._names("test_dataset_columns")

    def _names(self, option: str) -> dict[str, str] | None:
        text = getattr(self, option)
        return None if text is None else column_names(text, f"--{option}")


def column_names(text: str, option: str) -> dict[str, str]:
    """Read column names from JSON.

    Raises:
        OptionError: It is no JSON object of names.
    """
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
        raise OptionError(
            f'{option} is {text!r}; it must be a JSON object of names, such as {{"audio": "clip", "genre": "style"}}'
        )
    return value


@dataclass
class ModelOptions(_Checked):
    """Which model."""

    _argument_group_name = "model"

    model_name_or_path: str = _option(
        "mel_lstm", "'mel_lstm' (from scratch), or a folder or Hub id of an audio classifier to fine-tune"
    )
    model_config: str | None = _option(
        None, 'Values of the model\'s configuration that differ from its defaults, as JSON: {"hidden_size": 128}'
    )
    feature_config: str | None = _option(
        None, 'Values of the feature extractor that differ from its defaults, as JSON: {"num_mel_bins": 64}'
    )

    from_scratch: bool = _option(
        False, "Build the architecture of --model_name_or_path with random weights; the card says so"
    )
    size: Literal["tiny", "base"] | None = _option(
        None, "--from_scratch only: tiny (for tests) or base, in place of the size of --model_name_or_path"
    )
    attn_implementation: Literal["eager", "sdpa"] | None = _option(
        None, "Attention: sdpa (fast) where the model has it by default, or eager"
    )
    freeze_feature_encoder: bool | None = _option(
        None, "Keep the convolutions below the transformer as they are; by default where they are pre-trained"
    )
    freeze_layers: int = _option(0, "Keep so many of the lowest transformer layers, and all below them, as they are")
    weighted_layer_sum: bool = _option(False, "Classify from a learnt weighted sum of all layers, not the last alone")
    lora_rank: int = _option(
        0, "Train low-rank updates of this rank in place of the weights (LoRA; needs the extra peft); 0 for none"
    )
    lora_alpha: float = _option(16.0, "LoRA: scale of the updates; they are multiplied by alpha / rank")
    lora_dropout: float = _option(0.0, "LoRA: dropout on the inputs of the updates")
    lora_target_modules: str = _option(
        "q_proj,v_proj", "LoRA: linear layers that get an update, ends of their names, with commas between"
    )
    mask_time_prob: float | None = _option(
        None, "The model's own SpecAugment: fraction of its frames that are masked; the checkpoint's by default"
    )
    mask_feature_prob: float | None = _option(
        None, "The model's own SpecAugment: fraction of its features that are masked; the checkpoint's by default"
    )
    layerdrop: float = _option(0.0, "Probability of leaving a transformer layer out of a training step")

    def __post_init__(self) -> None:
        """Check ranges and the JSON values.

        Raises:
            OptionError: A value is out of range or no JSON object.
        """
        self._check(
            (bool(self.model_name_or_path), "model_name_or_path", "given: a folder or Hub id of an audio classifier"),
            (self.size is None or self.from_scratch, "size", "left out without --from_scratch"),
            (self.freeze_layers >= 0, "freeze_layers", "0 or more"),
            (self.lora_rank >= 0, "lora_rank", "0 or more"),
            (self.lora_alpha > 0, "lora_alpha", "above 0"),
            (0 <= self.lora_dropout < 1, "lora_dropout", "at least 0 and below 1"),
            (0 <= self.layerdrop < 1, "layerdrop", "at least 0 and below 1"),
            *(
                (getattr(self, name) is None or 0 <= getattr(self, name) <= 1, name, "from 0 to 1")
                for name in ("mask_time_prob", "mask_feature_prob")
            ),
        )
        self.model_values, self.feature_values  # noqa: B018

    @property
    def model_values(self) -> dict[str, Any]:
        """`--model_config` as a dictionary."""
        return self._json_object("model_config")

    @property
    def feature_values(self) -> dict[str, Any]:
        """`--feature_config` as a dictionary."""
        return self._json_object("feature_config")

    def _json_object(self, name: str) -> dict[str, Any]:
        text = getattr(self, name)
        if text is None:
            return {}
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        self._check((isinstance(value, dict), name, 'a JSON object such as {"name": 1}'))
        return typing.cast(dict[str, Any], value)


@dataclass
class AugmentOptions(_Checked):
    """Augmentation of training segments; each a pure function of (seed, epoch, row)."""

    _argument_group_name = "augmentation (training segments only)"

    random_offset: bool = _option(False, "Start each segment anywhere in its track, anew each epoch")
    time_shift_seconds: float = _option(0.0, "Shift by up to this much either way, seconds")
    gain_db: float = _option(0.0, "Change the level by up to this much either way, dB")
    noise_snr_db: float | None = _option(None, "Add white noise at a signal-to-noise ratio of at least this, dB")
    pitch_shift_semitones: float = _option(0.0, "Shift the pitch by up to this much (needs the extra audiomentations)")
    time_stretch: float = _option(
        0.0, "Change the tempo by up to this fraction either way (needs the extra audiomentations)"
    )
    spec_time_masks: int = _option(2, "SpecAugment: number of time masks")
    spec_time_width: int = _option(20, "SpecAugment: widest time mask, frames")
    spec_frequency_masks: int = _option(0, "SpecAugment: number of frequency masks")
    spec_frequency_width: int = _option(16, "SpecAugment: widest frequency mask, mel bands")
    mixup_alpha: float = _option(0.4, "Mixup: parameter of the Beta distribution, 0 for none")
    mixup_waveforms: bool = _option(False, "Mixup: mix the waveforms, before the features are computed of them")

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: Values out of range, all of them in one message.
        """
        names = [
            "time_shift_seconds",
            "gain_db",
            "pitch_shift_semitones",
            "spec_time_masks",
            "spec_time_width",
            "spec_frequency_masks",
            "spec_frequency_width",
            "mixup_alpha",
        ]
        self._check(
            *((getattr(self, name) >= 0, name, "0 or more") for name in names),
            (0 <= self.time_stretch < 0.5, "time_stretch", "at least 0 and below 0.5"),
            (
                not self.mixup_waveforms or self.mixup_alpha > 0,
                "mixup_waveforms",
                "left out, or given with --mixup_alpha above 0, such as 0.4",
            ),
        )


@dataclass
class EvalOptions(_Checked):
    """Evaluation and what is written of it."""

    _argument_group_name = "evaluation"

    num_resamples: int = _option(2000, "Bootstrap resamples behind each interval")
    pictures: bool = _option(True, "Draw the pictures of the model card")

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: Values out of range.
        """
        self._check((self.num_resamples >= 100, "num_resamples", "100 or more"))


@dataclass
class TrainOptions(TrainingArguments, _Checked):
    """`transformers.TrainingArguments` with our defaults and a few options more.

    The defaults that differ are those of the LSTM and those that the loop needs (`training/trainer.py`).
    """

    _argument_group_name = "training (transformers.TrainingArguments)"

    output_dir: str | None = _option(None, "Folder for the model, its card and its checkpoints")
    seed: int = _option(0, "Seed of split, initial weights and training")
    num_train_epochs: float = _option(40.0, "Epochs, at most")
    per_device_train_batch_size: int = _option(32, "Training batch size per device")
    per_device_eval_batch_size: int = _option(64, "Evaluation batch size per device")
    learning_rate: float = _option(2e-3, "Peak learning rate")
    lr_scheduler_type: str = _option("cosine", "Learning rate schedule")
    warmup_steps: float = _option(0.1, "Warm-up: steps, or below 1 the fraction of all steps")
    head_learning_rate: float | None = _option(
        None, "Peak learning rate of the classification head; --learning_rate by default"
    )
    bf16: bool | None = _option(  # type: ignore[assignment]  # empty: by the device
        False, "bfloat16 autocast, weights stay float32; recipes that leave it open use it where the device has it"
    )
    ddp_timeout: int = _option(1800, "Seconds that a process waits for the others before it gives them up")
    weight_decay: float = _option(0.1, "Weight decay of AdamW")
    label_smoothing_factor: float = _option(0.1, "Label smoothing")
    metric_for_best_model: str | None = _option(
        "segment_accuracy",
        "What chooses the best epoch on validation: segment_accuracy, track_accuracy or loss",
    )
    save_strategy: str = _option("epoch", "When to write a checkpoint: epoch, steps (--save_steps) or no")
    save_total_limit: int | None = _option(2, "Checkpoints kept (the best one is always kept)")
    eval_strategy: str = _option("epoch", "Validation once an epoch")
    logging_strategy: str = _option("epoch", "Logging once an epoch")
    report_to: str | None = _option("none", "Where curves go: none, tensorboard or trackio (private by default)")
    remove_unused_columns: bool = _option(False, "Must stay off: the data set gives whole batches")
    logging_nan_inf_filter: bool = _option(False, "Must stay off: a non-finite loss stops the run")
    restore_callback_states_from_checkpoint: bool = _option(True, "Resume keeps the early-stopping counter")
    dataloader_pin_memory: bool = _option(False, "Pinned host memory; worth it with a GPU")
    resume: bool = _option(
        False, "Go on from the newest whole checkpoint in --output_dir; all other options as before"
    )
    overwrite_output_dir: bool = _option(False, "Replace the run in --output_dir")
    early_stopping_patience: int = _option(0, "Stop after so many epochs without a better validation; 0 for never")
    weight_averaging: float = _option(0.98, "Decay per step of the moving average of the weights; 0 for none")

    def __post_init__(self) -> None:
        """Check ranges, then let `TrainingArguments` do its own.

        Raises:
            OptionError: Values out of range, or values that the Trainer refuses.
            DistributedError: A launcher has started several processes, and they do not find each other.
        """
        self._check(
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

OPTION_CLASSES = (DataOptions, ModelOptions, AugmentOptions, EvalOptions, TrainOptions)
