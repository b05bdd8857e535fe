"""Builds the parts of the record (`results.py`) from what a run holds in its hands."""

import datetime
import importlib.metadata
import platform
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mgc_hf.data.facts import whole_track
from mgc_hf.data.segments import SegmentTable
from mgc_hf.data.sources import Corpus
from mgc_hf.options import Options
from mgc_hf.outputs import display_name
from mgc_hf.results import DataRecord, EnvironmentRecord, ModelRecord

#: Packages whose versions may change a figure.
_PACKAGES = [
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "evaluate",
    "huggingface_hub",
    "safetensors",
    "numpy",
    "scikit-learn",
    "librosa",
    "soundfile",
    "soxr",
]

#: Options that say where or how to run, not what was run; a path among them would tell of one machine.
_PRIVATE = frozenset(
    [
        "run_name",
        "output_dir",
        "cache_dir",
        "resume",
        "overwrite_output_dir",
        "disable_tqdm",
        "config",
        "help_all",
        "preprocessing_num_proc",
        "dataloader_num_workers",
        "dataloader_pin_memory",
        "ddp_timeout",
        "push_to_hub",
        "hub_model_id",
        "hub_private_repo",
        "hub_revision",
        "hub_token",
    ]
)
_SOURCES = frozenset({"dataset", "test_dataset", "audio", "test_audio", "split", "model_name_or_path"})


def public_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options fit for a card: without local paths and without those that change no figure."""
    return {
        name: _without_path(value, name in _SOURCES) if isinstance(value, str) else value
        for name, value in sorted(values.items())
        if name not in _PRIVATE
    }


def _without_path(value: str, is_source: bool) -> str:
    """Cut a path to its last component; of options that are no sources only what must be a path."""
    return display_name(value) if is_source or value.startswith(("/", "~", "./", "../")) else value


def count(rows: SegmentTable, genres: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of tracks and of segments per genre."""
    segments = {genre: int((rows.label == index).sum()) for index, genre in enumerate(genres)}
    tracks = {
        genre: len({whole_track(name) for name in rows.track_id[rows.label == index]})
        for index, genre in enumerate(genres)
    }
    return tracks, segments


def data_record(
    corpus: Corpus,
    test_corpus: Corpus | None,
    parts: Mapping[str, SegmentTable],
    genres: Sequence[str],
    *,
    segment_seconds: float,
    hop_seconds: float,
    sampling_rate: int,
) -> DataRecord:
    """Describe the data; `parts` maps `train`, `validation`, `test` to their segments."""
    counts = {part: count(rows, genres) for part, rows in parts.items()}
    skipped = [*corpus.skipped, *(test_corpus.skipped if test_corpus else [])]
    left_out = [one.faults_left_out for one in (corpus, test_corpus) if one and one.faults_left_out is not None]
    return DataRecord(
        source=corpus.name,
        revision=corpus.revision,
        is_demo=corpus.is_demo or bool(test_corpus and test_corpus.is_demo),
        test_source=test_corpus.name if test_corpus else None,
        test_revision=test_corpus.revision if test_corpus else None,
        genres=list(genres),
        tracks={part: tracks for part, (tracks, _) in counts.items()},
        segments={part: segments for part, (_, segments) in counts.items()},
        skipped=skipped,
        segment_seconds=float(segment_seconds),
        hop_seconds=float(hop_seconds),
        sampling_rate=int(sampling_rate),
        faults_left_out=sum(left_out) if left_out else None,
    )


def model_record(
    model: Any, feature_extractor: Any, base_model: str | None, contamination: str | None = None
) -> ModelRecord:
    """Describe a model."""
    return ModelRecord(
        model_type=model.config.model_type,
        architecture=type(model).__name__,
        base_model=base_model,
        num_parameters=int(sum(parameter.numel() for parameter in model.parameters())),
        feature_extractor=type(feature_extractor).__name__,
        contamination=contamination,
    )


def environment_record(device: str, world_size: int, precision: str) -> EnvironmentRecord:
    """Describe versions and hardware, without the name of the machine or its user."""
    import torch

    return EnvironmentRecord(
        python=".".join(map(str, sys.version_info[:3])),
        platform=f"{platform.system()} {platform.machine()}",
        packages={name: importlib.metadata.version(name) for name in _PACKAGES},
        device=torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        num_threads=torch.get_num_threads(),
        world_size=world_size,
        precision=precision,
    )


def precision(options: Options) -> str:
    """Return the arithmetic of training in words; the Trainer's own setting, so what really ran."""
    mode = options.train.mixed_precision
    return "float32" if mode == "no" else f"{mode} autocast"


def stamp() -> dict[str, Any]:
    """Return when and by which version a record is written, as `RunResult` has them."""
    from mgc_hf import __version__

    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"created": now, "mgc_hf_version": __version__}
