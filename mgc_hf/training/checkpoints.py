"""Checkpoints that are whole or not there: staged under a temporary name, listed in a manifest, synced, renamed.

A checkpoint `checkpoint-N` is whole if its `manifest.json`, written last, can be read and every file that it lists
has the size that it lists; and if the checkpoint of the best epoch that it refers to is whole, since a run that goes
on without its best epoch would end with other weights. Deletion starts with a rename too, so a kill at any moment
leaves whole checkpoints and temporary names, nothing between.

Only files are handled here; what is in them is the Trainer's matter (`checkpointing.py`).
"""

import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_hf.errors import CheckpointError, LabelError
from mgc_hf.files import free_bytes, set_normal_mode, sync_path

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = 1

_NAME = re.compile(r"checkpoint-(\d+)")
_TEMPORARY = ".tmp-checkpoint-"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint.

    Args:
        path (`Path`): Its folder.
        step (`int`): Optimiser steps done.
        best_step (`int`, *optional*): Step of the best epoch so far; `None` where nothing was validated.
        signature (`dict`): What a run must agree with to go on from here.
    """

    path: Path
    step: int
    best_step: int | None
    signature: dict[str, Any]


def checkpoint_path(output_dir: str | Path, step: int) -> Path:
    """Return the folder of the checkpoint after `step` optimiser steps."""
    return Path(output_dir) / f"checkpoint-{step}"


def list_checkpoints(output_dir: str | Path) -> list[tuple[int, Path]]:
    """Return `(step, folder)` of everything named like a checkpoint, whole or not, by rising step."""
    if not Path(output_dir).is_dir():
        return []
    found = ((_NAME.fullmatch(path.name), path) for path in Path(output_dir).iterdir() if path.is_dir())
    return sorted((int(match[1]), path) for match, path in found if match)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint's manifest and check it against the files.

    Raises:
        CheckpointError: It is not whole; the text says what is missing or of another size.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        version, step, best_step = manifest["format"], int(manifest["step"]), manifest["best_step"]
        files, signature = dict(manifest["files"]), dict(manifest["signature"])
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.name}: {MANIFEST} is missing") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path.name}: {MANIFEST} cannot be read ({error})") from error
    if version != FORMAT:
        raise CheckpointError(f"{path.name}: has format {version}, this mgc_hf reads format {FORMAT}")
    for name, size in files.items():
        try:
            found = (path / name).stat().st_size
        except OSError as error:
            raise CheckpointError(f"{path.name}: {name} is missing") from error
        if found != size:
            raise CheckpointError(f"{path.name}: {name} has {found} bytes instead of {size}")
    if best_step is not None and best_step != step:
        best = checkpoint_path(path.parent, best_step)
        try:
            read_checkpoint(best)
        except CheckpointError as error:
            raise CheckpointError(f"{path.name}: the best epoch's {error}") from error
    return Checkpoint(path, step, best_step, signature)


def newest_whole(output_dir: str | Path) -> Checkpoint | None:
    """Return the newest whole checkpoint, with a warning that names those passed over; `None` where there are none.

    Raises:
        CheckpointError: There are checkpoints, and none is whole.
    """
    broken = []
    for _, path in reversed(list_checkpoints(output_dir)):
        try:
            checkpoint = read_checkpoint(path)
        except CheckpointError as error:
            broken.append(str(error))
            continue
        if broken:
            logger.warning("resuming from %s; passed over as incomplete: %s", path.name, "; ".join(broken))
        return checkpoint
    if broken:
        refused = CheckpointError(
            f"{output_dir}: no checkpoint is whole ({'; '.join(broken)}); nothing was changed. Start anew with "
            "--overwrite_output_dir, or choose another --output_dir"
        )
        refused.exit_status = 2  # --resume cannot be what is wanted here
        raise refused
    return None


def find_resumable(output_dir: str | Path, signature: dict[str, Any]) -> Checkpoint | None:
    """Return the checkpoint that `--resume` goes on from, checked against what the run is about to do.

    Cheap: a run can call it before it prepares its data.

    Args:
        output_dir (`str` or `Path`): The run's folder.
        signature (`dict`): What must be the same as before; the key `labels` (a list of class names) has an error of
            its own. Keys that only one side has are not compared.

    Returns:
        [`Checkpoint`] or `None`: `None` where the folder has no checkpoint at all.

    Raises:
        CheckpointError: No checkpoint is whole, or something else in the signature differs.
        LabelError: The labels differ; both lists are shown.
    """
    checkpoint = newest_whole(output_dir)
    if checkpoint is not None:
        _compare(checkpoint, json.loads(json.dumps(signature)))
    return checkpoint


def _compare(checkpoint: Checkpoint, signature: dict[str, Any]) -> None:
    before, now = checkpoint.signature.get("labels"), signature.get("labels")
    if before is not None and now is not None and before != now:
        raise LabelError(
            f"{checkpoint.path} was trained for the labels {before}, the data now has {now}; resume with the data "
            "that the run began with, or start anew with --overwrite_output_dir",
            unknown=[label for label in now if label not in before],
            missing=[label for label in before if label not in now],
        )
    differing = list(_differences(checkpoint.signature, signature))
    if differing:
        raise CheckpointError(
            f"{checkpoint.path} belongs to another run: {'; '.join(differing)}. Resume with the same data and options, "
            "or start anew with --overwrite_output_dir"
        )


def _differences(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Yield what differs, looking into nested dictionaries; keys that only one side has are not compared."""
    for name in sorted(before.keys() & now.keys()):
        if isinstance(before[name], dict) and isinstance(now[name], dict):
            yield from _differences(before[name], now[name])
        elif before[name] != now[name]:
            yield f"{name} was {before[name]}, is now {now[name]}"


def stage(output_dir: str | Path, step: int) -> Path:
    """Return the temporary folder that a checkpoint is written into."""
    return Path(output_dir) / f"{_TEMPORARY}{step}"


def commit(
    staged: Path, output_dir: str | Path, step: int, *, best_step: int | None, signature: dict[str, Any]
) -> Checkpoint:
    """Complete a staged checkpoint with its manifest, sync it and give it its name.

    A checkpoint of the same step that is there already (it can only be a broken one, passed over on resume) makes
    room first.

    Raises:
        OSError: The disk refused.
    """
    files = [path for path in sorted(staged.rglob("*")) if path.is_file()]
    for path in files:
        set_normal_mode(path)
        sync_path(path)
    manifest = {
        "format": FORMAT,
        "id": uuid.uuid4().hex,  # tells it from a checkpoint of the same step on another machine's disk
        "step": step,
        "best_step": best_step,
        "files": {path.relative_to(staged).as_posix(): path.stat().st_size for path in files},
        "signature": signature,
    }
    target = staged / MANIFEST
    target.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    sync_path(target)
    sync_path(staged)
    final = checkpoint_path(output_dir, step)
    if final.exists():
        delete(final)
    os.rename(staged, final)
    sync_path(final.parent)
    return Checkpoint(final, step, best_step, signature)


def delete(path: Path) -> None:
    """Delete a checkpoint: renamed to a temporary name first, so that it is never there in part."""
    doomed = path.with_name(f"{_TEMPORARY}{path.name}-deleted")
    shutil.rmtree(doomed, ignore_errors=True)
    os.rename(path, doomed)
    shutil.rmtree(doomed)


def rotate(output_dir: str | Path, newest: Checkpoint, limit: int | None) -> None:
    """Delete old checkpoints once `newest` is whole.

    Kept are `newest`, the one of the best epoch, and the next newest whole ones up to `limit` in all (`None`: all).
    Broken ones go, and so do those of later steps: the run that wrote them was resumed from before them.
    """
    keep = {newest.step} if newest.best_step is None else {newest.step, newest.best_step}
    for step, path in reversed(list_checkpoints(output_dir)):
        if step in keep:
            continue
        if step < newest.step and (limit is None or len(keep) < limit) and _is_whole(path):
            keep.add(step)
        else:
            delete(path)


def _is_whole(path: Path) -> bool:
    try:
        read_checkpoint(path)
    except CheckpointError:
        return False
    return True


def clean(output_dir: str | Path) -> None:
    """Delete what a killed run left under temporary names."""
    for path in Path(output_dir).glob(f"{_TEMPORARY}*"):
        shutil.rmtree(path, ignore_errors=True)


def write_failure(path: str | Path, what: str, needed: int, error: BaseException) -> CheckpointError:
    """Return the error for a disk that refused, with the space that is needed and the space that is there.

    Args:
        path (`str` or `Path`): What could not be written.
        what (`str`): What is intact, and how to go on.
        needed (`int`): Size of the whole, in bytes.
        error (`BaseException`): The cause.
    """
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return CheckpointError(
        f"{path}: could not be written ({reason}); it needs about {needed / 2**20:.1f} MiB, {free_bytes(path) / 2**20:.1f} MiB are "
        f"free on that disk. {what}"
    )
