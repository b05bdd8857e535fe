"""Facts about GTZAN's tracks: names of files, who plays, what is wrong, and published splits (`facts/README.md` states the sources)."""

import csv
import functools
import math
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath

import numpy as np

from mgc_hf.labels import GTZAN_GENRES

_TRACK_ID = re.compile(rf"(?P<track>(?P<genre>{'|'.join(GTZAN_GENRES)})\.\d{{5}})(?P<segment>\.\d+)?")


@functools.cache
def gtzan_artists() -> dict[str, str]:
    """Return the artist of each GTZAN track whose artist is known, by track id (`blues.00000`)."""
    return {row["track_id"]: row["artist"] for row in _table() if row["artist"]}


@functools.cache
def gtzan_fault_filtered() -> dict[str, str]:
    """Return the part of each GTZAN track in the fault-filtered split of Kereliuk, Sturm and Larsen (2015).

    Returns:
        `dict[str, str]`: From all 1,000 track ids to `train`, `validation` or `test`, or to `unused` for the 70 that
        the split leaves out.
    """
    return {row["track_id"]: row["part"] for row in _table("gtzan_fault_filtered.tsv")}


@dataclass(frozen=True)
class KnownFault:
    """What a published list says is wrong with a track of GTZAN.

    Args:
        kind (`str`): `exact repeat`, `distorted`, `broken`, or `fault filter` (left out by the fault-filtered split, which does
            not say what is wrong).
        others (`tuple[str, ...]`): Of a repeat the tracks that are likely the same recording, by artist and title.
        source (`str`): The list, as `facts/README.md` names it.
    """

    kind: str
    others: tuple[str, ...]
    source: str

    def __str__(self) -> str:
        others = f" of {' or '.join(self.others)}" if self.others else ""
        return f"{self.kind}{others} ({self.source})"


@functools.cache
def gtzan_faults() -> dict[str, tuple[KnownFault, ...]]:
    """Return the known faults of each GTZAN track that has any, by track id."""
    found: dict[str, list[KnownFault]] = {}
    for row in _table("gtzan_faults.tsv"):
        others = tuple(row["others"].split(",")) if row["others"] else ()
        found.setdefault(row["track_id"], []).append(KnownFault(row["kind"], others, row["source"]))
    return {item: tuple(faults) for item, faults in found.items()}


@functools.cache
def gtzan_course() -> dict[str, str]:
    """Return the part of each GTZAN track in the split of the Hugging Face audio course (unit 4).

    The course divides `marsyas/gtzan`, whose 999 rows are in the order of genres and numbers and lack the broken
    jazz.00054, by `dataset.train_test_split(seed=42, shuffle=True, test_size=0.1)`: the first 100 numbers of numpy's
    permutation are tested on. Its test part also chose its epoch.

    Returns:
        `dict[str, str]`: From all 1,000 track ids to `train` (899) or `test` (100), or to `unused` for jazz.00054.
    """
    missing = "jazz.00054"
    rows = [row["track_id"] for row in _table() if row["track_id"] != missing]
    order = np.random.default_rng(42).permutation(len(rows))
    num_test = math.ceil(0.1 * len(rows))
    part_of = dict.fromkeys(rows, "train") | dict.fromkeys((rows[row] for row in order[:num_test]), "test")
    return part_of | {missing: "unused"}


@functools.cache
def gtzan_same_titles() -> dict[str, tuple[str, ...]]:
    """Return, for each GTZAN track that has any, the other tracks with its artist and title: likely repeats."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in _table():
        if row["artist"] and row["title"]:
            groups.setdefault((row["artist"].casefold(), row["title"].casefold()), []).append(row["track_id"])
    return {
        one: tuple(other for other in group if other != one)
        for group in groups.values()
        if len(group) > 1
        for one in group
    }


def _table(name: str = "gtzan_artist_title.tsv") -> list[dict[str, str]]:
    table = resources.files("mgc_hf.data") / "facts" / name
    text = table.read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def gtzan_track_id(stem: str) -> str | None:
    """Return the id that a file named GTZAN's way carries, `None` for any other name.

    Args:
        stem (`str`): File name without its extension: `blues.00000`, or `blues.00000.3` for a piece cut from it.
    """
    return stem if _TRACK_ID.fullmatch(stem) else None


def gtzan_genre(track_id: str) -> str | None:
    """Return the genre that the id of a track of GTZAN names, `None` where it is no such id."""
    match = _TRACK_ID.fullmatch(recording_of(track_id))
    return match["genre"] if match else None


def whole_track(track_id: str) -> str:
    """Return the track that a piece was cut from: `blues.00000` of `blues.00000.3`; any other id is its own."""
    match = _TRACK_ID.fullmatch(track_id)
    return match["track"] if match else track_id


def recording_of(track_id: str) -> str:
    """Return the track that an id means: `blues.00000` of a piece cut from it (`blues.00000.3`) and of one of its files.

    Files that share an id have their whole names as ids (`test/blues/blues.00000.wav`). Any other id is its own track.
    """
    match = _TRACK_ID.fullmatch(track_id) or _TRACK_ID.fullmatch(PurePosixPath(track_id).stem)
    return match["track"] if match else track_id
