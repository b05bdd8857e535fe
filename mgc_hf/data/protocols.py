"""Named protocols: how tracks or segments are divided into training, validation and test parts, and what that leaks.

One division is a `Split`, kept as a small file, so that a run can be repeated on another machine and in another file
order. `docs/protocols.md` is the page for users.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_hf.data.draws import UNUSED, Draw, stratified_draw
from mgc_hf.data.facts import gtzan_course, gtzan_fault_filtered, recording_of
from mgc_hf.errors import SplitError
from mgc_hf.files import write_json
from mgc_hf.predictions import PARTS

#: Raised whenever a key of the split file is added, removed or changes meaning.
#: Version 2 may list ids that are in no part (`unused`); version 1 is read.
SPLIT_SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Protocol:
    """A named way of dividing data.

    Args:
        name (`str`): As in options, split files and records.
        unit (`str`): What is divided: `track`, or `segment` (then ids are segment ids, `blues.00000#3`).
        leaky (`bool`): Whether the same track is on both sides of the split by construction.
        statement (`str`): What it does and what it leaks, in words for card and report.
        draw (`Draw`, *optional*): Assigns the parts. `None`: that takes more than ids and genres ([`make_split`] calls
            it), or the parts come with the data.
        on_request (`bool`, *optional*, defaults to `True`): Whether it can be asked for by name.
        left_out (`str`, *optional*): How ids come to be in no part.
        has_validation (`bool`, *optional*, defaults to `True`): Whether a validation part may be asked for; without one
            the number of epochs is fixed.
        listed (`Callable`, *optional*): Gives the part of each of GTZAN's tracks, where the protocol is a published list.
    """

    name: str
    unit: str
    leaky: bool
    statement: str
    draw: Draw | None = None
    on_request: bool = True
    left_out: str = "by the draw"
    has_validation: bool = True
    listed: Callable[[], dict[str, str]] | None = None


#: Every protocol by name. A new one is an entry here and a section in `docs/protocols.md`.
PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="track",
            unit="track",
            leaky=False,
            statement=(
                "Tracks are divided at random within each genre; all segments of a track are in one part, so no track "
                "is both trained on and tested on. Artists and repeated recordings are not kept apart."
            ),
            draw=stratified_draw,
        ),
        Protocol(
            name="segment",
            unit="segment",
            leaky=True,
            statement=(
                "This split is leaky: segments are shuffled regardless of their track, as in the paper, so segments "
                "of one track are in training and in test at once. The scores say how well known tracks are "
                "recognised again, not how well the genre of unseen music is found."
            ),
            draw=stratified_draw,
        ),
        Protocol(
            name="artist",
            unit="track",
            leaky=False,
            statement=(
                "Tracks are divided at random so that no artist is in two parts and each genre is near its shares. "
                "Spellings of one name are one artist, and a joint credit keeps its artists together. A track whose "
                "artist is not known counts as an artist of its own, unless it was left out."
            ),
            left_out="since their artist is not known",
        ),
        Protocol(
            name="fault_filtered",
            unit="track",
            leaky=False,
            statement=(
                "The parts are the fault-filtered lists for GTZAN of Kereliuk, Sturm and Larsen (2015): 443 tracks for "
                "training, 197 for validation and 290 for testing; 70 are left out as faulty. By normalised names and "
                "joint credits three artists are in two parts: Bob Marley in training and test, Shania Twain and Donna "
                "Summer in training and validation; 81 of the tracks have no known artist."
            ),
            left_out="as faulty",
            listed=gtzan_fault_filtered,
        ),
        Protocol(
            name="course",
            unit="track",
            leaky=False,
            statement=(
                "The parts are those of the Hugging Face audio course, for comparison with its figures only: 899 of the 999 "
                "tracks of marsyas/gtzan for training and 100 for testing, drawn regardless of genre and artist (seed 42). "
                "79 of the 100 test tracks have their artist in training, and 9 have no known artist. The course also "
                "chooses its epoch on the test part; here the number of epochs is fixed."
            ),
            left_out="since that copy of GTZAN lacks them",
            has_validation=False,
            listed=gtzan_course,
        ),
        Protocol(
            name="kfold",
            unit="track",
            leaky=False,
            statement=(
                "Cross-validation: tracks are dealt into folds that are alike in their genres, and each fold is the test "
                "part of a model that was trained on all others, so that every track is tested on once and no model is "
                "tested on a track that it was trained on."
            ),
            left_out="since their artist is not known",
            has_validation=False,
        ),
        Protocol(
            name="source",
            unit="track",
            leaky=False,
            statement=(
                "The parts are those that the data set itself defines; each track is in one part. Whether artists or "
                "recordings are shared between parts is up to the data set and was not checked."
            ),
            on_request=False,
        ),
    )
}


@dataclass(frozen=True)
class Split:
    """Which id is in which part.

    Args:
        protocol (`str`): A key of `PROTOCOLS`.
        unit (`str`): The protocol's unit, `track` or `segment`.
        seed (`int`, *optional*): Seed of the draw, `None` where nothing was drawn.
        part_of (`dict[str, str]`): From id to `train`, `validation` or `test`; or to `unused`, where a draw of so many
            tracks has left it out.

    Raises:
        SplitError: Unknown protocol, wrong unit, unknown part, or no id at all.
    """

    protocol: str
    unit: str
    seed: int | None
    part_of: dict[str, str]

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise SplitError(f"unknown protocol {self.protocol!r}; known are {', '.join(PROTOCOLS)}")
        expected = PROTOCOLS[self.protocol].unit
        if self.unit != expected:
            raise SplitError(f"protocol {self.protocol} divides {expected}s, but the split's unit is {self.unit!r}")
        unknown = sorted({str(part) for part in self.part_of.values()} - {*PARTS, UNUSED})
        if unknown:
            raise SplitError(f"unknown part {', '.join(unknown)}; allowed are {', '.join(PARTS)}, {UNUSED}")
        if not self.part_of:
            raise SplitError("the split holds no ids")

    @property
    def leaky(self) -> bool:
        """Whether the same track is on both sides by construction."""
        return PROTOCOLS[self.protocol].leaky

    @property
    def statement(self) -> str:
        """The protocol's statement, which part this split does without, and how many ids are in none."""
        protocol = PROTOCOLS[self.protocol]
        lines = [protocol.statement]
        if counts := listed_tracks_held(self.protocol, self.part_of):
            lines.append(counts)
        if not self.ids("test"):
            lines.append("It has no test part of its own: the test tracks come from other data.")
        if not self.ids("validation"):
            lines.append("It has no validation part: no epoch was chosen by its score.")
        if unused := self.ids(UNUSED):
            lines.append(f"{len(unused)} {self.unit}s were left out {protocol.left_out} and are in no part.")
        return " ".join(lines)

    @property
    def hash(self) -> str:
        """SHA-256 (hexadecimal) of protocol, unit, seed and the sorted ids of each part as canonical JSON."""
        canonical = json.dumps(self._content(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    def _content(self) -> dict[str, Any]:
        parts = {part: self.ids(part) for part in sorted((*PARTS, UNUSED))}
        if not parts[UNUSED]:  # only where there are any: other splits keep their hash
            del parts[UNUSED]
        return {"parts": parts, "protocol": self.protocol, "seed": self.seed, "unit": self.unit}

    def ids(self, part: str) -> list[str]:
        """Return the ids of one part, or those that are `unused`, sorted.

        Raises:
            ValueError: There is no such part.
        """
        if part not in (*PARTS, UNUSED):
            raise ValueError(f"unknown part {part!r}; allowed are {', '.join(PARTS)}, {UNUSED}")
        return sorted(item for item, its_part in self.part_of.items() if its_part == part)

    def check(self, ids: Iterable[str]) -> None:
        """Make sure that the split and the data hold the same ids.

        Args:
            ids (`Iterable[str]`): Ids of the data, in the split's unit.

        Raises:
            SplitError: Ids are missing on either side; both lists are shown.
        """
        found = set(ids)
        not_in_data, not_in_split = sorted(set(self.part_of) - found), sorted(found - set(self.part_of))
        if not_in_data or not_in_split:
            raise SplitError(
                f"the split and the data do not fit: {listed_ids(not_in_data)} in the split but not in the data; "
                f"{listed_ids(not_in_split)} in the data but not in the split. "
                "Use the data that the split was made for, or make a new split"
            )

    def save(self, path: str | Path) -> None:
        """Write the split file (JSON, keys and ids sorted) atomically."""
        write_json(path, dict(sorted({**self._content(), **self._seal()}.items())))

    def _seal(self) -> dict[str, Any]:
        return {"hash": self.hash, "schema_version": SPLIT_SCHEMA_VERSION}

    @classmethod
    def load(cls, path: str | Path) -> "Split":
        """Read what `save` wrote.

        Raises:
            SplitError: The file is missing or no split file, its schema is newer, a key is unknown or missing, an id
                is listed twice, the protocol is unknown, or the hash does not fit the content. The text names the file.
        """
        try:
            value = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SplitError(f"{path}: cannot be read as a split file ({error})") from error
        try:
            return cls._from_dict(value)
        except SplitError as error:
            raise SplitError(f"{path}: {error}") from error

    @classmethod
    def _from_dict(cls, value: Any) -> "Split":
        if not isinstance(value, dict) or not _is_int(value.get("schema_version")):
            raise SplitError("schema_version is missing; this is no split file of mgc_hf")
        if value["schema_version"] > SPLIT_SCHEMA_VERSION:
            raise SplitError(
                f"schema_version {value['schema_version']} is newer than this mgc_hf reads ({SPLIT_SCHEMA_VERSION}); "
                "update it with pip install -U mgc_hf"
            )
        _check_keys(value, ("hash", "parts", "protocol", "schema_version", "seed", "unit"), "")
        _check_keys(value["parts"], PARTS, "parts.", optional=(UNUSED,) if value["schema_version"] >= 2 else ())
        if not (value["seed"] is None or _is_int(value["seed"])):
            raise SplitError(f"seed must be a whole number or null, got {value['seed']!r}")
        part_of: dict[str, str] = {}
        for part, ids in value["parts"].items():
            if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
                raise SplitError(f"parts.{part} must be a list of ids")
            repeated = sorted(
                {item for item in ids if item in part_of} | {i for i, n in Counter(ids).items() if n > 1}
            )
            if repeated:
                raise SplitError(f"{listed_ids(repeated)} listed twice")
            part_of.update(dict.fromkeys(ids, part))
        split = cls(value["protocol"], value["unit"], value["seed"], part_of)
        if split.hash != value["hash"]:
            raise SplitError(
                f"its hash is {value['hash']!r}, but its content gives {split.hash}: the file was changed after it "
                "was written. Take the original, or make a new split"
            )
        return split


def askable_protocols() -> list[str]:
    """Return the names of the protocols that can be asked for; the parts of the others come with the data."""
    return [name for name, entry in PROTOCOLS.items() if entry.on_request]


def listed_tracks_held(protocol: str, part_of: Mapping[str, str]) -> str | None:
    """Say how many tracks of a protocol's lists are at hand, where there are lists and that is not all."""
    entry = PROTOCOLS[protocol]
    if entry.listed is None:
        return None
    listed = Counter(entry.listed().values())
    held = Counter({recording_of(item): part for item, part in part_of.items()}.values())
    parts = [part for part in PARTS if listed[part]]
    if all(held[part] == listed[part] for part in parts):
        return None
    counts = [f"{held[part]} of {listed[part]} {part}" for part in parts]
    return f"Of the lists' tracks these data hold {', '.join(counts[:-1])} and {counts[-1]}."


def _check_keys(value: Any, needed: Sequence[str], where: str, optional: Sequence[str] = ()) -> None:
    if not isinstance(value, dict):
        raise SplitError(f"{where.removesuffix('.')} must be an object")
    unknown, missing = sorted(set(value) - {*needed, *optional}), sorted(set(needed) - set(value))
    if unknown or missing:
        kind, names = ("unknown", unknown) if unknown else ("missing", missing)
        raise SplitError(f"{kind} key {', '.join(where + name for name in names)}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def listed_ids(ids: Sequence[str], limit: int = 10) -> str:
    """Return how many ids there are, and the first of them, in words for messages."""
    noun = "id" if len(ids) == 1 else "ids"
    if not ids:
        return "no ids"
    more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
    return f"{len(ids)} {noun} ({', '.join(ids[:limit])}{more})"
