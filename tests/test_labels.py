"""Genre names: GTZAN's ten in one order, its spellings recognised, other people's names left alone."""

import pytest

from mgc_hf.labels import GTZAN_GENRES, canonical_names, class_names, gtzan_name


def test_ten_names_in_alphabetical_order():
    assert len(GTZAN_GENRES) == 10
    assert list(GTZAN_GENRES) == sorted(set(GTZAN_GENRES))


@pytest.mark.parametrize("name", ["hiphop", "Hip-Hop", "hip hop", "HIP_HOP", " HipHop "])
def test_spellings_of_a_gtzan_genre(name):
    assert gtzan_name(name) == "hiphop"


@pytest.mark.parametrize("name", ["polka", "", "hip", "rock'n'roll", "jazz2", "R&B"])
def test_names_that_are_none(name):
    assert gtzan_name(name) is None


def test_every_gtzan_name_is_its_own():
    assert canonical_names(GTZAN_GENRES) == {name: name for name in GTZAN_GENRES}


def test_spellings_merge_where_all_are_gtzans():
    assert canonical_names(["Hip-Hop", "hip hop", "Rock"]) == {
        "Hip-Hop": "hiphop",
        "hip hop": "hiphop",
        "Rock": "rock",
    }


def test_a_tree_with_other_genres_owns_its_names():
    names = ["Hip-Hop", "polka", "Rock"]
    assert canonical_names(names) == {name: name for name in names}
    assert canonical_names([]) == {}


def test_classes_are_sorted_and_unique():
    assert class_names(["rock", "blues", "rock"]) == ["blues", "rock"]
    assert tuple(class_names(reversed(GTZAN_GENRES))) == GTZAN_GENRES
