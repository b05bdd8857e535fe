"""The verdict of a division: clean, leaks (listed), or not provable; and what is left of the published lists."""

from mgc_hf.data.facts import gtzan_artists, gtzan_fault_filtered
from mgc_hf.data.verdict import PartTrack, judge


def rows(**parts):
    return [PartTrack(part, track, artist) for part, tracks in parts.items() for track, artist in tracks.items()]


def test_clean_where_every_artist_is_known_and_in_one_part():
    found = judge(rows(train={"1": "A", "2": "A"}, test={"3": "B"}))
    assert (found.status, found.leaks, found.num_unknown) == ("clean", (), 0)
    assert found.statement == "Verdict: clean. No track and no artist is in two parts (3 tracks)."


def test_not_provable_where_artists_are_not_known():
    found = judge(rows(train={"1": "A", "2": None}, test={"3": "B", "4": "Unknown Artist"}))
    assert found.status == "not provable"
    assert found.statement.endswith("but 2 of 4 tracks have no known artist.")
    assert found.to_dict() == {"status": "not provable", "leaks": [], "num_tracks": 4, "num_unknown": 2}


def test_leaks_are_listed_by_artist_through_spellings_and_joint_credits():
    found = judge(
        rows(
            train={"1": "The Cure", "2": "A and B", "3": "C", "4": None},
            validation={"5": "B & D"},
            test={"6": "Cure", "7": "Cure", "8": "D"},
        )
    )
    assert found.status == "leaks"
    assert [(leak.kind, leak.name, leak.tracks) for leak in found.leaks] == [
        ("artist", "Cure", {"train": 1, "test": 2}),
        ("artist", "D", {"validation": 1, "test": 1}),
        ("artist", "b", {"train": 1, "validation": 1}),
    ]
    assert found.statement == (
        "Verdict: leaks. 3 artists are in more than one part: Cure (train 1, test 2), D (validation 1, test 1), "
        "b (train 1, validation 1). 1 of 8 tracks have no known artist."
    )
    assert found.to_dict()["leaks"][0] == {"kind": "artist", "name": "Cure", "tracks": {"train": 1, "test": 2}}


def test_tracks_in_two_parts_and_a_long_list():
    twice = {f"{number}": None for number in range(8)}
    found = judge([*rows(train=twice, test=twice), *rows(train=twice)])
    assert found.status == "leaks"
    assert (len(found.leaks), found.num_tracks, found.num_unknown) == (8, 8, 8)
    assert "8 tracks are in more than one part: 0 (train 1, test 1), " in found.statement
    assert " and 3 more. 8 of 8 tracks" in found.statement


def test_the_fault_filtered_lists_are_not_clean_of_artists():
    artists = gtzan_artists()
    listed = {item: part for item, part in gtzan_fault_filtered().items() if part != "unused"}
    found = judge(PartTrack(part, item, artists.get(item)) for item, part in listed.items())
    assert {leak.name: tuple(leak.tracks) for leak in found.leaks} == {
        "Bob Marley": ("train", "test"),
        "Donna Summer": ("train", "validation"),
        "Shania Twain": ("train", "validation"),
    }
    assert (found.status, found.num_tracks, found.num_unknown) == ("leaks", 930, 81)
