"""Protocols `artist` and `fault_filtered`: no artist on two sides, each genre everywhere, and what is refused."""

import random
import re
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgc_hf.data.artists import artist_groups
from mgc_hf.data.facts import gtzan_artists, gtzan_fault_filtered
from mgc_hf.data.making_splits import make_split
from mgc_hf.data.protocols import Split
from mgc_hf.data.verdict import PartTrack, judge
from mgc_hf.errors import OptionError, SplitError
from mgc_hf.labels import GTZAN_GENRES
from mgc_hf.predictions import PARTS

GTZAN = [f"{genre}.{number:05d}" for genre in GTZAN_GENRES for number in range(100)]
GENRES = [item.split(".")[0] for item in GTZAN]
ARTISTS = [gtzan_artists().get(item) for item in GTZAN]
SUBSET = [row for row, item in enumerate(GTZAN) if item.endswith(tuple("0123456")) and ".0000" in item]


def counts(split, genre_of):
    table = Counter((genre_of[item], part) for item, part in split.part_of.items())
    return {genre: tuple(table[genre, part] for part in PARTS) for genre in sorted(set(genre_of.values()))}


def judged(split, artist_of):
    return judge(PartTrack(part, item, artist_of[item]) for item, part in split.part_of.items() if part != "unused")


corpora = st.lists(  # for each genre the numbers of tracks of its artists
    st.lists(st.integers(1, 12), min_size=3, max_size=12), min_size=1, max_size=5
)


@settings(deadline=None, max_examples=60)
@given(corpora, st.integers(0, 2**40), st.integers(0, 3), st.booleans(), st.randoms(use_true_random=False))
def test_no_artist_is_in_two_parts_and_every_genre_in_every_part(sizes, seed, unknown, validation, shuffler):
    rows = [
        (f"g{genre}.{artist}.{number}", f"g{genre}", f"Artist {genre}-{artist}")
        for genre, of_genre in enumerate(sizes)
        for artist, size in enumerate(of_genre)
        for number in range(size)
    ]
    rows += [(f"g0.unknown.{number}", "g0", None) for number in range(unknown)]
    shuffler.shuffle(rows)
    ids, genres, artists = (list(column) for column in zip(*rows, strict=True))
    values = {"seed": seed, "validation_fraction": 0.15 if validation else 0.0}
    split = make_split(ids, genres, "artist", artists=artists, **values)
    split.check(ids)
    found = judged(split, dict(zip(ids, artists, strict=True)))
    assert (found.status, found.num_unknown) == ("not provable" if unknown else "clean", unknown)
    for of_genre in counts(split, dict(zip(ids, genres, strict=True))).values():
        assert [count > 0 for count in of_genre] == [True, validation, True]
    order = list(reversed(range(len(ids))))
    again = make_split(
        [ids[i] for i in order], [genres[i] for i in order], "artist", artists=[artists[i] for i in order], **values
    )
    assert again == split


def test_gtzan_by_artists_is_near_its_shares():
    genre_of = dict(zip(GTZAN, GENRES, strict=True))
    artist_of = dict(zip(GTZAN, ARTISTS, strict=True))
    splits = [make_split(GTZAN, GENRES, "artist", seed=seed, artists=ARTISTS) for seed in range(4)]
    for split in splits:
        found = judged(split, artist_of)
        assert (found.status, found.num_unknown, found.num_tracks) == ("not provable", 81, 1000)
        for train, validation, test in counts(split, genre_of).values():
            assert 50 <= train <= 70
            assert 5 <= validation <= 25
            assert 15 <= test <= 35
    assert len({tuple(split.ids("test")) for split in splits}) == 4
    assert (splits[3].protocol, splits[3].unit, splits[3].seed, splits[3].leaky) == ("artist", "track", 3, False)


def test_golden_hash_of_gtzan_by_artists():
    """A stored value: whoever changes the draw, the names or the groups breaks every split file that exists."""
    split = make_split(GTZAN, GENRES, "artist", artists=ARTISTS)
    assert split.hash == "d0940e21a1024cfaff97c79d10c5e70e3bdaa604c669bd73217c5b05d26645b8"


def test_tracks_without_an_artist_are_left_out_on_request():
    split = make_split(GTZAN, GENRES, "artist", artists=ARTISTS, unknown_artist="leave_out")
    assert split.ids("unused") == [item for item, artist in sorted(zip(GTZAN, ARTISTS, strict=True)) if artist is None]
    assert "81 tracks were left out since their artist is not known and are in no part." in split.statement
    assert judged(split, dict(zip(GTZAN, ARTISTS, strict=True))).status == "clean"
    with pytest.raises(OptionError, match="unknown_artist is 'drop'; allowed are own_group, leave_out"):
        make_split(GTZAN, GENRES, "artist", artists=ARTISTS, unknown_artist="drop")


def test_an_artist_of_several_genres_stays_whole():
    ids = [f"{genre}{number}" for genre in "ab" for number in range(8)]
    artists = ["X", "X", "1", "2", "3", "3", "4", "5", "X and Y", "X", "6", "7", "8", "8", "9", "Y"]
    split = make_split(ids, [item[0] for item in ids], "artist", artists=artists, seed=5)
    parts = defaultdict(set)
    for item, group in artist_groups(ids, artists).items():
        parts[group].add(split.part_of[item])
    assert all(len(found) == 1 for found in parts.values())
    assert all(min(of_genre) > 0 for of_genre in counts(split, {item: item[0] for item in ids}).values())


def test_too_few_artists_are_refused_by_genre():
    ids, genres = [GTZAN[row] for row in SUBSET], [GENRES[row] for row in SUBSET]
    artists = [ARTISTS[row] for row in SUBSET]
    with pytest.raises(SplitError) as error:
        make_split(ids, genres, "artist", artists=artists)
    text = str(error.value)
    assert "a genre needs 3 artists; blues has 1, classical has 1" in text
    assert {"reggae has 1", "rock has 1"} <= set(re.findall(r"\w+ has 1", text))
    two = make_split(["1", "2"], ["a", "a"], "artist", artists=["A", "B"], validation_fraction=0)
    assert sorted(two.part_of.values()) == ["test", "train"]


def test_artists_in_each_others_way_are_refused():
    ids = ["a1", "a2", "b1", "b2", "c1", "c2"]  # each pair of genres shares an artist: no two parts hold all of them
    with pytest.raises(SplitError, match="artists with tracks of several genres stand in the way"):
        make_split(ids, [i[0] for i in ids], "artist", artists=["1", "2", "2", "3", "3", "1"], validation_fraction=0)


def test_without_any_artist_the_protocol_is_refused():
    for artists in (None, [None, None, "Unknown"]):
        with pytest.raises(SplitError, match="no artist is known in these data"):
            make_split(["1", "2", "3"], ["a"] * 3, "artist", artists=artists)
    with pytest.raises(SplitError, match="no artist is known of any track of b"):
        make_split(["1", "2"], ["a", "b"], "artist", artists=["A", None], unknown_artist="leave_out")
    with pytest.raises(ValueError, match="2 ids, but 1 artists"):
        make_split(["1", "2"], ["a", "b"], "artist", artists=["A"])


@pytest.mark.parametrize("protocol", ["artist", "fault_filtered"])
def test_numbers_per_genre_are_refused(protocol):
    with pytest.raises(OptionError, match="test_tracks_per_genre is 5; it must be 0 for a protocol"):
        make_split(GTZAN, GENRES, protocol, artists=ARTISTS, test_tracks_per_genre=5)


# the fault-filtered lists


def test_fault_filtered_takes_the_lists_whatever_the_seed(tmp_path):
    split = make_split(GTZAN, GENRES, "fault_filtered", seed=7, test_fraction=0.5)
    assert split.part_of == gtzan_fault_filtered()
    assert [len(split.ids(part)) for part in (*PARTS, "unused")] == [443, 197, 290, 70]
    assert (split.seed, split.unit) == (None, "track")
    assert "Of the lists' tracks" not in split.statement
    assert "70 tracks were left out as faulty" in split.statement
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == split


def test_without_the_broken_file_442_tracks_train():
    rows = [row for row, item in enumerate(GTZAN) if item != "jazz.00054"]
    split = make_split([GTZAN[row] for row in rows], [GENRES[row] for row in rows], "fault_filtered")
    assert "data hold 442 of 443 train, 197 of 197 validation and 290 of 290 test." in split.statement


def test_a_part_of_gtzan_takes_the_tracks_that_it_has():
    rows = random.Random(0).sample(range(1000), 400)
    split = make_split([GTZAN[row] for row in rows], [GENRES[row] for row in rows], "fault_filtered")
    assert split.part_of == {GTZAN[row]: gtzan_fault_filtered()[GTZAN[row]] for row in rows}
    assert f"data hold {len(split.ids('train'))} of 443 train" in split.statement


def test_a_genre_that_cannot_be_trained_on_is_refused():
    with pytest.raises(SplitError) as error:
        make_split([GTZAN[row] for row in SUBSET], [GENRES[row] for row in SUBSET], "fault_filtered")
    assert "blues, classical, country cannot be trained on" in str(error.value)
    assert "28 of 443 train, 34 of 197 validation and 4 of 290 test" in str(error.value)
    with pytest.raises(SplitError, match="the validation and test part is empty"):
        make_split(["blues.00029", "jazz.00054"], ["blues", "jazz"], "fault_filtered")


def test_fault_filtered_is_refused_for_other_data():
    with pytest.raises(SplitError, match=r"GTZAN's own tracks.*2 ids \(blues.00100, mine\) not among them"):
        make_split([*GTZAN, "mine", "blues.00100"], [*GENRES, "rock", "blues"], "fault_filtered")
