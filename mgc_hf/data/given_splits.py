"""Anyone's split, as it was published: our JSON, a CSV, a text list for each part, or a folder with such lists.

Nothing is refused for being leaky: an id may stand in several parts, which is what an audit is to find. Entries are
found among the data's ids however they are written: `jazz.00003`, `jazz/jazz.00003.wav`, `genres/jazz/jazz.00003.au`,
and a segment (`jazz.00003#2`) by its track.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgc_hf.data.draws import UNUSED
from mgc_hf.data.facts import gtzan_track_id
from mgc_hf.data.listing import PART_NAMES, default_track_id, folder_name, is_audio_name, part_name
from mgc_hf.data.protocols import SPLIT_SCHEMA_VERSION, Split, listed_ids
from mgc_hf.data.tables import read_table
from mgc_hf.errors import OptionError, SourceError, SplitError
from mgc_hf.predictions import PARTS

_ID_COLUMNS = ("track_id", "id", "track", "clip", "name")
_SEGMENT = re.compile(r"#\d+(\+\d+)?$")
_FORMS = (
    "give a split.json, a CSV with the columns part and track_id, a folder with train.txt, valid.txt and test.txt, or "
    "train=FILE test=FILE"
)


@dataclass(frozen=True)
class GivenSplit:
    """A split as somebody gives it.

    Args:
        name (`str`): What it is called: the file's or folder's name.
        parts (`dict[str, tuple[str, ...]]`): From each track id to the parts that list it, in the order of `PARTS`;
            sorted by id.
        missing (`tuple[str, ...]`): Those of the ids that are not in the data, sorted.
        hash (`str`, *optional*): That of a split file of mgc_hf.
        notes (`tuple[str, ...]`): What is odd about the file, in words.
    """

    name: str
    parts: dict[str, tuple[str, ...]]
    missing: tuple[str, ...]
    hash: str | None = None
    notes: tuple[str, ...] = ()


def is_part_list(text: str) -> bool:
    """Whether an argument is a list for a part, `train=FILE`."""
    name, sign, _ = text.partition("=")
    return bool(sign) and part_name(name) is not None


def read_given_split(given: Sequence[str], ids: Iterable[str]) -> GivenSplit:
    """Read a split in any of its forms.

    Args:
        given (`Sequence[str]`): One path: a split file of mgc_hf (`.json`), a CSV with a header that names the part
            (`part`, `split`, ...) and the track (`track_id`, `id`, `path`, ...), or a folder with a list for each part
            (`train.txt`, `test_filtered.txt`); or several `PART=FILE`, each a text file with a track a line.
        ids (`Iterable[str]`): Track ids of the data.

    Returns:
        [`GivenSplit`]

    Raises:
        OptionError: The arguments are of no such form.
        SplitError: A file cannot be read or understood, or no entry is a track of the data.
    """
    known, hashed = set(ids), None
    notes: tuple[str, ...] = ()
    if any(is_part_list(text) for text in given):
        name, entries = _from_lists(given)
    elif len(given) != 1:
        raise OptionError(f"--split {' '.join(given)}: one split, or one list for each part; {_FORMS}")
    else:
        path = Path(given[0]).expanduser()
        name = folder_name(path)
        if path.suffix.casefold() == ".json":
            entries, hashed, notes = _from_split_file(path)
        else:
            entries = _from_path(path)
    found = _Finder(known)
    parts: dict[str, set[str]] = defaultdict(set)
    for part, entry in entries:
        parts[found(entry)].add(part)
    missing = sorted(set(parts) - known)
    if len(missing) == len(parts):
        raise SplitError(
            f"{name}: {listed_ids(missing, 3)}, and not one is a track of the data, whose ids are such as "
            f"{', '.join(sorted(known)[:3])}; give the split of these data"
        )
    ordered = {item: tuple(part for part in PARTS if part in parts[item]) for item in sorted(parts)}
    return GivenSplit(name, ordered, tuple(missing), hashed, notes)


def _from_split_file(path: Path) -> tuple[list[tuple[str, str]], str | None, tuple[str, ...]]:
    """Return entries, hash and notes of a split file of mgc_hf; of one that a run would refuse, its parts as they stand."""
    try:
        split = Split.load(path)
    except SplitError as error:
        entries = _listed_parts(path)
        if not entries:
            raise
        reason = str(error).removeprefix(f"{path}: ")
        return entries, None, (f"{path.name} is not as mgc_hf wrote it, and was read as it stands: {reason}.",)
    return [(part, item) for item, part in split.part_of.items() if part != UNUSED], split.hash, ()


def _listed_parts(path: Path) -> list[tuple[str, str]]:
    """Return what a split file lists, whatever else is wrong with it; nothing where it is none of this version."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["schema_version"] > SPLIT_SCHEMA_VERSION:
            return []
        return [(part, item) for part in PARTS for item in value["parts"].get(part, ()) if isinstance(item, str)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _from_path(path: Path) -> list[tuple[str, str]]:
    if path.is_dir():
        return _from_folder(path)
    suffix = path.suffix.casefold()
    if suffix in (".csv", ".tsv"):
        return _from_table(path)
    if suffix == ".txt" and path.exists():
        raise OptionError(
            f"--split {path}: which part is this the list of? Write train={path.name} test=...; {_FORMS}"
        )
    raise SplitError(f"{path}: no such split{'' if path.exists() else ', or no such file'}; {_FORMS}")


def _from_table(path: Path) -> list[tuple[str, str]]:
    try:
        table = read_table(path)
    except SourceError as error:
        raise SplitError(str(error)) from error
    written = {name.casefold(): name for name in table.header}
    named = [written[name] for name in _ID_COLUMNS if name in written]
    column = table.columns.get("track_id") or (named[0] if named else table.columns.get("path"))
    if column is None or not table.has("part"):
        raise SplitError(
            f"{path}: its first line has {', '.join(table.header)}; wanted is a header with the columns part and track_id"
        )
    entries = []
    for number, row in table.rows:
        word, item = row.get(table.columns["part"], ""), row.get(column, "")
        if not word or word.casefold() == UNUSED:
            continue
        part = part_name(word)
        if part is None or not item:
            what = f"the part {word!r}; allowed are {', '.join(PART_NAMES)}" if item else f"no {column}"
            raise SplitError(f"{path}: line {number} has {what}")
        entries.append((part, item))
    return entries


def _from_folder(folder: Path) -> list[tuple[str, str]]:
    lists: dict[str, Path] = {}
    for path in sorted(folder.glob("*.txt")):
        part = part_name(re.split(r"[\W_]", path.stem)[0])
        if part and part in lists:
            raise SplitError(f"{folder}: {lists[part].name} and {path.name} both name the {part} part; give one")
        if part:
            lists[part] = path
    if len(lists) < 2:
        raise SplitError(f"{folder}: has no text lists of two parts (train.txt, valid.txt, test.txt); {_FORMS}")
    return [(part, entry) for part, path in lists.items() for entry in _lines(path)]


def _from_lists(given: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    lists: dict[str, Path] = {}
    for text in given:
        word, _, file = text.partition("=")
        part = part_name(word) if is_part_list(text) else None
        if part is None or not file:
            raise OptionError(f"--split {text}: is no list for a part; write train=FILE test=FILE")
        if part in lists:
            raise OptionError(f"--split {text}: a list for {part} was given already ({lists[part]})")
        lists[part] = Path(file).expanduser()
    if len(lists) < 2:
        raise OptionError(f"--split {given[0]}: a split has two parts or more; write train=FILE test=FILE")
    name = ", ".join(path.name for path in lists.values())
    return name, [(part, entry) for part, path in lists.items() for entry in _lines(path)]


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise SplitError(f"{path}: cannot be read ({reason})") from error
    entries = [line.split("\t")[0].strip() for line in text.splitlines()]
    entries = [entry for entry in entries if entry and not entry.startswith("#")]
    if not entries:
        raise SplitError(f"{path}: lists no track")
    return entries


class _Finder:
    """From an entry to the id of the track that it means: one of the data's, or, for what is not there, its own."""

    def __init__(self, ids: set[str]):
        self._ids = ids
        ends = defaultdict(list)
        for item in ids:
            steps = self._bare(item).split("/")
            for start in range(len(steps)):
                ends["/".join(steps[start:])].append(item)
        self._by_end = {end: items[0] for end, items in ends.items() if len(items) == 1}

    @staticmethod
    def _bare(entry: str) -> str:
        if gtzan_track_id(entry) or not is_audio_name(entry):
            return entry
        return default_track_id(entry)

    def __call__(self, entry: str) -> str:
        if entry in self._ids:
            return entry
        entry = _SEGMENT.sub("", entry.replace("\\", "/")).removeprefix("./")
        bare = self._bare(entry)
        # it may tell more folders than the id does, or fewer
        for name in (entry, bare):
            steps = name.split("/")
            for start in range(len(steps)):
                if (rest := "/".join(steps[start:])) in self._ids:
                    return rest
        return self._by_end.get(bare, bare)
