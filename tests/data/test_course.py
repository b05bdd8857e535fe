"""Protocol `course`: the parts are those that `datasets` itself draws, and its statement's counts are true."""

from collections import Counter

import datasets
import pytest

from mgc_hf.data.artists import artist_groups
from mgc_hf.data.facts import gtzan_artists, gtzan_course, gtzan_same_titles
from mgc_hf.data.making_splits import make_split
from mgc_hf.data.protocols import PROTOCOLS
from mgc_hf.data.verdict import PartTrack, judge
from mgc_hf.errors import OptionError, SplitError
from mgc_hf.labels import GTZAN_GENRES
from mgc_hf.leaks import tell_verdict
from mgc_hf.options import parse_options

ROWS = [f"{genre}.{number:05d}" for genre in GTZAN_GENRES for number in range(100)]
ROWS.remove("jazz.00054")
GENRES = [item.split(".")[0] for item in ROWS]


def test_the_parts_are_those_of_train_test_split():
    drawn = datasets.Dataset.from_dict({"id": ROWS}).train_test_split(seed=42, shuffle=True, test_size=0.1)
    split = make_split(ROWS[::-1], GENRES[::-1], "course", seed=7)
    for part in ("train", "test"):
        assert split.ids(part) == sorted(drawn[part]["id"])
    assert (len(split.ids("train")), len(split.ids("test")), split.ids("validation"), split.seed) == (
        899,
        100,
        [],
        None,
    )
    assert gtzan_course()["jazz.00054"] == "unused"
    counts = Counter(item.split(".")[0] for item in split.ids("test"))
    assert (counts["disco"], counts["rock"]) == (min(counts.values()), max(counts.values())) == (6, 15)


def test_the_statement_counts_what_leaks():
    groups = artist_groups(ROWS, [gtzan_artists().get(item) for item in ROWS])
    split = make_split(ROWS, GENRES, "course")
    trained, tested = {groups[item] for item in split.ids("train")}, split.ids("test")
    assert sum(groups[item] in trained for item in tested) == 79
    assert sum(item not in gtzan_artists() for item in tested) == 9
    train = set(split.ids("train"))
    assert sum(not train.isdisjoint(gtzan_same_titles().get(item, ())) for item in tested) == 19
    assert (
        "79 of the 100 test tracks have their artist in training, and 9 have no known" in PROTOCOLS["course"].statement
    )
    assert "It has no validation part" in split.statement
    assert "these data hold" not in split.statement


def test_what_the_course_shares_is_told_before_training(caplog):
    split = make_split(ROWS, GENRES, "course")
    verdict = judge([PartTrack(part, item, gtzan_artists().get(item)) for item, part in split.part_of.items()])
    tell_verdict("run", verdict, split)
    shared, judged = [record.getMessage() for record in caplog.records]
    assert shared == f"run: {split.statement}"
    assert "79 of the 100 test tracks" in shared
    assert "chooses its epoch on the test part" in shared
    assert judged.startswith("run: Verdict: leaks. ")


def test_a_part_of_gtzan_keeps_the_parts_of_the_whole():
    ids = ["jazz.00054", *(item for item in ROWS if int(item.split(".")[1]) % 3 == 0)]
    split = make_split(ids, [item.split(".")[0] for item in ids], "course")
    assert all(gtzan_course()[item] == part for item, part in split.part_of.items())
    held = Counter(split.part_of.values())
    assert f"these data hold {held['train']} of 899 train and {held['test']} of 100 test." in split.statement
    assert split.ids("unused") == ["jazz.00054"]
    assert "1 tracks were left out since that copy of GTZAN lacks them" in split.statement


def test_other_data_and_a_validation_part_are_refused():
    with pytest.raises(SplitError, match="protocol course is a list of GTZAN's own tracks.*1 id .mine."):
        make_split(["mine", *ROWS], ["rock", *GENRES], "course")
    with pytest.raises(SplitError, match="rock cannot be trained on"):
        tested = next(item for item in ROWS if item.startswith("rock") and gtzan_course()[item] == "test")
        make_split(["blues.00000", "blues.00001", tested], ["blues", "blues", "rock"], "course")
    with pytest.raises(
        OptionError, match="validation_fraction is 0.1; it must be 0 or left out with --protocol course"
    ):
        parse_options(argv=["--output_dir", "x", "--protocol", "course", "--validation_fraction", "0.1"])
