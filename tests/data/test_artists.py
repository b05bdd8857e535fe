"""Who plays: spellings, joint credits, groups, and the shipped table of GTZAN's merges."""

import csv
import random
from importlib import resources

import pytest

from mgc_hf.data.artists import artist_groups, known, members, merges, normalised, players, spelling
from mgc_hf.data.facts import gtzan_artists, gtzan_genre

FACTS = resources.files("mgc_hf.data") / "facts"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Earth, Wind & Fire", "Earth Wind and Fire"),
        ("Rage Against The Machine", "Rage Against the Machine"),
        ("The Beatles", "Beatles, The"),
        ("J. S. Bach", "JS Bach"),
        ("J.S. Bach", "js bach"),
        ("R.E.M.", "REM"),
        ("Motörhead", "Motorhead"),
        ("Guns N' Roses", "Guns N’ Roses"),
        ("RUN-DMC", "Run DMC"),
        ("Beyoncé", "Beyonce\u0301"),
    ],
)
def test_spellings_of_one_name(one, other):
    assert normalised(one) == normalised(other) != ""


@pytest.mark.parametrize(("one", "other"), [("Prince", "Prince Buster"), ("!!!", "???"), ("が", "か")])
def test_names_that_differ(one, other):
    assert normalised(one) != normalised(other)


def test_names_of_nobody():
    assert [
        known(name) for name in (None, "", " ", "Unknown Artist", "[unknown]", "Various Artists", "N/A", "Cher")
    ] == [
        *[False] * 7,
        True,
    ]


def test_joint_credits_are_taken_apart_where_another_credit_names_a_member():
    assert members("Lauryn Hill and Bob Marley") == ["bob marley", "lauryn hill"]
    assert members("A feat. B") == members("A (with B)") == members("A ft B") == ["a", "b"]
    assert members("Duke Ellington & His Orchestra") == ["duke ellington"]
    assert members("AC/DC") == members("Beatles, The") == []
    assert members("Lipps, Inc.") == ["lipps"]  # which merges nothing unless somebody is called Lipps
    found = players(["Lauryn Hill and Bob Marley", "Bob Marley", "Peaches and Herb", None, "Unknown"])
    assert found == {
        "Lauryn Hill and Bob Marley": ("bob marley",),
        "Bob Marley": ("bob marley",),
        "Peaches and Herb": ("peaches and herb",),
    }


def test_groups_are_connected_components_in_any_order():
    rows = [
        ("1", "A & B"),
        ("2", "B feat. C"),
        ("3", "C"),
        ("4", "D"),
        ("5", None),
        ("6", ""),
        ("7", "The D"),
        ("8", "E & F"),
    ]
    expected = {"1": "b", "2": "b", "3": "b", "4": "d", "5": "?5", "6": "?6", "7": "d", "8": "e and f"}
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert artist_groups([row[0] for row in rows], [row[1] for row in rows]) == expected


def test_the_most_frequent_spelling_is_shown():
    assert spelling(["ABBA", "Abba", "ABBA", "The Abba"]) == {"abba": "ABBA"}


def test_gtzan_has_235_groups_and_the_shipped_table_lists_the_merges():
    artists = gtzan_artists()
    groups = artist_groups(list(artists), list(artists.values()))
    assert len(set(artists.values())) == 244
    assert len(set(groups.values())) == 235
    text = (FACTS / "gtzan_artist_merges.tsv").read_text(encoding="utf-8")
    table = list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [(row["group"], row["credit"]) for row in table] == merges(artists.values())
    assert all(int(row["tracks"]) == list(artists.values()).count(row["credit"]) for row in table)
    credits = {row["credit"] for row in table}
    assert {"Earth, Wind & Fire", "Rage Against The Machine", "Lauryn Hill and Bob Marley"} < credits
    assert not {"Black Sabbath", "Peaches and Herb", "Ashford & Simpson"} & credits
    assert len({group for track, group in groups.items() if gtzan_genre(track) == "blues"}) == 9
