"""The output folder of a run: what lies in it, when it may be used, and what is removed when it is overwritten."""

import re
import shutil
from pathlib import Path

from mgc_hf.data.protocols import Split
from mgc_hf.errors import OptionError
from mgc_hf.labels import GTZAN_GENRES
from mgc_hf.results import RunResult

RESULTS = "results.json"
PREDICTIONS = "predictions.parquet"
SPLIT = "split.json"
CARD = "README.md"
IMAGES = "images"

_GTZAN_ID = re.compile(rf"({'|'.join(GTZAN_GENRES)})\.\d{{5}}")

#: All that a run writes, apart from the model's own files; overwriting removes these and nothing else.
_RUN_FILES = (RESULTS, PREDICTIONS, SPLIT, CARD)
_MODEL_FILES = ("config.json", "model.safetensors", "preprocessor_config.json")
_RUN_FOLDERS = (IMAGES, "runs")


def check_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse an output folder that holds something, unless the user said what to do with it.

    Raises:
        OptionError: The folder is in use, or is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--output_dir {folder}: is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (resume or overwrite):
        raise OptionError(
            f"--output_dir {folder}: already exists and is not empty; go on with it by --resume, replace the run in "
            "it by --overwrite_output_dir, or name another folder"
        )


def clear_folder(folder: Path) -> None:
    """Remove an earlier run's own files from the folder, and nothing else that lies in it."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_dir():
            ours = path.name in _RUN_FOLDERS or path.name.startswith(("checkpoint-", ".tmp-"))
            if ours and not path.is_symlink():
                shutil.rmtree(path)
        elif path.name in (*_RUN_FILES, *_MODEL_FILES) or path.name.endswith("_mel_lstm.py"):
            path.unlink()


def trained_ids(model_folder: Path, source: str, track_ids: set[str]) -> list[str]:
    """Return those of `track_ids` that a model folder's own split file has for training or validation.

    Ids of another source say nothing (every tree may have a `rock/01`), unless they are GTZAN's own numbers in both.
    """
    if not (model_folder / SPLIT).is_file() or not (model_folder / RESULTS).is_file():
        return []
    split, data = Split.load(model_folder / SPLIT), RunResult.load(model_folder / RESULTS).data
    ids = [item for part in ("train", "validation") for item in split.ids(part)]
    trained = {item.rsplit("#", 1)[0] if split.unit == "segment" else item for item in ids}
    shared = sorted(trained & track_ids)
    same_source = data.source == source
    both_gtzan = "demo" not in (data.source, source) and all(_GTZAN_ID.fullmatch(item) for item in shared)
    return shared if same_source or both_gtzan else []


def display_name(source: str) -> str:
    """Name a source without telling where on this machine it lies: a path's last component, an id as it is."""
    path = Path(source).expanduser()
    is_path = path.exists() or path.is_absolute() or source.startswith(".") or source.count("/") > 1
    return path.resolve().name if is_path else source
