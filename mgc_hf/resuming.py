"""What `--resume` asks of an output folder before anything is trained; looked at by the main process alone."""

import logging
from pathlib import Path
from typing import Any

from mgc_hf import outputs, record
from mgc_hf.data.protocols import Split
from mgc_hf.errors import CheckpointError, LabelError
from mgc_hf.options import Options
from mgc_hf.results import RunResult

logger = logging.getLogger(__name__)


def check_labels(folder: Path, genres: list[str]) -> None:
    """Refuse to go on with a run that was made for other genres.

    Raises:
        LabelError: Both lists are shown.
    """
    from mgc_hf.training import find_resumable

    find_resumable(folder, {"labels": genres})
    if not (folder / outputs.RESULTS).is_file():
        return
    before = RunResult.load(folder / outputs.RESULTS).data.genres
    if before != genres:
        raise LabelError(
            f"--resume {folder}: the run was made for the genres {before}, the data has {genres}",
            sorted(set(genres) - set(before)),
            sorted(set(before) - set(genres)),
        )


def finished_run(folder: Path, split: Split, options: Options) -> RunResult | None:
    """Return the record of a run that is complete and was asked to go on without changes, else `None`.

    Raises:
        CheckpointError: It is complete, but other clips are to be used now.
    """
    if not (folder / outputs.RESULTS).is_file():
        return None
    result = RunResult.load(folder / outputs.RESULTS)
    if result.training is None:
        return None
    asked = record.public_options(options.resolved)
    if _without_places(result.training.resolved) != _without_places(asked):
        return None
    if result.split.hash != split.hash:
        raise CheckpointError(
            f"--resume {folder}: the run is finished, and was made with other clips than the data now has (its split "
            "differs); start anew with --overwrite_output_dir, or in another folder"
        )
    logger.warning("%s: the run is finished; nothing left to train", folder)
    return result


def training_signature(options: Options) -> dict[str, Any]:
    """Return what a resumed run must share with the one that it goes on from.

    Of the arithmetic that is what was chosen, not what was asked for, which may leave it to the device.
    """
    free = {
        "save_strategy",
        "save_steps",
        "save_total_limit",
        "report_to",
        "num_resamples",
        "pictures",
        "floor",
        "bf16",
        "fp16",
    }
    public = _without_places(record.public_options(options.resolved))
    shared = {name: value for name, value in public.items() if name not in free}
    return {**shared, "precision": record.precision(options)}


def _without_places(values: dict[str, Any]) -> dict[str, Any]:
    """Return options without where the audio of an index lies: it is found by its hashes, wherever that is."""
    return {name: value for name, value in values.items() if name not in ("audio", "test_audio", "base_model")}
