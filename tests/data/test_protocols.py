"""Protocols: what a split promises (no track on two sides, every genre everywhere), its file, and its page."""

import json
import math
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgc_hf.data import protocols
from mgc_hf.data.draws import seeded_order
from mgc_hf.data.making_splits import make_split, split_from_parts
from mgc_hf.data.protocols import (
    PROTOCOLS,
    Protocol,
    Split,
    askable_protocols,
)
from mgc_hf.data.segments import assign_parts, cut_segments
from mgc_hf.errors import MgcHfError, OptionError, SplitError
from mgc_hf.labels import GTZAN_GENRES
from mgc_hf.predictions import PARTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "protocols.md"


def corpus(per_genre, genres=GTZAN_GENRES):
    ids = [f"{genre}.{number:05d}" for genre in genres for number in range(per_genre)]
    return ids, [item.split(".")[0] for item in ids]


def counts(split, genre_of):
    table = {part: Counter(genre_of[item] for item in split.ids(part)) for part in PARTS}
    return {genre: tuple(table[part][genre] for part in PARTS) for genre in sorted(set(genre_of.values()))}


@pytest.mark.parametrize(("per_genre", "expected"), [(100, (60, 15, 25)), (7, (4, 1, 2)), (3, (1, 1, 1))])
def test_track_protocol_divides_every_genre_alike(per_genre, expected):
    ids, genres = corpus(per_genre)
    split = make_split(ids, genres)
    assert counts(split, dict(zip(ids, genres, strict=True))) == dict.fromkeys(GTZAN_GENRES, expected)
    assert (split.protocol, split.unit, split.seed, split.leaky) == ("track", "track", 0, False)


corpora = st.dictionaries(st.text(min_size=1, max_size=4), st.integers(3, 25), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(
    corpora,
    st.integers(0, 2**40),
    st.floats(0, 0.5),
    st.floats(0, 0.49),
    st.randoms(use_true_random=False),
    st.integers(1_000, 200_000),
)
def test_no_track_is_on_two_sides_and_every_genre_is_in_every_part(sizes, seed, validation, test, shuffler, longest):
    rows = [(f"{genre}.{number}", genre) for genre, size in sizes.items() for number in range(size)]
    shuffler.shuffle(rows)
    ids, genres = [row[0] for row in rows], [row[1] for row in rows]
    split = make_split(ids, genres, "track", seed=seed, validation_fraction=validation, test_fraction=test)

    table = assign_parts(
        cut_segments(
            ids,
            [0] * len(ids),
            [shuffler.randint(1, longest) for _ in ids],
            8000,
            segment_seconds=3.0,
            hop_seconds=1.5,
        ),
        split,
    )
    sides = {part: set(table.of_part(part).track_id) for part in PARTS}
    assert sum(len(side) for side in sides.values()) == len(ids) == len(set().union(*sides.values()))

    wanted = {"train": True, "validation": validation > 0, "test": test > 0}
    asked = {"validation": validation, "test": test}
    for genre, by_part in counts(split, dict(rows)).items():
        for part, count in zip(PARTS, by_part, strict=True):
            assert (count > 0) == wanted[part]
        for part in ("validation", "test"):
            if asked[part] and by_part[0] > 1:  # within half a track, or the one track that it must have
                assert by_part[PARTS.index(part)] == max(1, math.floor(sizes[genre] * asked[part] + 0.5))


@pytest.mark.parametrize("protocol", ["track", "segment"])
def test_same_split_in_another_file_order_and_another_with_another_seed(protocol):
    ids, genres = corpus(20)
    split = make_split(ids, genres, protocol, seed=3)
    shuffled = list(zip(ids, genres, strict=True))
    random.Random(1).shuffle(shuffled)
    again = make_split([i for i, _ in shuffled], [g for _, g in shuffled], protocol, seed=3)
    assert again == split
    assert again.hash == split.hash
    other = make_split(ids, genres, protocol, seed=4)
    assert other.hash != split.hash
    assert other.ids("test") != split.ids("test")


def test_golden_hash_holds_in_another_process_with_another_hash_seed():
    """A stored value: whoever changes the draw or the canonical form breaks every split file that exists."""
    golden = "e7734065f6c38d7ba869f3aa64fa014aa2bd0d95d4969ecaf7fe89f4bbcd5f0c"
    ids, genres = corpus(7)
    assert make_split(ids, genres, seed=0).hash == golden
    code = (
        "from mgc_hf.data.making_splits import make_split\n"
        f"ids = {list(reversed(ids))!r}\n"
        "print(make_split(ids, [i.split('.')[0] for i in ids], seed=0).hash)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == golden


def test_rounding_up_leaves_one_for_training():
    ids, genres = corpus(3)
    split = make_split(ids, genres, test_fraction=0.5, validation_fraction=0.49)  # 1.5 and 1.47 of 3
    assert counts(split, dict(zip(ids, genres, strict=True))) == dict.fromkeys(GTZAN_GENRES, (1, 1, 1))


def test_test_part_of_a_seed_does_not_move_with_the_validation_fraction():
    ids, genres = corpus(20)
    parts = {f: make_split(ids, genres, seed=5, validation_fraction=f).ids("test") for f in (0.0, 0.1, 0.3)}
    assert parts[0.0] == parts[0.1] == parts[0.3]


def test_draw_is_even():
    """Over many seeds each of 8 tracks is drawn for testing equally often (binomial, 5 standard errors)."""
    ids, genres = corpus(8, ["a"])
    seen = Counter(item for seed in range(2000) for item in make_split(ids, genres, seed=seed).ids("test"))
    assert len(seen) == 8
    assert all(abs(seen[item] - 500) < 5 * (2000 * 0.25 * 0.75) ** 0.5 for item in ids)


def test_salts_give_unrelated_orders():
    ids = [str(number) for number in range(50)]
    assert seeded_order(ids, 0, "split") != seeded_order(ids, 0, "pool")
    assert seeded_order(ids, 0, "split") == seeded_order(reversed(ids), 0, "split")


def test_segment_protocol_puts_one_track_on_both_sides_and_says_leaky():
    table = cut_segments(*corpus_rows(7), 22050, segment_seconds=3.0, hop_seconds=3.0)
    genres = [track_id.split(".")[0] for track_id in table.track_id]
    split = make_split(table.ids, genres, "segment")
    table = assign_parts(table, split)
    both = set(table.of_part("train").track_id) & set(table.of_part("test").track_id)
    assert len(both) > 45  # of 70 tracks; with 6 segments each, 0.75^6 = 18 % have none in the test part
    assert split.leaky
    assert "leaky" in split.statement
    assert split.unit == "segment"


def corpus_rows(per_genre):
    ids, genres = corpus(per_genre)
    return ids, [GTZAN_GENRES.index(genre) for genre in genres], [18 * 22050] * len(ids)


def test_statements_say_which_part_is_missing():
    ids, genres = corpus(5)
    assert "leaky" not in make_split(ids, genres).statement
    external = make_split(ids, genres, validation_fraction=0, test_fraction=0)
    assert external.ids("train") == sorted(ids)
    assert "test tracks come from other data" in external.statement
    assert "no validation part" in external.statement
    assert "no validation part" not in make_split(ids, genres, test_fraction=0).statement


def test_too_few_clips_names_every_genre_with_its_count():
    with pytest.raises(SplitError) as error:
        make_split(["a1", "a2", "a3", "p1", "s1", "s2"], ["a", "a", "a", "polka", "ska", "ska"])
    assert "polka has 1, ska has 2" in str(error.value)
    assert "at least 3" in str(error.value)
    assert ": a has" not in str(error.value)
    two_parts = make_split(["a1", "a2"], ["a", "a"], validation_fraction=0)
    assert sorted(two_parts.part_of.values()) == ["test", "train"]
    with pytest.raises(SplitError, match="train and validation, which takes at least 2"):
        make_split(["a1"], ["a"], test_fraction=0)


@pytest.mark.parametrize(
    ("validation", "test", "text"),
    [
        (-0.1, 0.25, "validation_fraction is -0.1"),
        (0.1, 1.0, "test_fraction is 1.0"),
        (float("nan"), 0.2, "validation_fraction is nan"),
        (0.5, 0.5, "leave nothing for training"),
    ],
)
def test_fractions_out_of_range(validation, test, text):
    with pytest.raises(OptionError, match=re.escape(text)):
        make_split(["a", "b"], ["x", "x"], validation_fraction=validation, test_fraction=test)


@pytest.mark.parametrize(
    ("name", "hint"), [("trakc", "did you mean track"), ("source", "allowed are track, segment, artist")]
)
def test_protocols_that_cannot_be_asked_for(name, hint):
    with pytest.raises(OptionError, match=hint):
        make_split(["a"], ["x"], name)


def test_bad_ids():
    with pytest.raises(SplitError, match="nothing to divide"):
        make_split([], [])
    with pytest.raises(SplitError, match=r"1 id \(a\) in the data more than once"):
        make_split(["a", "a", "b"], ["x"] * 3)
    with pytest.raises(ValueError, match="2 ids, but 1 genres"):
        make_split(["a", "b"], ["x"])


def test_a_protocol_is_added_by_an_entry(monkeypatch, tmp_path):
    def first_for_test(ids, genres, fractions, seed):
        return {item: "test" if item == min(ids) else "train" for item in ids}

    entry = Protocol("first", "track", False, "The first track is for testing.", first_for_test)
    monkeypatch.setitem(protocols.PROTOCOLS, "first", entry)
    split = make_split(["b", "a", "c"], ["x"] * 3, "first")
    assert split.part_of == {"a": "test", "b": "train", "c": "train"}
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == split
    assert askable_protocols() == ["track", "segment", "artist", "fault_filtered", "course", "kfold", "first"]


# draws of so many tracks


@settings(deadline=None, max_examples=150)
@given(
    st.dictionaries(st.text(min_size=1, max_size=4), st.integers(1, 40), min_size=1, max_size=4),
    st.integers(0, 2**40),
    st.integers(0, 12),
    st.integers(0, 12),
    st.floats(0, 0.99),
    st.booleans(),
)
def test_numbers_per_genre_are_exact(sizes, seed, train, test, validation, other_test):
    ids = [f"{genre}.{number}" for genre, size in sizes.items() for number in range(size)]
    genre_of = {item: item[: item.rindex(".")] for item in ids}
    test = 0 if other_test else test
    numbers = {"train_tracks_per_genre": train, "test_tracks_per_genre": test}
    if not train and not test:
        return
    values = {"seed": seed, "validation_fraction": validation, "test_fraction": 0.0 if other_test else 0.25}
    least = (train or 1) + (test or (not other_test)) + (validation > 0)
    if min(sizes.values()) < least:
        with pytest.raises(SplitError, match=f"at least {least} of every genre"):
            make_split(ids, list(genre_of.values()), **values, **numbers)
        return
    split = make_split(ids, list(genre_of.values()), **values, **numbers)
    split.check(ids)
    for genre, (trained, validated, tested) in counts(split, genre_of).items():
        left = sizes[genre] - trained - validated - tested
        assert trained == train or (train == 0 and trained > 0)
        assert tested == test or (test == 0 and (tested > 0) != other_test)
        assert (validated > 0) == (validation > 0)
        assert validated <= max(1, math.floor(sizes[genre] * validation + 0.5))
        assert left == 0 or (train and (test or other_test))
        if left and validation:  # nothing keeps validation from its whole share
            assert validated == max(1, math.floor(sizes[genre] * validation + 0.5))


def test_the_papers_two_readings():
    ids, genres = corpus(100)
    genre_of = dict(zip(ids, genres, strict=True))
    few = make_split(ids, genres, train_tracks_per_genre=20)
    assert counts(few, genre_of) == dict.fromkeys(GTZAN_GENRES, (20, 15, 65))
    assert len(few.ids("train")) == 200
    many = make_split(ids, genres, test_tracks_per_genre=20, validation_fraction=0)
    assert counts(many, genre_of) == dict.fromkeys(GTZAN_GENRES, (80, 0, 20))
    both = make_split(ids, genres, train_tracks_per_genre=20, test_tracks_per_genre=20)
    assert counts(both, genre_of) == dict.fromkeys(GTZAN_GENRES, (20, 15, 20))
    assert len(both.ids("unused")) == 450
    assert "450 tracks were left out by the draw" in both.statement
    assert "left out" not in few.statement


def test_fewer_training_tracks_are_some_of_the_more_and_the_test_part_stays():
    ids, genres = corpus(30)
    draws = [make_split(ids, genres, seed=4, train_tracks_per_genre=n, test_tracks_per_genre=5) for n in (3, 8, 20)]
    assert {tuple(draw.ids("test")) for draw in draws} == {tuple(draws[0].ids("test"))}
    assert set(draws[0].ids("train")) < set(draws[1].ids("train")) < set(draws[2].ids("train"))


def test_numbers_that_cannot_be_drawn():
    ids, genres = corpus(10, ["blues", "jazz"])
    with pytest.raises(SplitError) as error:
        make_split([*ids, "ska.0"], [*genres, "ska"], train_tracks_per_genre=9, test_tracks_per_genre=3)
    assert "into 9 train and validation and 3 test, which takes at least 13" in str(error.value)
    assert "blues has 10, jazz has 10, ska has 1" in str(error.value)
    with pytest.raises(OptionError, match="test_tracks_per_genre is -1"):
        make_split(ids, genres, test_tracks_per_genre=-1)
    with pytest.raises(OptionError, match="train_tracks_per_genre is 2; it must be 0 for a protocol that divides seg"):
        make_split(ids, genres, "segment", train_tracks_per_genre=2)


def test_a_split_with_unused_tracks_is_a_file(tmp_path):
    ids, genres = corpus(10)
    split = make_split(ids, genres, train_tracks_per_genre=2, test_tracks_per_genre=3)
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == split
    value = json.loads((tmp_path / "split.json").read_text())
    assert list(value["parts"]) == ["test", "train", "unused", "validation"]
    (tmp_path / "split.json").write_text(json.dumps({**value, "schema_version": 1}))
    with pytest.raises(SplitError, match=r"unknown key parts\.unused"):
        Split.load(tmp_path / "split.json")


def test_a_split_file_of_version_1_is_read(tmp_path):
    ids, genres = corpus(7)
    split = make_split(ids, genres)
    split.save(tmp_path / "split.json")
    value = json.loads((tmp_path / "split.json").read_text())
    assert value["schema_version"] == 2
    (tmp_path / "split.json").write_text(json.dumps({**value, "schema_version": 1}))
    assert Split.load(tmp_path / "split.json") == split


# the data's own parts


def test_parts_of_the_source_are_kept_and_validation_is_drawn_where_it_has_none():
    ids, genres = corpus(10)
    own = ["test" if item.endswith(("0", "1")) else "train" for item in ids]
    split = split_from_parts(ids, own, genres, seed=2, validation_fraction=0.25)
    genre_of = dict(zip(ids, genres, strict=True))
    assert counts(split, genre_of) == dict.fromkeys(GTZAN_GENRES, (6, 2, 2))
    assert split.ids("test") == sorted(item for item in ids if item.endswith(("0", "1")))
    assert (split.protocol, split.unit, split.seed) == ("source", "track", 2)
    assert split_from_parts(ids[::-1], own[::-1], genres[::-1], seed=2, validation_fraction=0.25) == split

    without = split_from_parts(ids, own, genres, validation_fraction=0)
    assert without.ids("validation") == []
    assert without.seed is None
    named = split_from_parts(
        ids, ["validation" if item.endswith("2") else p for item, p in zip(ids, own, strict=True)], genres
    )
    assert named.ids("validation") == sorted(item for item in ids if item.endswith("2"))
    assert named.seed is None


def test_parts_of_the_source_that_cannot_be_used():
    with pytest.raises(SplitError, match="track b has the part None"):
        split_from_parts(["a", "b"], ["train", None], ["x", "x"])
    with pytest.raises(SplitError, match="track b has the part 'valid'"):
        split_from_parts(["a", "b"], ["train", "valid"], ["x", "x"])
    with pytest.raises(SplitError, match="no training track of y"):
        split_from_parts(["a", "b"], ["train", "test"], ["x", "y"])
    with pytest.raises(SplitError, match="x has 1"):
        split_from_parts(["a", "b"], ["train", "test"], ["x", "x"])


# split and data, split file


def test_check_lists_both_sides():
    split = make_split(["a", "b", "c"], ["x"] * 3)
    split.check(["c", "a", "b"])
    with pytest.raises(SplitError) as error:
        split.check(["a", "d", *(f"e{number:02d}" for number in range(20))])
    text = str(error.value)
    assert "2 ids (b, c) in the split but not in the data" in text
    assert "21 ids (d, e00," in text
    assert "and 11 more) in the data but not in the split" in text
    with pytest.raises(SplitError, match=r"no ids in the split but not in the data; 1 id \(d\) in the data"):
        split.check(["a", "b", "c", "d"])


def test_ids_of_an_unknown_part():
    with pytest.raises(ValueError, match="unknown part 'dev'"):
        make_split(["a", "b", "c"], ["x"] * 3).ids("dev")


@pytest.fixture
def saved(tmp_path):
    ids, genres = corpus(7)
    path = tmp_path / "deep" / "split.json"
    split = make_split([*ids, "café \udce9 \U0001f3b5"], [*genres, "rock"], seed=11)
    split.save(path)
    return path, split


def test_split_file_round_trip(saved):
    path, split = saved
    assert Split.load(path) == split
    assert Split.load(path).hash == split.hash
    value = json.loads(path.read_text(encoding="utf-8"))
    assert list(value) == sorted(value) == ["hash", "parts", "protocol", "schema_version", "seed", "unit"]
    assert list(value["parts"]) == sorted(PARTS)
    assert all(ids == sorted(ids) for ids in value["parts"].values())
    assert [file.name for file in path.parent.iterdir()] == ["split.json"]


def _edit(**changes):
    return lambda value: {**value, **changes}


def _moved(value):
    value["parts"]["train"].append(value["parts"]["test"].pop())
    return value


def _twice(value):
    value["parts"]["train"].append(value["parts"]["test"][0])
    return value


def _twice_in_one(value):
    value["parts"]["train"].append(value["parts"]["train"][0])
    return value


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_moved, "the file was changed"),
        (_edit(seed=12), "the file was changed"),
        (_edit(hash="0" * 64), "the file was changed"),
        (
            _edit(protocol="artits"),
            "unknown protocol 'artits'; known are track, segment, artist, fault_filtered, course, kfold, source",
        ),
        (_edit(protocol="segment"), "protocol segment divides segments"),
        (_edit(note="mine"), "unknown key note"),
        (lambda value: {k: v for k, v in value.items() if k != "seed"}, "missing key seed"),
        (_edit(parts={"train": ["a"], "test": [], "dev": []}), "unknown key parts.dev"),
        (_edit(parts={"train": ["a"], "test": []}), "missing key parts.validation"),
        (_edit(parts=[]), "parts must be an object"),
        (_edit(parts={"train": "a", "test": [], "validation": []}), "parts.train must be a list"),
        (_edit(parts={"train": [1], "test": [], "validation": []}), "parts.train must be a list"),
        (_edit(parts={"train": [], "test": [], "validation": []}), "holds no ids"),
        (_edit(seed="0"), "seed must be"),
        (_edit(seed=True), "seed must be"),
        (_edit(schema_version=3), "newer than this mgc_hf reads"),
        (_edit(schema_version="1"), "no split file"),
        (_twice, "listed twice"),
        (_twice_in_one, "listed twice"),
        (lambda value: [value], "no split file"),
    ],
)
def test_split_file_that_is_refused_by_name(saved, change, text):
    path, _ = saved
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    with pytest.raises(SplitError) as error:
        Split.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert text in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe"])
def test_split_file_that_is_none(tmp_path, content):
    path = tmp_path / "split.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SplitError, match=re.escape(f"{path}: cannot be read as a split file")):
        Split.load(path)


def test_split_of_unknown_parts_is_refused():
    with pytest.raises(SplitError, match="unknown part dev; allowed are train, validation, test, unused"):
        Split("track", "track", 0, {"a": "dev"})
    assert issubclass(SplitError, MgcHfError)


# the page


def test_page_describes_every_protocol_and_its_file_loads(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    sections = re.findall(r"^### `(\w+)`", page, re.MULTILINE)
    assert sorted(sections) == sorted(PROTOCOLS)
    for protocol in PROTOCOLS.values():
        assert protocol.statement in re.sub(r"\s+(> )?", " ", page)
    files = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert len(files) == 1
    (tmp_path / "split.json").write_text(files[0], encoding="utf-8")
    split = Split.load(tmp_path / "split.json")
    split.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text(encoding="utf-8") == files[0]
