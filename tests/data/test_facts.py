"""The shipped facts about GTZAN: artists, a published split, and the names of its files."""

import hashlib
import re
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from mgc_hf.data.facts import (
    gtzan_artists,
    gtzan_fault_filtered,
    gtzan_genre,
    gtzan_same_titles,
    gtzan_track_id,
    recording_of,
)
from mgc_hf.labels import GTZAN_GENRES
from tests.conftest import SHARED

FACTS = resources.files("mgc_hf.data") / "facts"


def test_the_table_is_the_one_that_its_readme_describes() -> None:
    stated = re.search(r"SHA-256: `(\w+)`", (FACTS / "README.md").read_text(encoding="utf-8"))
    assert stated
    assert hashlib.sha256((FACTS / "gtzan_artist_title.tsv").read_bytes()).hexdigest() == stated[1]


def test_artists_by_track_id() -> None:
    artists = gtzan_artists()
    assert len(artists) == 919
    assert artists["blues.00000"] == "John Lee Hooker"
    assert "country.00002" not in artists
    assert {gtzan_genre(track_id) for track_id in artists} == set(GTZAN_GENRES)


def test_tracks_with_the_same_artist_and_title() -> None:
    repeats = gtzan_same_titles()
    assert len(repeats) == 143
    assert repeats["classical.00000"] == ("classical.00001", "classical.00002")
    assert repeats["classical.00002"] == ("classical.00000", "classical.00001")
    assert "pop.00010" not in repeats  # a title without an artist says nothing
    assert "blues.00000" not in repeats


def test_names_of_files() -> None:
    assert gtzan_track_id("blues.00000") == "blues.00000"
    assert gtzan_track_id("blues.00000.3") == "blues.00000.3"
    for other in ("blues.0000", "polka.00000", "a.blues.00000", "blues.00000.x", "blues.00000.flac", ""):
        assert gtzan_track_id(other) is None
    for other in ("blues.0000", "polka.00000", "a.blues.00000", "blues.00000/x", ""):
        assert gtzan_genre(other) is None
    assert gtzan_genre("hiphop.00012.1") == "hiphop"
    assert recording_of("hiphop.00012.1") == "hiphop.00012"
    assert recording_of("rock/album/01") == "rock/album/01"
    assert recording_of("test/blues/blues.00000.wav") == recording_of("train/blues/blues.00000.3.mp3") == "blues.00000"
    assert gtzan_genre("test/blues/blues.00000.wav") == "blues"


def test_the_fault_filtered_lists() -> None:
    listed = gtzan_fault_filtered()
    assert Counter(listed.values()) == {"train": 443, "validation": 197, "test": 290, "unused": 70}
    assert {gtzan_genre(item) for item, part in listed.items() if part == "train"} == set(GTZAN_GENRES)
    assert (listed["jazz.00054"], listed["reggae.00086"]) == ("train", "unused")


@pytest.mark.parametrize(("name", "part"), [("train", "train"), ("valid", "validation"), ("test", "test")])
def test_the_shipped_lists_are_the_published_ones(name: str, part: str) -> None:
    path = SHARED / "gtzan-lists" / f"{name}_filtered.txt"
    if not path.is_file():
        pytest.skip("the published lists (../shared/gtzan-lists) are not at hand")
    published = [Path(line).stem for line in path.read_text(encoding="utf-8").split()]
    assert sorted(published) == [item for item, where in gtzan_fault_filtered().items() if where == part]
