"""A checkpoint for machines that do not share the main process's disk: sent by broadcast, kept in a temporary folder."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import broadcast, gather_object

from mgc_hf.distributed import on_main, raise_together
from mgc_hf.training.checkpoints import MANIFEST

#: Bytes per broadcast, so that memory does not grow with the file.
_CHUNK = 64 * 2**20

#: Files that hold weights and their names; optimizer and random states are only read to train on.
WEIGHTS = (".safetensors", ".json")


@contextmanager
def mirrored(checkpoint: Path, suffixes: tuple[str, ...] = ("",)) -> Iterator[Path]:
    """Give every process a folder from which it can read a checkpoint; every process must enter.

    Where all see the main process's folder it is that one. Otherwise the files are sent, and on each machine without
    that disk one process keeps them in a temporary folder until the block ends.

    Args:
        checkpoint (`Path`): A whole checkpoint, as the main process sees it.
        suffixes (`tuple[str, ...]`, *optional*): Endings of the names of the files that are needed; all by default.

    Yields:
        `Path`: The folder for this process.

    Raises:
        OSError: A temporary folder could not be written; the others raise `DistributedError`.
    """
    state = PartialState()
    manifest = on_main((checkpoint / MANIFEST).read_bytes)
    temporary = failure = None
    if state.is_local_main_process and not _holds(checkpoint, manifest):
        try:
            temporary = Path(tempfile.mkdtemp(prefix="mgc_hf-checkpoint-"))
        except OSError as error:
            failure = error
    try:
        raise_together(failure)
        folders = gather_object([str(temporary or checkpoint)])
        is_sent = len(set(folders)) > 1
        if is_sent:
            _send(checkpoint, suffixes, temporary)
        yield Path(folders[state.process_index - state.local_process_index])
        if is_sent:
            state.wait_for_everyone()  # others of this machine may still read
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _holds(folder: Path, manifest: bytes) -> bool:
    try:
        return (folder / MANIFEST).read_bytes() == manifest
    except OSError:
        return False


def _send(checkpoint: Path, suffixes: tuple[str, ...], target: Path | None) -> None:
    """Broadcast the checkpoint's files from the main process; written to `target` by those that have one."""

    def list_files() -> dict[str, int]:
        files = [path for path in sorted(checkpoint.rglob("*")) if path.is_file() and path.name.endswith(suffixes)]
        return {path.relative_to(checkpoint).as_posix(): path.stat().st_size for path in files}

    failure: OSError | None = None
    for name, size in on_main(list_files).items():
        chunks = (_send_chunk(checkpoint / name, at, min(_CHUNK, size - at)) for at in range(0, size, _CHUNK))
        if target is not None and failure is None:
            try:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                with open(target / name, "wb") as file:
                    file.writelines(chunks)
            except OSError as error:
                failure = error  # told when all has been sent: the others are in the broadcast
        for _ in chunks:
            pass
    raise_together(failure)


def _send_chunk(path: Path, start: int, size: int) -> bytes:
    state = PartialState()
    chunk = torch.zeros(size, dtype=torch.uint8)
    if state.is_main_process:
        chunk = torch.from_numpy(np.fromfile(path, dtype=np.uint8, count=size, offset=start))
    return broadcast(chunk.to(state.device)).cpu().numpy().tobytes()
