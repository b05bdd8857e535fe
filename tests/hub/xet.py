"""Large files that come by Xet: each client writes them into a folder of its own, and they are read back from there.

hf-xet takes `local:///FOLDER` for the address of a store, and then writes its blocks to that folder by itself; it serves
its authors' tests and is not documented (hf-xet 1.8). A commit names such a file by SHA-256 and size alone, so the
blocks that make it up are found in the index files ("shards") of the folder. Reading is for a process of its own:
`python -m tests.hub.xet FOLDER TARGET SHA256 ...`.
"""

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

_RECORD = 48  # bytes of the header and of every record of a shard
_HAS_VERIFICATION, _HAS_METADATA = 1 << 31, 1 << 30


class Stores:
    """The folders that clients write to, newest last.

    Args:
        root (`Path`): Where they lie; emptied at the start, since what is committed was taken from here.
    """

    def __init__(self, root: Path):
        shutil.rmtree(root, ignore_errors=True)
        self.root = root
        self.folders: list[Path] = []

    def open(self) -> str:
        """Return the address of a new folder: a second client cannot open the first one's."""
        folder = self.root / uuid.uuid4().hex
        folder.mkdir(parents=True)
        self.folders.append(folder)
        return f"local://{folder}"

    def fetch(self, wanted: set[str], target: Path) -> None:
        """Write the files of these hashes that some folder has to `target`, each under its SHA-256."""
        for folder in reversed(self.folders):
            here = wanted & {sha256 for sha256, _, _ in files_of(folder)}
            if here:
                _read(folder, sorted(here), target)
                wanted = {sha256 for sha256 in wanted if not (target / sha256).is_file()}


def _read(folder: Path, wanted: list[str], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        copy = shutil.copytree(folder, Path(scratch) / "copy")  # the client still has the folder open
        command = [sys.executable, "-m", "tests.hub.xet", str(copy), str(target), *wanted]
        environment = {**os.environ, "HF_HOME": scratch, "PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)


def files_of(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Yield SHA-256, Xet hash and size of each file that a folder's shards tell of."""
    for path in sorted((folder / "xet" / "xorbs" / "shards").glob("*.mdb")):
        yield from _files_of(path.read_bytes())


def _files_of(shard: bytes) -> Iterator[tuple[str, str, int]]:
    at = _RECORD
    while at + _RECORD <= len(shard) and shard[at : at + 32] != b"\xff" * 32:
        name, (flags, count) = shard[at : at + 32], struct.unpack_from("<II", shard, at + 32)
        blocks = range(at + _RECORD, at + _RECORD * (1 + count), _RECORD)
        size = sum(struct.unpack_from("<I", shard, block + 36)[0] for block in blocks)
        at += _RECORD * (1 + count * (2 if flags & _HAS_VERIFICATION else 1))
        if flags & _HAS_METADATA:
            yield _digits(shard[at : at + 32]), _digits(name), size
            at += _RECORD


def _digits(value: bytes) -> str:
    return "".join(f"{part:016x}" for part in struct.unpack("<4Q", value))


def main(folder: str, target: str, *wanted: str) -> None:
    """Write some files of a folder to another one."""
    import hf_xet

    infos = {sha256: hf_xet.XetFileInfo(name, size) for sha256, name, size in files_of(Path(folder))}
    with hf_xet.XetSession().new_file_download_group(endpoint=f"local://{folder}") as group:
        for sha256 in wanted:
            group.start_download_file(infos[sha256], f"{target}/{sha256}")


if __name__ == "__main__":
    main(*sys.argv[1:])
