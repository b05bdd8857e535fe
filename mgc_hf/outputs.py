"""The output folder of a run: what lies in it, when it may be used, and what is removed when it is overwritten."""

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_hf.data.listing import folder_name
from mgc_hf.data.protocols import Split
from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.files import write_json, write_text
from mgc_hf.models import OWN_MODELS
from mgc_hf.results import EVAL_RESULTS_FILE, PICTURE_FILES, WIDGET_FILES
from mgc_hf.schema import yaml_text

RESULTS = "results.json"
PREDICTIONS = "predictions.parquet"
FLOOR = "floor.parquet"
#: Written by `mgc-hf audit --output`, and of the run whose split it looks at.
AUDIT = "audit.json"
SPLIT = "split.json"
CARD = "README.md"
_WAYS = "go on with it by --resume, replace the run in it by --overwrite_output_dir, or name another folder"

RECORDINGS = "recordings.json"
RESOLVED = "resolved.yaml"

#: All that a run writes; overwriting removes these and nothing else.
_OUR_FILES = (
    RESULTS,
    PREDICTIONS,
    FLOOR,
    AUDIT,
    SPLIT,
    RECORDINGS,
    RESOLVED,
    CARD,
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "pipeline_genre.py",
)
#: Ends of the names of the code that our own models take along.
_CODE = tuple(f"_{model_type}.py" for model_type in OWN_MODELS)
_CHECKPOINTS = ("checkpoint-", ".tmp-")
_FOLD = "fold-"


def fold_folder(folder: Path, fold: int) -> Path:
    """Return the folder of one fold of a cross-validated run, which is that of an ordinary run."""
    return folder / f"{_FOLD}{fold}"


def fold_folders(folder: Path) -> list[Path]:
    """Return the fold folders that there are in a folder, by number."""
    found = [path for path in folder.glob(f"{_FOLD}*") if path.is_dir() and path.name[len(_FOLD) :].isdigit()]
    return sorted(found, key=lambda path: int(path.name[len(_FOLD) :]))


def check_folder(folder: Path, *, resume: bool = False, overwrite: bool = False, ways: str = _WAYS) -> None:
    """Refuse an output folder that holds something, unless the user said what to do with it.

    A folder in which a run has only begun (its split file alone) may be used again.

    Args:
        folder (`Path`): The folder.
        resume, overwrite (`bool`, *optional*, defaults to `False`): What the user said.
        ways (`str`, *optional*): The ways out that the error names.

    Raises:
        OptionError: The folder is in use or is no folder, or is to be overwritten and holds no run.
    """
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--output_dir {folder}: is a file; name a folder")
    if not folder.is_dir() or resume or {path.name for path in folder.iterdir()} <= {SPLIT}:
        return
    if not overwrite:
        raise OptionError(f"--output_dir {folder}: already exists and is not empty; {ways}")
    if not _holds_a_run(folder):
        raise OptionError(
            f"--output_dir {folder}: is not empty and holds no run of mgc_hf, so nothing in it is overwritten; name "
            "another folder, or empty it yourself"
        )


def _holds_a_run(folder: Path) -> bool:
    ours = (folder / SPLIT).is_file() or (folder / RESULTS).is_file()
    ours = ours or any((path / "manifest.json").is_file() for path in folder.glob("checkpoint-*"))
    return ours or any(_holds_a_run(path) for path in fold_folders(folder))


def clear_folder(folder: Path, num_folds: int = 0, kept: Collection[str] = ()) -> None:
    """Remove an earlier run's own files from the folder and its fold folders, and nothing else that lies in it.

    Args:
        folder (`Path`): The folder.
        num_folds (`int`, *optional*, defaults to 0): So many fold folders are to be used again: their split files stay, by
            which they are known as ours until the new fold begins.
        kept (`Collection[str]`, *optional*): Files of the folder that stay.
    """
    if not folder.is_dir():
        return
    again = [fold_folder(folder, fold) for fold in range(num_folds)]
    for fold in fold_folders(folder):
        if not fold.is_symlink():
            clear_folder(fold, kept=(SPLIT,) if fold in again else ())
            if not any(fold.iterdir()):
                fold.rmdir()
    for path in folder.iterdir():
        if path.is_symlink():
            continue
        if path.is_dir() and path.name.startswith(_CHECKPOINTS):
            shutil.rmtree(path)
        elif (path.name in _OUR_FILES and path.name not in kept) or path.name.endswith(_CODE):
            path.unlink()
    for name in (*PICTURE_FILES.values(), *WIDGET_FILES.values(), EVAL_RESULTS_FILE):
        file = folder / name
        file.unlink(missing_ok=True)
        if file.parent.is_dir() and not any(file.parent.iterdir()):
            file.parent.rmdir()


def begin(folder: Path, split: Split, overwrite: bool) -> None:
    """Make the folder that of this run: an earlier run's files go if they are to be overwritten, the split comes."""
    if overwrite:
        clear_folder(folder)
    split.save(folder / SPLIT)


@dataclass(frozen=True)
class Recordings:
    """Which recordings a run was made with.

    Args:
        sampling_rate (`int`): Rate at which they were decoded, Hz.
        heard (`frozenset[str]`): SHA-256 (hexadecimal) of the decoded samples of each track that the model was trained
            on or chosen by.
        tracks (`dict[str, dict[str, str]]`): Part -> track id -> SHA-256, of every part; empty in folders that were
            written before this was kept.
    """

    sampling_rate: int
    heard: frozenset[str]
    tracks: dict[str, dict[str, str]]


def save_recordings(folder: Path, sampling_rate: int, tracks: Mapping[str, Mapping[str, str]]) -> None:
    """Write which recordings a run was made with, so that an evaluation can tell a leak and a rerun other audio.

    Args:
        folder (`Path`): The model folder.
        sampling_rate (`int`): Rate at which they were decoded, Hz.
        tracks (`Mapping[str, Mapping[str, str]]`): Part -> track id -> SHA-256 (hexadecimal) of its decoded samples.
    """
    heard = {digest for part, digests in tracks.items() if part != "test" for digest in digests.values()}
    write_json(
        folder / RECORDINGS,
        {
            "sampling_rate": sampling_rate,
            "sha256": sorted(heard),
            "tracks": {part: dict(sorted(digests.items())) for part, digests in tracks.items()},
        },
    )


def read_recordings(folder: Path) -> Recordings | None:
    """Return what `save_recordings` wrote; `None` where there is no such file.

    Raises:
        CheckpointError: The file is there and cannot be read.
    """
    path = folder / RECORDINGS
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        tracks = {part: dict(digests) for part, digests in value.get("tracks", {}).items()}
        return Recordings(int(value["sampling_rate"]), frozenset(value["sha256"]), tracks)
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: is damaged ({error}); remove it to do without it") from error


def load_recordings(folder: Path, sampling_rate: int) -> frozenset[str] | None:
    """Return the recordings that a model was trained on or chosen by; `None` where not known, or of another rate.

    Raises:
        CheckpointError: The file is there and cannot be read.
    """
    found = read_recordings(folder)
    return found.heard if found is not None and found.sampling_rate == sampling_rate else None


def save_resolved(folder: Path, options: Mapping[str, Any]) -> None:
    """Write all options of a run as a file that a recipe takes by `--config`.

    Args:
        folder (`Path`): The model folder.
        options (`Mapping[str, Any]`): Option -> value, fit for the public (`record.public_options`).
    """
    text = yaml_text(dict(options), RESOLVED, sort_keys=True, width=1000)
    write_text(
        folder / RESOLVED,
        f"# All options of this run: --config {RESOLVED}. Of a local path only the name is kept.\n{text}",
    )


def display_name(source: str) -> str:
    """Name a source without telling where on this machine it lies: a path's last component, an id as it is."""
    path = Path(source).expanduser()
    is_path = path.exists() or path.is_absolute() or source.startswith(".") or source.count("/") > 1
    return folder_name(path) if is_path else source
