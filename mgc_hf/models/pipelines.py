"""The pipeline that goes with every model folder (`mel_lstm/pipeline_genre.py`), and the task that it answers to."""

import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from mgc_hf.models import OWN_MODELS

PIPELINE_FILE = "pipeline_genre.py"
#: As a model's `config.json` names it.
IMPLEMENTATION = f"{Path(PIPELINE_FILE).stem}.GenrePipeline"
STOCK_TASK, OWN_TASK = "audio-classification", "music-genre-classification"


def pipeline_task(model_type: str) -> str:
    """Return the task under which a model's folder names our pipeline.

    Our own models run code of their folder anyway, so it replaces the stock pipeline for them; transformers' models
    load without any, which a custom pipeline under the same name would take from them.
    """
    return STOCK_TASK if model_type in OWN_MODELS else OWN_TASK


def add_pipeline(config: Any, folder: Path) -> None:
    """Write the pipeline's file into a model folder, and its name into a configuration that is yet to be saved there.

    Args:
        config (`PretrainedConfig`): Changed in place: `custom_pipelines`, as `transformers.pipeline` reads it.
        folder (`Path`): The folder.
    """
    implementation = {"impl": IMPLEMENTATION, "pt": ["AutoModelForAudioClassification"]}
    config.custom_pipelines = {pipeline_task(config.model_type): implementation}
    source = resources.files("mgc_hf.models.mel_lstm").joinpath(PIPELINE_FILE)
    with resources.as_file(source) as file:
        shutil.copyfile(file, folder / PIPELINE_FILE)
