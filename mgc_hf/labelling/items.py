"""What is to be labelled: files, folders, patterns, lists of names, rows of a data set; all of it read as it goes."""

import glob
import hashlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from mgc_hf.data.folder import walk_audio
from mgc_hf.data.listing import is_audio_name
from mgc_hf.errors import OptionError, SourceError

logger = logging.getLogger(__name__)

_LIST_BLOCK = 2**16  # bytes
_LATE_KEYS = 2**17


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of audio.

    Args:
        path (`str`): What it is called in the output: the path as it was given or found; of a row of a data set its
            split, number and, where it has one, name.
        content (`bytes`, *optional*): The file's content, where it is not to be read from `path`.
    """

    path: str
    content: bytes | None = None

    def __str__(self) -> str:
        return self.path

    @property
    def key(self) -> int:
        """A number of 64 bits that stands for the path."""
        return key_of(self.path)


def key_of(path: str) -> int:
    """Return the number of 64 bits that stands for a path (BLAKE2b).

    Of ten million paths two share a number with a probability of 3 in a million.
    """
    return int.from_bytes(hashlib.blake2b(path.encode("utf-8", "backslashreplace"), digest_size=8).digest(), "big")


class Keys:
    """A set of keys of paths, in 8 bytes each: most lie in one sorted array, those of late in a `set`."""

    def __init__(self, keys: np.ndarray | None = None):
        self._sorted = np.unique(keys) if keys is not None else np.zeros(0, np.uint64)
        self._late: set[int] = set()

    def __contains__(self, key: int) -> bool:
        if key in self._late:
            return True
        at = int(np.searchsorted(self._sorted, np.uint64(key)))
        return at < len(self._sorted) and int(self._sorted[at]) == key

    def add(self, key: int) -> None:
        """Put a key into the set."""
        self._late.add(key)
        if len(self._late) >= _LATE_KEYS:
            self._sorted = np.union1d(self._sorted, np.fromiter(self._late, np.uint64, len(self._late)))
            self._late.clear()


@dataclass(frozen=True)
class Share:
    """Which of several processes this one is; an item is the business of one of them, whatever their number and order.

    Args:
        rank (`int`): From 0.
        world_size (`int`): Processes.
    """

    rank: int = 0
    world_size: int = 1

    @classmethod
    def from_launcher(cls) -> "Share":
        """Read what `torchrun` and `accelerate launch` tell their processes.

        Raises:
            OptionError: `RANK` and `WORLD_SIZE` are no such numbers.
        """
        try:
            rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        except ValueError as error:
            raise OptionError(f"RANK and WORLD_SIZE must be numbers, as torchrun sets them: {error}") from error
        if not 0 <= rank < world_size:
            raise OptionError(
                f"RANK is {rank} and WORLD_SIZE {world_size}; RANK must be below it, as torchrun sets it"
            )
        return cls(rank, world_size)

    def owns(self, key: int) -> bool:
        """Whether an item of this key is this process's."""
        return key % self.world_size == self.rank


def items_of(arguments: Sequence[str], lists: Sequence[str] = ()) -> Iterator[Item]:
    """Yield the files that arguments and lists name, each path once.

    Args:
        arguments (`Sequence[str]`): Files, folders (all audio in and below them), or patterns (`*`, `?`, `[...]`, `**`)
            of files. A file or folder of that very name is taken before a pattern.
        lists (`Sequence[str]`): Text files of one path a line, or with NUL between them (`find -print0`); `-` is the
            standard input. Paths stand as they are, spaces and quotes included.

    Raises:
        OptionError: A folder or pattern without audio, or a list that cannot be read.
        SourceError: A folder cannot be read.
    """
    sources = [*map(_of_argument, arguments), *map(_of_list, lists)]
    alone = len(arguments) == 1 and not lists and os.path.isdir(arguments[0])
    seen = Keys()
    for source in sources:
        for path in source:
            item = Item(path)
            if not alone:  # what is named twice in lists, folders and patterns; one folder holds a path once
                if item.key in seen:
                    continue
                seen.add(item.key)
            yield item


def _of_argument(argument: str) -> Iterator[str]:
    if os.path.isdir(argument):
        # a folder below that cannot be read gets an error row of its own, the rest is still labelled
        found = map(str, walk_audio(argument, stop_at_unreadable=False))
        yield from _some(found, f"{argument}: no audio file in this folder")
    elif not os.path.lexists(argument) and glob.has_magic(argument):
        named = (path for path in sorted(glob.iglob(argument, recursive=True)) if is_audio_name(path))
        yield from _some(
            (path for path in named if not os.path.isdir(path)), f"{argument}: no audio file is named like this"
        )
    else:
        yield argument  # a missing file gets its own error row, the others are still read


def _some(paths: Iterable[str], without: str) -> Iterator[str]:
    paths = iter(paths)
    first = next(paths, None)
    if first is None:
        raise OptionError(without)
    yield first
    yield from paths


def _of_list(name: str) -> Iterator[str]:
    if name == "-":
        yield from _paths_in(sys.stdin.buffer)
        return
    try:
        with open(name, "rb") as opened:
            yield from _paths_in(opened)
    except OSError as error:
        raise OptionError(f"--list {name}: cannot be read ({error.strerror})") from error


def _paths_in(opened: IO[bytes]) -> Iterator[str]:
    """Yield the paths of a list, whose first line tells what stands between them."""
    rest, end = b"", b""
    while block := opened.read(_LIST_BLOCK):
        if not rest and not end:
            block = block.removeprefix(b"\xef\xbb\xbf")
        rest += block
        end = end or (b"\0" if b"\0" in block else b"\n" if b"\n" in block else b"")
        if end:
            *whole, rest = rest.split(end)
            yield from _as_paths(whole, end)
    yield from _as_paths([rest], end or b"\n")


def _as_paths(names: Iterable[bytes], end: bytes) -> Iterator[str]:
    for name in names:
        name = name.removesuffix(b"\r") if end == b"\n" else name
        if name:
            yield os.fsdecode(name)


def rows_of_dataset(
    source: str, split: str | None = None, revision: str | None = None, column: str | None = None
) -> Iterator[Item]:
    """Yield the rows of a data set, streamed: nothing is prepared or downloaded beyond what is read.

    Args:
        source (`str`): A Parquet file, a folder of them, or a Hub id.
        split (`str`, *optional*): One of its splits; all of them where not given.
        revision (`str`, *optional*): Branch, tag or commit on the Hub.
        column (`str`, *optional*): The column of audio (`{"bytes", "path"}`, as `datasets` keeps it); where not given
            the first of that form.

    Raises:
        SourceError: There is no such data set, or no column of audio in it.
    """
    import datasets

    try:
        if os.path.exists(source):
            files = [source] if os.path.isfile(source) else sorted(map(str, Path(source).rglob("*.parquet")))
            if not files:
                raise SourceError(
                    f"{source}: no Parquet file in this folder; folders of audio are given without --dataset"
                )
            loaded = {split or "train": _stream_parquet(files)}
        else:
            found = datasets.load_dataset(source, split=split, revision=revision, streaming=True)
            loaded = dict(found) if isinstance(found, dict) else {split or "train": found}
    except SourceError:
        raise
    except Exception as error:  # datasets raises whatever its builders and clients do
        raise SourceError(
            f"--dataset {source}: cannot be read ({type(error).__name__}: {_first_line(error)})"
        ) from error
    try:
        for name, data in loaded.items():
            yield from _rows(source, name, data, column)
    except SourceError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {_first_line(error)}"
        raise SourceError(
            f"--dataset {source}: cannot be read on ({reason}); --resume goes on after what is labelled"
        ) from error


def _stream_parquet(files: Sequence[str]) -> Any:
    import datasets

    return datasets.load_dataset("parquet", data_files=list(files), split="train", streaming=True)


def _rows(source: str, split: str, data: Any, column: str | None) -> Iterator[Item]:
    import datasets

    features = data.features or {}
    found = [name for name, feature in features.items() if isinstance(feature, datasets.Audio) or _is_file(feature)]
    if column is not None and column not in features:
        raise SourceError(f"--dataset {source}: no column {column}; it has {', '.join(features) or 'none'}")
    if column is None and not found:
        raise SourceError(
            f"--dataset {source}: no column of audio; it has {', '.join(features) or 'none'}; name one by --column"
        )
    column = column or found[0]
    if isinstance(features.get(column), datasets.Audio):
        data = data.cast_column(column, datasets.Audio(decode=False))
    for index, row in enumerate(data.select_columns([column])):
        audio = row[column] or {}
        path = audio.get("path")
        name = f"{split}/{index}" + (f"/{os.path.basename(path)}" if path else "")
        content = audio.get("bytes")
        if content is None and path and os.path.exists(path):
            content = Path(path).read_bytes()
        yield Item(name, content if content is not None else b"")


def _is_file(feature: Any) -> bool:
    return isinstance(feature, dict) and {"bytes", "path"} <= set(feature)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]
