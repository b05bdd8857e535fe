"""The one door to a model and its feature extractor: a new LSTM, or any audio classifier from a folder or the Hub."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mgc_hf.errors import CheckpointError, OptionError

#: Names that build a model of ours from scratch.
OWN_MODELS = ("mel_lstm",)


def build_model(
    name_or_path: str,
    genres: Sequence[str],
    *,
    segment_seconds: float,
    hop_seconds: float | None = None,
    model_values: Mapping[str, Any] | None = None,
    feature_values: Mapping[str, Any] | None = None,
) -> tuple[Any, Any]:
    """Build a model with one output per genre, and its feature extractor.

    Args:
        name_or_path (`str`): `"mel_lstm"` for the LSTM from scratch, or a folder or Hub id of an audio classifier.
        genres (`Sequence[str]`): Class names in label order.
        segment_seconds (`float`): Length of the segments that it will be given, seconds.
        hop_seconds (`float`, *optional*, defaults to `segment_seconds`): Step between the windows of a clip in
            evaluation and prediction, seconds; saved with the feature extractor.
        model_values, feature_values (`Mapping[str, Any]`, *optional*): Configuration values that differ from the
            defaults.

    Returns:
        `tuple[PreTrainedModel, FeatureExtractionMixin]`: The weights are float32 whatever a checkpoint's dtype is.

    Raises:
        OptionError: A configuration value is unknown or out of range.
        CheckpointError: The checkpoint cannot be found or read.
    """
    labels = {
        "id2label": dict(enumerate(genres)),
        "label2id": {genre: index for index, genre in enumerate(genres)},
    }
    feature_values = {"segment_seconds": segment_seconds, "hop_seconds": hop_seconds, **(feature_values or {})}
    if name_or_path in OWN_MODELS:
        return _build_mel_lstm(labels, dict(model_values or {}), feature_values)
    model, extractor = _from_checkpoint(name_or_path, labels, dict(model_values or {}))
    # saved with it: prediction cuts clips as evaluation did
    extractor.segment_seconds, extractor.hop_seconds = float(segment_seconds), hop_seconds
    return model, extractor


def _build_mel_lstm(labels: dict[str, Any], model_values: dict[str, Any], feature_values: dict[str, Any]) -> Any:
    from mgc_hf.models.mel_lstm import LogMelFeatureExtractor, MelLstmConfig, MelLstmForAudioClassification

    _refuse_unknown("model_config", model_values, MelLstmConfig().to_dict())
    _refuse_unknown("feature_config", feature_values, LogMelFeatureExtractor().to_dict())
    with _as_option_errors("feature_config"):
        extractor = LogMelFeatureExtractor(**feature_values)
    with _as_option_errors("model_config"):
        config = MelLstmConfig(**{"num_mel_bins": extractor.feature_size, **model_values}, **labels)
    return MelLstmForAudioClassification(config), extractor


def _from_checkpoint(name_or_path: str, labels: dict[str, Any], values: dict[str, Any]) -> Any:
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

    with _as_checkpoint_errors(name_or_path):
        extractor = AutoFeatureExtractor.from_pretrained(name_or_path)
        model = AutoModelForAudioClassification.from_pretrained(
            name_or_path, **labels, **values, ignore_mismatched_sizes=True, dtype=torch.float32
        )
    return model, extractor


def load_model(name_or_path: str | Path) -> tuple[Any, Any]:
    """Load a finished classifier and its feature extractor, in evaluation mode, float32.

    Raises:
        CheckpointError: The folder is missing or incomplete, or some weights are not in it; it says which.
    """
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

    folder = Path(name_or_path).expanduser()
    if _is_local(str(name_or_path)):
        if not folder.is_dir():
            raise CheckpointError(f"model folder {name_or_path} does not exist; give a folder that a run has written")
        for name in ("config.json", "preprocessor_config.json"):
            if not (folder / name).is_file():
                raise CheckpointError(f"{name_or_path} is no model folder: {name} is missing")
    with _as_checkpoint_errors(str(name_or_path)):
        extractor = AutoFeatureExtractor.from_pretrained(name_or_path)
        model, info = AutoModelForAudioClassification.from_pretrained(
            name_or_path, output_loading_info=True, dtype=torch.float32
        )
    absent = sorted(info["missing_keys"])
    if absent:
        raise CheckpointError(
            f"{name_or_path}: {len(absent)} weights are not in the checkpoint ({', '.join(absent[:3])}, ...); "
            "a classifier with random weights would be of no use"
        )
    return model.eval(), extractor


def _is_local(name: str) -> bool:
    """Whether a model name can only mean a path: `owner/name` is a Hub id unless `owner` or all of it is here."""
    path = Path(name).expanduser()
    return path.exists() or name.startswith((".", "/", "~")) or name.count("/") != 1 or path.parent.is_dir()


def _refuse_unknown(option: str, values: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise OptionError(f"--{option}: unknown key {name}" + (f"; did you mean {near[0]}?" if near else ""))


@contextmanager
def _as_option_errors(option: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise OptionError(f"--{option}: {error}") from error


@contextmanager
def _as_checkpoint_errors(name: str) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        lines = str(error).strip().splitlines()
        raise CheckpointError(f"{name}: cannot be loaded ({lines[0] if lines else type(error).__name__})") from error
