"""Named protocols: how tracks or segments are divided into training, validation and test parts, and what that leaks.

One division is a `Split`, kept as a small file, so that a run can be repeated on another machine and in another file
order. `docs/protocols.md` is the page for users.
"""

import difflib
import hashlib
import json
import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_hf.data.artists import artist_groups, known
from mgc_hf.data.draws import UNUSED, Draw, PartSizes, stratified_draw
from mgc_hf.data.facts import gtzan_fault_filtered, recording_of
from mgc_hf.data.group_draw import group_draw
from mgc_hf.errors import OptionError, SplitError
from mgc_hf.files import write_json
from mgc_hf.predictions import PARTS

#: Raised whenever a key of the split file is added, removed or changes meaning.
#: Version 2 may list ids that are in no part (`unused`); version 1 is read.
SPLIT_SCHEMA_VERSION = 2

UNITS = ("track", "segment")

#: What protocol `artist` does with a track whose artist is not known.
UNKNOWN_ARTIST = ("own_group", "leave_out")


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
    """

    name: str
    unit: str
    leaky: bool
    statement: str
    draw: Draw | None = None
    on_request: bool = True
    left_out: str = "by the draw"


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
        if self.protocol == "fault_filtered" and (counts := _listed_tracks_held(self.part_of)):
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
                f"the split and the data do not fit: {_listed(not_in_data)} in the split but not in the data; "
                f"{_listed(not_in_split)} in the data but not in the split. "
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
                raise SplitError(f"{_listed(repeated)} listed twice")
            part_of.update(dict.fromkeys(ids, part))
        split = cls(value["protocol"], value["unit"], value["seed"], part_of)
        if split.hash != value["hash"]:
            raise SplitError(
                f"its hash is {value['hash']!r}, but its content gives {split.hash}: the file was changed after it "
                "was written. Take the original, or make a new split"
            )
        return split


def make_split(
    ids: Sequence[str],
    genres: Sequence[str],
    protocol: str = "track",
    *,
    seed: int = 0,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.25,
    train_tracks_per_genre: int = 0,
    test_tracks_per_genre: int = 0,
    artists: Sequence[str | None] | None = None,
    unknown_artist: str = "own_group",
) -> Split:
    """Divide ids into parts by a named protocol.

    Args:
        ids (`Sequence[str]`): Track ids, or segment ids where the protocol's unit is `segment`. Their order is of no
            consequence.
        genres (`Sequence[str]`): Genre name of each id.
        protocol (`str`, *optional*, defaults to `"track"`): A key of `PROTOCOLS` that can be asked for. Under
            `fault_filtered` the lists say which id is where, and neither seed nor fractions have an effect.
        seed (`int`, *optional*, defaults to 0): Seed of the draw.
        validation_fraction (`float`, *optional*, defaults to 0.15): Share of each genre for validation; 0: no such part.
        test_fraction (`float`, *optional*, defaults to 0.25): Share of each genre for testing; 0: no such part (the
            test part comes from other data).
        train_tracks_per_genre (`int`, *optional*, defaults to 0): Train on exactly so many tracks of each genre;
            validation comes on top of them. Those that are left are tested on, or `unused` where the test part has a
            number too or comes from other data. 0: all that is left of each genre.
        test_tracks_per_genre (`int`, *optional*, defaults to 0): Test on exactly so many tracks of each genre. 0: by
            `test_fraction`, which has no effect with either number.
        artists (`Sequence[str | None]`, *optional*): Artist of each id, for protocol `artist`.
        unknown_artist (`str`, *optional*, defaults to `"own_group"`): Under protocol `artist`, whether a track whose
            artist is not known is taken for an artist of its own (`own_group`) or is in no part (`leave_out`).

    Returns:
        `Split`: Every genre has at least one id in every part asked for; under `fault_filtered` in training.

    Raises:
        OptionError: Unknown protocol, fractions that are negative or leave nothing for training, or numbers that are
            negative or asked of a protocol that divides segments or artists.
        SplitError: A genre has too few ids or artists, an id stands twice, there is none, no artist is known, or the
            ids are not those of the protocol's lists.
    """
    _check_protocol(protocol)
    unit = PROTOCOLS[protocol].unit
    numbers = _checked_numbers(
        protocol, train_tracks_per_genre=train_tracks_per_genre, test_tracks_per_genre=test_tracks_per_genre
    )
    fractions = _checked_fractions(
        validation_fraction=validation_fraction, test_fraction=0.0 if numbers else test_fraction
    )
    rest = "train"
    if "train" in numbers:
        rest = "test" if "test" not in numbers and test_fraction > 0 else UNUSED
    _check_ids(ids, genres)
    if protocol == "fault_filtered":
        return Split(protocol, unit, None, _listed_parts(ids, genres))
    seed = operator.index(seed)
    sizes = PartSizes({**fractions, **numbers}, rest)
    if protocol == "artist":
        return Split(protocol, unit, seed, _artist_parts(ids, genres, artists, unknown_artist, sizes, seed))
    draw = PROTOCOLS[protocol].draw
    assert draw is not None
    return Split(protocol, unit, seed, draw(ids, genres, sizes, seed))


def _artist_parts(
    ids: Sequence[str],
    genres: Sequence[str],
    artists: Sequence[str | None] | None,
    unknown_artist: str,
    sizes: PartSizes,
    seed: int,
) -> dict[str, str]:
    if unknown_artist not in UNKNOWN_ARTIST:
        raise OptionError(f"unknown_artist is {unknown_artist!r}; allowed are {', '.join(UNKNOWN_ARTIST)}")
    artists = [None] * len(ids) if artists is None else artists
    if len(artists) != len(ids):
        raise ValueError(f"{len(ids)} ids, but {len(artists)} artists")
    if not any(known(artist) for artist in artists):
        raise SplitError(
            "protocol artist cannot be had: no artist is known in these data. Divide by --protocol track, or give the "
            "artists (a CSV or Hub data set with a column artist)"
        )
    groups = artist_groups(ids, artists)
    taken = [row for row, artist in enumerate(artists) if unknown_artist == "own_group" or known(artist)]
    without = sorted(set(genres) - {genres[row] for row in taken})
    if without:
        raise SplitError(
            f"protocol artist: no artist is known of any track of {', '.join(without)}, so with --unknown_artist "
            "leave_out nothing is left of it; use own_group, or leave the genre out"
        )
    drawn = group_draw([ids[row] for row in taken], [genres[row] for row in taken], groups, sizes, seed)
    return {**dict.fromkeys(ids, UNUSED), **drawn}


def _listed_parts(ids: Sequence[str], genres: Sequence[str]) -> dict[str, str]:
    listed = gtzan_fault_filtered()
    foreign = sorted(item for item in ids if recording_of(item) not in listed)
    if foreign:
        raise SplitError(
            f"protocol fault_filtered is a list of GTZAN's own tracks (blues.00000), and cannot be had for other data: "
            f"{_listed(foreign)} not among them. Divide by --protocol track or artist"
        )
    part_of = {item: listed[recording_of(item)] for item in ids}
    held: dict[str, set[str]] = {part: set() for part in (*PARTS, UNUSED)}
    for item, genre in zip(ids, genres, strict=True):
        held[part_of[item]].add(genre)
    empty = [part for part in PARTS if not held[part]]
    untrained = sorted(set(genres) - held["train"])
    if empty or untrained:
        lacks = f"the {' and '.join(empty)} part is empty" if empty else f"{', '.join(untrained)} cannot be trained on"
        raise SplitError(
            f"protocol fault_filtered cannot be had: {lacks}. {_listed_tracks_held(part_of)} Give more of GTZAN, or "
            "divide by --protocol track"
        )
    return part_of


def _listed_tracks_held(part_of: Mapping[str, str]) -> str | None:
    """Say how many tracks of the fault-filtered lists are at hand, where that is not all."""
    listed = Counter(gtzan_fault_filtered().values())
    held = Counter({recording_of(item): part for item, part in part_of.items()}.values())
    if all(held[part] == listed[part] for part in PARTS):
        return None
    counts = [f"{held[part]} of {listed[part]} {part}" for part in PARTS]
    return f"Of the lists' tracks these data hold {', '.join(counts[:-1])} and {counts[-1]}."


def split_from_parts(
    ids: Sequence[str],
    parts: Sequence[str | None],
    genres: Sequence[str],
    *,
    seed: int = 0,
    validation_fraction: float = 0.15,
) -> Split:
    """Take the parts that the data set itself defines (protocol `source`).

    Args:
        ids (`Sequence[str]`): Track ids.
        parts (`Sequence[str | None]`): `train`, `validation` or `test` for each id.
        genres (`Sequence[str]`): Genre name of each id.
        seed (`int`, *optional*, defaults to 0): Seed of the draw of a validation part.
        validation_fraction (`float`, *optional*, defaults to 0.15): Where the data set defines no validation part,
            this share of each genre's training tracks becomes it; 0: none. Without effect where it defines one.

    Returns:
        `Split`: Its seed is `None` where nothing was drawn.

    Raises:
        OptionError: The fraction is negative or leaves nothing for training.
        SplitError: A track has no part or an unknown one, a genre has no training track, or too few for validation.
    """
    _check_ids(ids, genres)
    fractions = _checked_fractions(validation_fraction=validation_fraction)
    part_of = {}
    for item, part in zip(ids, parts, strict=True):
        if part not in PARTS:
            raise SplitError(f"track {item} has the part {part!r}; allowed are {', '.join(PARTS)}")
        part_of[item] = str(part)
    genre_of = dict(zip(ids, genres, strict=True))
    train = sorted(item for item, part in part_of.items() if part == "train")
    untrained = sorted(set(genres) - {genre_of[item] for item in train})
    if untrained:
        raise SplitError(f"the data's own split has no training track of {', '.join(untrained)}")
    if "validation" in part_of.values() or not fractions:
        return Split("source", "track", None, part_of)
    seed = operator.index(seed)
    part_of.update(stratified_draw(train, [genre_of[item] for item in train], PartSizes(fractions), seed))
    return Split("source", "track", seed, part_of)


def askable_protocols() -> list[str]:
    """Return the names of the protocols that can be asked for; the parts of the others come with the data."""
    return [name for name, entry in PROTOCOLS.items() if entry.on_request]


def _check_protocol(protocol: str) -> None:
    askable = askable_protocols()
    if protocol not in askable:
        nearest = difflib.get_close_matches(protocol, askable, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise OptionError(f"protocol {protocol!r} cannot be asked for; allowed are {', '.join(askable)}{hint}")


def _checked_fractions(**fractions: float) -> dict[str, float]:
    for name, value in fractions.items():
        if not 0 <= value < 1:
            raise OptionError(f"{name} is {value}; it must be at least 0 and below 1")
    if sum(fractions.values()) >= 1:
        text = " and ".join(f"{name} {value}" for name, value in fractions.items())
        raise OptionError(f"{text} leave nothing for training; together they must be below 1")
    return {name.removesuffix("_fraction"): float(value) for name, value in fractions.items() if value > 0}


def _checked_numbers(protocol: str, **numbers: int) -> dict[str, int]:
    why = {
        "segment": "a protocol that divides segments",
        "artist": "a protocol that divides artists",
        "fault_filtered": "a protocol whose lists say which track is where",
    }.get(protocol)
    for name, value in numbers.items():
        if value < 0:
            raise OptionError(f"{name} is {value}; it must be 0 or more")
        if value and why:
            raise OptionError(f"{name} is {value}; it must be 0 for {why}")
    return {name.split("_")[0]: operator.index(value) for name, value in numbers.items() if value}


def _check_ids(ids: Sequence[str], genres: Sequence[str]) -> None:
    if len(ids) != len(genres):
        raise ValueError(f"{len(ids)} ids, but {len(genres)} genres")
    if not len(ids):
        raise SplitError("there is nothing to divide: the data hold no clip")
    repeated = sorted(item for item, count in Counter(ids).items() if count > 1)
    if repeated:
        raise SplitError(f"{_listed(repeated)} in the data more than once; ids must differ")


def _check_keys(value: Any, needed: Sequence[str], where: str, optional: Sequence[str] = ()) -> None:
    if not isinstance(value, dict):
        raise SplitError(f"{where.removesuffix('.')} must be an object")
    unknown, missing = sorted(set(value) - {*needed, *optional}), sorted(set(needed) - set(value))
    if unknown or missing:
        kind, names = ("unknown", unknown) if unknown else ("missing", missing)
        raise SplitError(f"{kind} key {', '.join(where + name for name in names)}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _listed(ids: Sequence[str], limit: int = 10) -> str:
    noun = "id" if len(ids) == 1 else "ids"
    if not ids:
        return "no ids"
    more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
    return f"{len(ids)} {noun} ({', '.join(ids[:limit])}{more})"
