"""Segments: every sample is in a window, none is drawn twice, and seconds never cost a sample."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgc_hf.data.making_splits import make_split
from mgc_hf.data.protocols import Split
from mgc_hf.data.segments import (
    SegmentTable,
    assign_parts,
    cut_segments,
    paper_pool,
    seconds_to_samples,
    spread_windows,
    window_starts,
    windowing,
)
from mgc_hf.errors import AudioError, CheckpointError, OptionError, SplitError

RATE = 22050


def cut(num_samples, segment_seconds=3.0, hop_seconds=3.0, rate=RATE):
    ids = [f"blues.{number:05d}" for number in range(len(num_samples))]
    return cut_segments(
        ids, [0] * len(ids), num_samples, rate, segment_seconds=segment_seconds, hop_seconds=hop_seconds
    )


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 3000), st.integers(1, 400), st.data())
def test_windows_cover_every_sample_once_or_more(num_samples, segment, data):
    hop = data.draw(st.integers(1, segment))
    starts = window_starts(num_samples, segment, hop)
    lengths = np.minimum(segment, num_samples - starts)
    covered = np.zeros(num_samples, dtype=bool)
    for start, length in zip(starts, lengths, strict=True):
        covered[start : start + length] = True
    assert covered.all()
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()  # no two windows alike
    assert (np.diff(starts)[:-1] == hop).all()  # only the last one is anchored
    assert starts[-1] + lengths[-1] == num_samples
    if num_samples >= segment:
        assert (lengths == segment).all()
    else:
        assert len(starts) == 1


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(1, 400_000), min_size=1, max_size=6),
    st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000]),
    st.floats(0.05, 10),
    st.floats(0.1, 1),
)
def test_table_agrees_with_exact_arithmetic(lengths, rate, segment_seconds, ratio):
    hop_seconds = segment_seconds * ratio
    table = cut(lengths, segment_seconds, hop_seconds, rate)
    segment = round(segment_seconds * rate)
    assert abs(Fraction(segment) - Fraction(segment_seconds) * rate) <= Fraction(1, 2) + Fraction(1, 10**6)
    for track, length in enumerate(lengths):
        rows = table.take(table.track == track)
        assert rows.segment.tolist() == list(range(len(rows)))
        assert rows.num_samples.tolist() == [min(segment, length)] * len(rows)
        assert (rows.start + rows.num_samples <= length).all()
        assert rows.start[-1] + rows.num_samples[-1] == length
    assert np.array_equal(np.rint(table.start_s * rate).astype(np.int64), table.start)
    assert len(set(table.ids)) == len(table)


def test_30_seconds_at_3_seconds_are_10_windows_without_overlap():
    table = cut([30 * RATE])
    assert table.start.tolist() == [k * 3 * RATE for k in range(10)]
    assert table.start_s.tolist() == [3.0 * k for k in range(10)]


@pytest.mark.parametrize("hop", [0.1, 0.3, 0.7, 1 / 3, 1.1, 2.9])
def test_hops_that_binary_fractions_cannot_hold_do_not_drift(hop):
    """Adding 0.1 s a thousand times would be off; counting samples is not."""
    table = cut([300 * RATE], 3.0, hop)
    assert set(np.diff(table.start)[:-1]) == {round(hop * RATE)}
    whole = (300 * RATE - 3 * RATE) // round(hop * RATE) + 1
    assert len(table) in (whole, whole + 1)


def test_gtzan_clip_has_an_eleventh_window_anchored_to_its_end():
    """661,794 samples are 30.013 s: the documented price of dropping nothing."""
    table = cut([661_794])
    assert len(table) == 11
    assert table.start[-2:].tolist() == [9 * 66_150, 661_794 - 66_150]
    assert table.start[-1] - table.start[-2] == 294
    assert set(table.num_samples) == {66_150}


def test_short_clip_gives_one_short_row_and_an_exact_one_a_whole_row():
    table = cut([RATE, 3 * RATE, 3 * RATE + 1])
    assert table.num_samples.tolist() == [RATE, 3 * RATE, 3 * RATE, 3 * RATE]
    assert table.start.tolist() == [0, 0, 0, 1]
    assert table.track.tolist() == [0, 1, 2, 2]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 400_000), min_size=1, max_size=6), st.integers(1, 9), st.floats(0.05, 10))
def test_every_clip_has_the_same_number_of_spread_windows(lengths, num_windows, seconds):
    ids = [f"clip{number}" for number in range(len(lengths))]
    table = spread_windows(ids, [3] * len(ids), lengths, RATE, segment_seconds=seconds, num_windows=num_windows)
    segment = round(seconds * RATE)
    assert len(set(table.ids)) == len(table) == len(lengths) * num_windows
    assert set(table.label) == {3}
    for track, length in enumerate(lengths):
        rows = table.take(table.track == track)
        assert rows.segment.tolist() == list(range(num_windows))
        assert rows.num_samples.tolist() == [min(segment, length)] * num_windows
        assert (rows.start >= 0).all()
        assert (rows.start + rows.num_samples <= length).all()
        room = max(length - segment, 0)  # as much is left out before the first window as after the last
        assert rows.start[0] == pytest.approx(room / (2 * num_windows), abs=1)
        assert room - rows.start[-1] == pytest.approx(room / (2 * num_windows), abs=1)
        assert np.diff(rows.start) == pytest.approx(room / num_windows, abs=1)


def test_spread_windows_need_samples_and_a_window():
    values = {"labels": [0], "sampling_rate": RATE, "segment_seconds": 1.0}
    with pytest.raises(OptionError, match="random_windows is 0"):
        spread_windows(["a"], num_samples=[RATE], num_windows=0, **values)
    with pytest.raises(AudioError, match="a: has no samples"):
        spread_windows(["a"], num_samples=[0], num_windows=2, **values)


def test_windows_are_what_the_extractor_carries():
    assert windowing(SimpleNamespace(segment_seconds=10, hop_seconds=None)) == (10.0, 10.0)
    assert windowing(SimpleNamespace(segment_seconds=10.0)) == (10.0, 10.0)
    assert windowing(SimpleNamespace(segment_seconds=10.0, hop_seconds=2.5)) == (10.0, 2.5)
    with pytest.raises(CheckpointError, match="no segment_seconds"):
        windowing(SimpleNamespace(sampling_rate=16000))


def test_columns_take_and_parts():
    ids, labels = ["a", "b", "c"], [2, 0, 1]
    table = cut_segments(ids, labels, [6 * RATE, 3 * RATE, 7 * RATE], RATE, segment_seconds=3, hop_seconds=3)
    assert table.ids == ["a#0", "a#1", "b#0", "c#0", "c#1", "c#2"]
    assert table.label.tolist() == [2, 2, 0, 1, 1, 1]
    assert set(table.part) == {""}
    assert not table.copy.any()
    table = assign_parts(
        table, Split("track", "track", 0, {"a": "train", "b": "test", "c": "validation", "d": "test"})
    )
    assert table.part.tolist() == ["train", "train", "test", "validation", "validation", "validation"]
    assert table.of_part("validation").ids == ["c#0", "c#1", "c#2"]
    assert table.take(np.array([5, 0])).ids == ["c#2", "a#0"]
    assert len(table.take(np.array([], dtype=int))) == 0
    assert set(assign_parts(table, "test").part) == {"test"}


def test_part_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="unknown part 'tset'"):
        assign_parts(cut([RATE]), "tset")


def test_rows_that_the_split_does_not_hold_are_listed():
    table = cut([9 * RATE] * 15)
    with pytest.raises(SplitError, match=r"15 track ids .* blues.00000, blues.00001, .* and 5 more"):
        assign_parts(table, Split("track", "track", 0, {"a": "train"}))
    with pytest.raises(SplitError, match="45 segment ids"):
        assign_parts(table, Split("segment", "segment", 0, {"blues.00000": "train"}))


@pytest.mark.parametrize(
    ("segment", "hop", "text"),
    [
        (0.0, 1.0, "segment_seconds is 0.0"),
        (-3.0, 1.0, "segment_seconds is -3.0"),
        (float("nan"), 1.0, "segment_seconds is nan"),
        (float("inf"), 1.0, "segment_seconds is inf"),
        (3.0, 0.00001, "hop_seconds is 1e-05"),
        (3.0, 3.1, "longer than segment_seconds"),
    ],
)
def test_durations_that_make_no_sense(segment, hop, text):
    with pytest.raises(OptionError, match=text):
        cut([RATE], segment, hop)


def test_track_without_samples_is_named():
    with pytest.raises(AudioError, match=r"blues\.00001: has no samples") as error:
        cut([RATE, 0])
    assert error.value.kind == "empty"


def test_no_tracks_give_an_empty_table():
    table = cut([])
    assert len(table) == 0
    assert table.ids == []


def test_seconds_to_samples_rounds():
    assert seconds_to_samples(0.1, 22050, "x") == 2205  # 2205.0000000000005 in floating point
    assert seconds_to_samples(1 / 3, 22050, "x") == 7350


def test_table_of_unequal_columns_is_refused():
    columns = {f: np.zeros(2) for f in SegmentTable.__dataclass_fields__}
    columns["label"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"label has shape \(3,\), expected \(2,\)"):
        SegmentTable(**columns)


# the paper's pool


def gtzan_like(per_genre=20, seconds=30):
    ids = [f"g{genre}.{number:05d}" for genre in range(10) for number in range(per_genre)]
    labels = [genre for genre in range(10) for _ in range(per_genre)]
    return cut_segments(ids, labels, [seconds * RATE] * len(ids), RATE, segment_seconds=3, hop_seconds=3)


def test_pool_has_originals_and_copies_before_the_split():
    table = gtzan_like(2)
    pool = paper_pool(table, 0, 2, seed=0)
    assert len(pool) == 3 * len(table)
    assert pool.copy.tolist() == [0, 1, 2] * len(table)
    assert pool.ids[:4] == ["g0.00000#0", "g0.00000#0+1", "g0.00000#0+2", "g0.00000#1"]
    assert len(set(pool.ids)) == len(pool)
    assert paper_pool(table, 0, 0, seed=0).ids == table.ids


def test_pool_of_5000_is_stratified_seeded_and_independent_of_order():
    table = gtzan_like(60)  # 6,000 segments
    pool = paper_pool(table, 5000, 1, seed=3)
    assert len(pool) == 5000
    assert np.bincount(pool.label).tolist() == [500] * 10
    assert 2300 < (pool.copy > 0).sum() < 2700  # originals and copies alike
    assert pool.ids == paper_pool(table, 5000, 1, seed=3).ids
    assert set(pool.ids) != set(paper_pool(table, 5000, 1, seed=4).ids)
    shuffled = table.take(np.random.default_rng(0).permutation(len(table)))
    assert set(paper_pool(shuffled, 5000, 1, seed=3).ids) == set(pool.ids)


def test_pool_shares_follow_unequal_genres_and_add_up():
    labels = np.repeat([0, 1, 2], [10, 20, 71])
    table = cut_segments([f"t{i}" for i in range(101)], labels, [RATE] * 101, RATE, segment_seconds=1, hop_seconds=1)
    pool = paper_pool(table, 50, 0, seed=0)
    assert np.bincount(pool.label).tolist() == [5, 10, 35]
    assert len(paper_pool(table, 1000, 3, seed=0)) == 404  # fewer than asked: all of them


def test_copies_of_one_segment_end_on_both_sides():
    """Leaky on purpose: that is what the paper's reading is worth."""
    pool = paper_pool(gtzan_like(3), 0, 3, seed=0)
    split = make_split(pool.ids, [f"g{label}" for label in pool.label], "segment", seed=0)
    pool = assign_parts(pool, split)
    sides = {
        part: set(zip(r.track_id, r.segment, strict=True)) for part in ("train", "test") for r in [pool.of_part(part)]
    }
    assert len(sides["train"] & sides["test"]) > len(sides["test"]) / 2


def test_pool_refuses_nonsense():
    table = gtzan_like(1)
    with pytest.raises(OptionError, match="num_segments is -1"):
        paper_pool(table, -1, 0, seed=0)
    with pytest.raises(OptionError, match="augmented_copies is -2"):
        paper_pool(table, 0, -2, seed=0)
    with pytest.raises(ValueError, match="copies already"):
        paper_pool(paper_pool(table, 0, 1, seed=0), 0, 1, seed=0)
