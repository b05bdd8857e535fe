"""Folds: every track tested on once, groups whole, and what cannot be divided is refused before anything is trained."""

import random
from collections import Counter

import pytest
from sklearn.model_selection import StratifiedGroupKFold

from mgc_hf.data.facts import gtzan_artists
from mgc_hf.data.folds import draw_folds
from mgc_hf.data.making_splits import make_split
from mgc_hf.errors import OptionError, SplitError
from mgc_hf.labels import GTZAN_GENRES

GTZAN = [f"{genre}.{number:05d}" for genre in GTZAN_GENRES for number in range(100)]
GENRES = [item.split(".")[0] for item in GTZAN]
ARTISTS = [gtzan_artists().get(item) for item in GTZAN]


def folds(ids=GTZAN, genres=GENRES, num_folds=5, **values):
    return [make_split(ids, genres, "kfold", num_folds=num_folds, fold=fold, **values) for fold in range(num_folds)]


def test_every_track_is_tested_on_once_and_genres_are_alike():
    splits = folds(seed=3)
    tested = Counter(item for split in splits for item in split.ids("test"))
    assert set(tested) == set(GTZAN)
    assert set(tested.values()) == {1}
    for split in splits:
        assert sorted(split.ids("train") + split.ids("test")) == sorted(GTZAN)
        assert not split.ids("validation")
        assert set(Counter(item.split(".")[0] for item in split.ids("test")).values()) == {20}
        assert (split.protocol, split.seed, split.leaky) == ("kfold", 3, False)
    assert len({split.hash for split in splits}) == 5


def test_the_order_of_files_is_of_no_consequence_and_the_seed_is():
    rows = [row for row in zip(GTZAN, GENRES, ARTISTS, strict=True) if row[0] < "disco"]
    in_order = list(map(list, zip(*rows, strict=True)))
    random.Random(0).shuffle(rows)
    ids, genres, artists = map(list, zip(*rows, strict=True))
    for groups in ("track", "artist"):
        values = {"fold_groups": groups, "seed": 1}
        found = folds(ids, genres, 3, artists=artists, **values)
        assert found == folds(*in_order[:2], 3, artists=in_order[2], **values)
        assert found[0].part_of != folds(ids, genres, 3, artists=artists, **{**values, "seed": 2})[0].part_of


@pytest.mark.parametrize("num_folds", [5, 9])
def test_no_artist_of_gtzan_is_in_two_folds(num_folds):
    splits = folds(num_folds=num_folds, artists=ARTISTS, fold_groups="artist")
    fold_of = {item: fold for fold, split in enumerate(splits) for item in split.ids("test")}
    bob = {fold_of[item] for item in GTZAN if "Bob Marley" in (gtzan_artists().get(item) or "")}
    assert len(bob) == 1  # the joint credit with Lauryn Hill included
    of_artist = {}
    for item, artist in gtzan_artists().items():
        of_artist.setdefault(artist, set()).add(fold_of[item])
    assert all(len(found) == 1 for found in of_artist.values())
    for split in splits:
        assert {item.split(".")[0] for item in split.ids("train")} == set(GTZAN_GENRES)


def test_tracks_without_an_artist_may_be_left_out():
    splits = folds(artists=ARTISTS, fold_groups="artist", unknown_artist="leave_out")
    assert {len(split.ids("unused")) for split in splits} == {81}
    assert sum(len(split.ids("test")) for split in splits) == 919
    with pytest.raises(SplitError, match="no artist is known"):
        folds(artists=None, fold_groups="artist")


def test_pieces_of_a_track_are_in_one_fold():
    ids = [f"{genre}.{track:05d}.{piece}" for genre in ("blues", "rock") for track in range(4) for piece in range(3)]
    splits = folds(ids, [item.split(".")[0] for item in ids], num_folds=2)
    of_track = {}
    for fold, split in enumerate(splits):
        for item in split.ids("test"):
            of_track.setdefault(item.rpartition(".")[0], set()).add(fold)
    assert len(of_track) == 8
    assert all(len(found) == 1 for found in of_track.values())


def test_a_genre_with_too_few_groups_is_named():
    ids, genres = ["a1", "a2", "a3", "b1", "b2"], ["a", "a", "a", "b", "b"]
    with pytest.raises(SplitError, match="too few tracks for 3 folds.*b has 2.*--num_folds"):
        folds(ids, genres, num_folds=3)
    with pytest.raises(SplitError, match="too few artists for 10 folds.*blues has 9.*--fold_groups track"):
        folds(num_folds=10, artists=ARTISTS, fold_groups="artist")


def test_a_genre_that_comes_into_one_fold_alone_is_refused():
    """scikit-learn deals so without a word: a model would be tested on a genre that it was never shown."""
    genres, groups = "aababab", "3310030"
    ids = [str(number) for number in range(len(genres))]
    label, group = [ord(genre) for genre in genres], [int(one) for one in groups]
    dealt = StratifiedGroupKFold(2, shuffle=True, random_state=0).split(label, label, group)
    assert [{genres[row] for row in train} for train, _ in dealt] != [{"a", "b"}] * 2
    with pytest.raises(SplitError, match="of a all tracks come into one fold.*--split_seed"):
        draw_folds(ids, list(genres), dict(zip(ids, groups, strict=True)), 2, 0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"num_folds": 1, "fold": 0}, "num_folds is 1"),
        ({"fold": None}, "fold is None.*from 0 to 4"),
        ({"fold": 5}, "fold is 5"),
        ({"fold": 0, "fold_groups": "album"}, "fold_groups is 'album'; allowed are track, artist"),
        ({"fold": 0, "test_tracks_per_genre": 2}, "must be 0 for a protocol that tests on every track once"),
    ],
)
def test_options_out_of_range(values, said):
    with pytest.raises(OptionError, match=said):
        make_split(GTZAN, GENRES, "kfold", **values)
