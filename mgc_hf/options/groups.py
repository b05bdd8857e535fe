"""The options of data, model, augmentation and evaluation, as dataclasses that `HfArgumentParser` reads.

The defaults are those of the package's own LSTM (`docs/lstm.md`); each class checks its own ranges and tells all that
is wrong in one error.
"""

import json
import typing
from dataclasses import dataclass
from typing import Any, Literal

from mgc_hf.data.hub import parse_hub_id
from mgc_hf.errors import OptionError
from mgc_hf.options.declaring import Checked, option

#: Share of each genre for validation, unless the protocol has no such part.
VALIDATION_FRACTION = 0.15


@dataclass
class DataOptions(Checked):
    """Which audio, how it is split and how it is cut into segments."""

    _argument_group_name = "data"

    dataset: str = option(
        "marsyas/gtzan",
        "Data to train on: a Hub dataset id, a local folder (<genre>/<file>), genres.tar.gz, a CSV (path, genre, "
        "split), or 'demo' (a synthetic corpus that needs no download)",
    )
    test_dataset: str | None = option(
        None, "Take the test part from this source instead; all of --dataset is then for training and validation"
    )
    dataset_revision: str | None = option(None, "Revision (branch, tag or commit) of a Hub dataset")
    dataset_columns: str | None = option(
        None, 'Column names of another Hub dataset, as JSON: {"audio": "clip", "genre": "style"}'
    )
    audio: str | None = option(
        None, "For a Hub --dataset that is an index without audio: the folder that holds the audio, under any names"
    )
    test_dataset_revision: str | None = option(None, "Revision of a Hub --test_dataset")
    test_dataset_columns: str | None = option(None, "Column names of --test_dataset, as JSON")
    test_audio: str | None = option(None, "Folder with the audio of a Hub --test_dataset that is an index without it")
    protocol: str = option(
        "track",
        "Split protocol: track, artist, kfold (cross-validation), segment (leaky), or lists of GTZAN's tracks, fault_filtered and "
        "course (for comparison)",
    )
    unknown_artist: Literal["own_group", "leave_out"] = option(
        "own_group", "Where artists are kept apart: tracks without a known one, each its own group or in no part"
    )
    num_folds: int = option(5, "Protocol 'kfold' only: number of folds, each a run of its own in a folder fold-K")
    fold: int | None = option(
        None, "Protocol 'kfold' only: run this fold alone, from 0, in --output_dir itself; all of them by default"
    )
    fold_groups: Literal["track", "artist"] = option(
        "track", "Protocol 'kfold' only: what stays in one fold, the pieces of a track or all tracks of an artist"
    )
    split: str | None = option(None, "Use the split saved in this file (split.json of an earlier run)")
    split_seed: int | None = option(None, "Seed of the split alone; --seed by default")
    validation_fraction: float = option(
        None,
        "Fraction of each genre for validation, 0.15 by default; 0 means fixed epochs and no choice of a best one, and "
        "is what protocols without a validation part have",
    )
    test_fraction: float = option(0.25, "Fraction of each genre for the test part")
    segment_seconds: float = option(3.0, "Length of a segment, seconds")
    train_hop_seconds: float | None = option(
        None, "Step between training segments, seconds; half a segment by default, a segment under 'segment'"
    )
    eval_hop_seconds: float | None = option(
        None, "Step between the windows of a clip in evaluation and prediction, seconds; a window by default"
    )
    random_windows: int = option(
        0, "Train on so many windows of each clip an epoch, anywhere in it and anew each epoch (0: on fixed segments)"
    )
    train_tracks_per_genre: int = option(
        0,
        "Train on exactly so many tracks of each genre; those that no part takes are tested on (0: by the fractions)",
    )
    test_tracks_per_genre: int = option(
        0, "Test on exactly so many tracks of each genre, in place of --test_fraction (0: by the fraction)"
    )
    num_segments: int = option(
        0, "Protocol 'segment' only: size of the pool that is split, about (0: every segment; the paper has 5,000)"
    )
    augmented_copies: int = option(
        0, "Protocol 'segment' only: augmented copies of each segment, made before the split as in the paper"
    )
    on_bad_audio: Literal["skip", "error"] = option("skip", "Leave unusable files out with a warning, or stop")
    leave_out_faults: bool = option(False, "Leave out GTZAN's known repeats, distorted and broken tracks")
    min_seconds: float = option(0.5, "Clips shorter than this are left out, seconds")
    cache_dir: str | None = option(None, "Folder for prepared data; the Hugging Face datasets cache by default")
    demo_clips_per_genre: int = option(20, "Clips per genre of the demo corpus")
    demo_seconds: float = option(30.0, "Length of a demo clip, seconds")
    preprocessing_num_proc: int | None = option(None, "Processes that decode audio; in this one by default")

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: Values out of range, all of them in one message.
        """
        from mgc_hf.data.protocols import PROTOCOLS, askable_protocols

        protocol = PROTOCOLS.get(self.protocol)
        has_validation = protocol is None or protocol.has_validation
        if self.validation_fraction is None:
            self.validation_fraction = VALIDATION_FRACTION if has_validation else 0.0
        leaky_only, kfold = self.protocol == "segment", self.protocol == "kfold"
        by_number = self.train_tracks_per_genre > 0 or self.test_tracks_per_genre > 0
        self.check(
            (self.protocol in askable_protocols(), "protocol", f"one of {', '.join(askable_protocols())}"),
            (
                self.protocol == "artist" or self.fold_groups == "artist" or self.unknown_artist == "own_group",
                "unknown_artist",
                "own_group unless --protocol artist or --fold_groups artist",
            ),
            (self.num_folds >= 2, "num_folds", "2 or more"),
            (kfold or self.num_folds == 5, "num_folds", "left out unless --protocol kfold"),
            (kfold or self.fold_groups == "track", "fold_groups", "left out unless --protocol kfold"),
            (kfold or self.fold is None, "fold", "left out unless --protocol kfold"),
            (
                self.fold is None or 0 <= self.fold < self.num_folds,
                "fold",
                f"from 0 to {self.num_folds - 1}, below --num_folds",
            ),
            (
                not kfold or self.split is None or self.fold is not None,
                "split",
                "left out with --protocol kfold, which makes a split for each fold (with --fold K it may be given)",
            ),
            (
                has_validation or self.validation_fraction == 0,
                "validation_fraction",
                f"0 or left out with --protocol {self.protocol}, which has no validation part: epochs are fixed",
            ),
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
            *(
                (self.protocol == "track" or getattr(self, name) <= 0, name, f"0 with --protocol {self.protocol}")
                for name in ("train_tracks_per_genre", "test_tracks_per_genre")
            ),
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
            (
                self.test_dataset is None or self.protocol in ("track", "artist"),
                "test_dataset",
                f"left out with --protocol {self.protocol}",
            ),
            (self.split_seed is None or self.split_seed >= 0, "split_seed", "0 or more"),
            (
                self.train_hop_seconds is None or self.train_hop_seconds <= self.segment_seconds,
                "train_hop_seconds",
                "at most --segment_seconds: audio between segments would be dropped",
            ),
            (
                self.test_audio is None or self.test_dataset is not None,
                "test_audio",
                "left out without --test_dataset",
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
class ModelOptions(Checked):
    """Which model."""

    _argument_group_name = "model"

    model_name_or_path: str = option(
        "mel_lstm",
        "'mel_lstm' (from scratch), 'stats_floor' (the floor, fitted in closed form), or a folder or Hub id of an audio "
        "classifier to fine-tune",
    )
    model_config: str | None = option(
        None, 'Values of the model\'s configuration that differ from its defaults, as JSON: {"hidden_size": 128}'
    )
    feature_config: str | None = option(
        None, 'Values of the feature extractor that differ from its defaults, as JSON: {"num_mel_bins": 64}'
    )

    base_model: str | None = option(
        None, "Hub id that a local --model_name_or_path is a copy of, for the card: its base model and licence"
    )
    allow_contaminated: bool = option(
        False, "Begin from weights that name GTZAN as their training data, with GTZAN as test data; the card says so"
    )
    from_scratch: bool = option(
        False, "Build the architecture of --model_name_or_path with random weights; the card says so"
    )
    size: Literal["tiny", "base"] | None = option(
        None, "--from_scratch only: tiny (for tests) or base, in place of the size of --model_name_or_path"
    )
    attn_implementation: Literal["eager", "sdpa"] | None = option(
        None, "Attention: sdpa (fast) where the model has it by default, or eager"
    )
    freeze_feature_encoder: bool | None = option(
        None, "Keep the convolutions below the transformer as they are; by default where they are pre-trained"
    )
    freeze_layers: int = option(0, "Keep so many of the lowest transformer layers, and all below them, as they are")
    weighted_layer_sum: bool = option(False, "Classify from a learnt weighted sum of all layers, not the last alone")
    lora_rank: int = option(
        0, "Train low-rank updates of this rank in place of the weights (LoRA; needs the extra peft); 0 for none"
    )
    lora_alpha: float = option(16.0, "LoRA: scale of the updates; they are multiplied by alpha / rank")
    lora_dropout: float = option(0.0, "LoRA: dropout on the inputs of the updates")
    lora_target_modules: str = option(
        "q_proj,v_proj", "LoRA: linear layers that get an update, ends of their names, with commas between"
    )
    mask_time_prob: float | None = option(
        None, "The model's own SpecAugment: fraction of its frames that are masked; the checkpoint's by default"
    )
    mask_feature_prob: float | None = option(
        None, "The model's own SpecAugment: fraction of its features that are masked; the checkpoint's by default"
    )
    layerdrop: float = option(0.0, "Probability of leaving a transformer layer out of a training step")

    def __post_init__(self) -> None:
        """Check ranges and the JSON values.

        Raises:
            OptionError: A value is out of range or no JSON object.
        """
        self.check(
            (bool(self.model_name_or_path), "model_name_or_path", "given: a folder or Hub id of an audio classifier"),
            (self.base_model is None or parse_hub_id(self.base_model) is not None, "base_model", "a Hub id, ORG/NAME"),
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
        self.check((isinstance(value, dict), name, 'a JSON object such as {"name": 1}'))
        return typing.cast(dict[str, Any], value)


@dataclass
class AugmentOptions(Checked):
    """Augmentation of training segments; each a pure function of (seed, epoch, row)."""

    _argument_group_name = "augmentation (training segments only)"

    random_offset: bool = option(False, "Start each segment anywhere in its track, anew each epoch")
    time_shift_seconds: float = option(0.0, "Shift by up to this much either way, seconds")
    gain_db: float = option(0.0, "Change the level by up to this much either way, dB")
    noise_snr_db: float | None = option(None, "Add white noise at a signal-to-noise ratio of at least this, dB")
    pitch_shift_semitones: float = option(0.0, "Shift the pitch by up to this much (needs the extra audiomentations)")
    time_stretch: float = option(
        0.0, "Change the tempo by up to this fraction either way (needs the extra audiomentations)"
    )
    spec_time_masks: int = option(2, "SpecAugment: number of time masks")
    spec_time_width: int = option(20, "SpecAugment: widest time mask, frames")
    spec_frequency_masks: int = option(0, "SpecAugment: number of frequency masks")
    spec_frequency_width: int = option(16, "SpecAugment: widest frequency mask, mel bands")
    mixup_alpha: float = option(0.4, "Mixup: parameter of the Beta distribution, 0 for none")
    mixup_waveforms: bool = option(False, "Mixup: mix the waveforms, before the features are computed of them")

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
        self.check(
            *((getattr(self, name) >= 0, name, "0 or more") for name in names),
            (0 <= self.time_stretch < 0.5, "time_stretch", "at least 0 and below 0.5"),
            (
                not self.mixup_waveforms or self.mixup_alpha > 0,
                "mixup_waveforms",
                "left out, or given with --mixup_alpha above 0, such as 0.4",
            ),
        )


@dataclass
class EvalOptions(Checked):
    """Evaluation and what is written of it."""

    _argument_group_name = "evaluation"

    num_resamples: int = option(2000, "Bootstrap resamples behind each interval")
    pictures: bool = option(True, "Draw the pictures of the model card")
    floor: bool = option(
        True, "Fit the floor, a linear model, to the same training part and compare with it on the same test part"
    )

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: Values out of range.
        """
        self.check((self.num_resamples >= 100, "num_resamples", "100 or more"))
