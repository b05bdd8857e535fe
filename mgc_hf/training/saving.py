"""The finished model folder: what `from_pretrained` reads, written so that it is never there in part."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mgc_hf.files import is_write_failure, make_folder, set_normal_mode, sync_path
from mgc_hf.models.pipelines import add_pipeline
from mgc_hf.training.checkpoints import write_failure

_CONFIG = "config.json"


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Keep transformers' own bars (one per saved file) off the screen."""
    from transformers.utils import logging

    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()


def save_model_folder(model: Any, feature_extractor: Any, folder: str | Path) -> None:
    """Write a model and its feature extractor into a folder that may hold other things.

    Everything is written under a temporary name and synced; then an earlier `config.json` goes, the files get their
    names one by one, and the new `config.json` comes last. A folder without one is no model folder, so whatever loads
    has weights, feature extractor and configuration of one and the same model.

    Args:
        model (`PreTrainedModel`): The model; a class registered with `register_for_auto_class` takes its code along.
        feature_extractor (`FeatureExtractionMixin`): Its feature extractor.
        folder (`str` or `Path`): Where to; created if need be.

    Raises:
        CheckpointError: The disk refused (full, over quota); an earlier model in the folder is intact.
    """
    folder = Path(folder)
    make_folder(folder)
    staged = Path(tempfile.mkdtemp(dir=folder, prefix=".tmp-model-"))
    try:
        with no_progress_bars():
            add_pipeline(model.config, staged)
            model.save_pretrained(staged)
        feature_extractor.save_pretrained(staged)
        files = sorted((path for path in staged.iterdir() if path.is_file()), key=lambda path: path.name == _CONFIG)
        for path in files:
            set_normal_mode(path)
            sync_path(path)
        (folder / _CONFIG).unlink(missing_ok=True)
        for path in files:
            os.replace(path, folder / path.name)
        sync_path(folder)
    except Exception as error:  # libraries wrap the operating system's error in types of their own
        if not is_write_failure(error):
            raise
        needed = sum(weight.numel() * weight.element_size() for weight in model.state_dict().values())
        raise write_failure(
            folder, "Nothing in it was replaced. Free some space, then run again with --resume", needed, error
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
