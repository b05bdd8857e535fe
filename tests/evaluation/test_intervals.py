"""Intervals: against closed formulas, by simulated coverage, and broken on purpose to see the coverage test fail."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score

from mgc_hf.errors import OptionError, RecordError
from mgc_hf.evaluation import intervals
from mgc_hf.evaluation.intervals import (
    accuracy_interval,
    bootstrap_by_track,
    difference_with_width,
    or_wilson,
    paired_difference,
    wilson,
)

NORMAL = 1.959964  # two-sided 95 %


def clustered(rng, num_tracks, sizes=(6,), a=1.0, b=1.0):
    """Segments that are right or wrong together: a track's accuracy is Beta(a, b); the truth is a / (a + b)."""
    size = rng.choice(sizes, size=num_tracks)
    right = rng.random(size.sum()) < np.repeat(rng.beta(a, b, size=num_tracks), size)
    track_id = np.repeat([f"t{number:04d}" for number in range(num_tracks)], size)
    label = np.zeros(size.sum(), dtype=np.int64)
    return track_id, label, np.where(right, 0, 1)


def half_width(low_high):
    return (low_high[1] - low_high[0]) / 2


@pytest.mark.parametrize("wrong", [60, 200, 300])
def test_track_accuracy_agrees_with_the_binomial_standard_error(wrong):
    n = 400
    predicted = (np.arange(n) < wrong).astype(np.int64)
    interval = bootstrap_by_track(
        np.arange(n).astype(str), np.zeros(n, np.int64), predicted, 2, seed=0, num_resamples=20_000
    )["accuracy"]
    p = 1 - wrong / n
    standard_error = (p * (1 - p) / n) ** 0.5
    assert half_width(interval) == pytest.approx(NORMAL * standard_error, rel=0.05)
    assert sum(interval) / 2 == pytest.approx(p, abs=0.1 * standard_error)


def test_segment_accuracy_agrees_with_the_clustered_standard_error():
    """Sandwich formula for a mean over clusters of unequal size: sqrt(sum_t (hits_t - p size_t)^2) / n."""
    track_id, label, predicted = clustered(np.random.default_rng(1), 300, sizes=(2, 6, 11))
    interval = bootstrap_by_track(track_id, label, predicted, 2, seed=0, num_resamples=20_000)["accuracy"]
    _, row = np.unique(track_id, return_inverse=True)
    size, hits = np.bincount(row), np.bincount(row, weights=predicted == label)
    p = hits.sum() / size.sum()
    sandwich = np.sqrt(((hits - p * size) ** 2).sum()) / size.sum()
    assert half_width(interval) == pytest.approx(NORMAL * sandwich, rel=0.05)
    naive = (p * (1 - p) / size.sum()) ** 0.5
    assert half_width(interval) > 1.5 * NORMAL * naive  # what segments drawn one by one would give


def coverage(by_segment, num_sets=400, num_tracks=80):
    rng = np.random.default_rng(7)
    covered = 0
    for seed in range(num_sets):
        track_id, label, predicted = clustered(rng, num_tracks, a=1.4, b=0.6)  # truth 0.7
        if by_segment:
            track_id = np.arange(len(track_id)).astype(str)
        low, high = bootstrap_by_track(track_id, label, predicted, 2, seed=seed, num_resamples=1000)["accuracy"]
        covered += low <= 0.7 <= high
    return covered / num_sets


def test_95_percent_intervals_cover_the_truth_in_95_percent_of_simulated_data_sets():
    assert 0.92 <= coverage(by_segment=False) <= 0.98


def test_the_coverage_test_would_catch_a_bootstrap_by_segment():
    assert coverage(by_segment=True, num_sets=200) < 0.85


def test_values_equal_those_of_rows_drawn_one_by_one():
    """The matrix product against the plain way: repeat the rows of the drawn tracks and ask scikit-learn."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 5, size=9)
    track = np.repeat(np.arange(9), sizes)
    label, predicted = np.repeat(rng.integers(0, 4, size=9), sizes), rng.integers(0, 4, size=sizes.sum())
    got = bootstrap_by_track(np.array([f"t{t}" for t in track]), label, predicted, 4, seed=5, num_resamples=300)
    accuracies, f1s = [], []
    for counts in intervals.draw_counts(np.random.default_rng(5), 300, 9).astype(int):
        rows = np.concatenate([np.flatnonzero(track == t) for t in range(9) for _ in range(counts[t])])
        accuracies.append(accuracy_score(label[rows], predicted[rows]))
        present = np.unique(label[rows])
        f1s.append(f1_score(label[rows], predicted[rows], labels=present, average="macro", zero_division=0))
    assert got["accuracy"] == pytest.approx(np.quantile(accuracies, [0.025, 0.975]))
    assert got["macro_f1"] == pytest.approx(np.quantile(f1s, [0.025, 0.975]))


def test_every_draw_has_as_many_tracks_as_there_are_and_none_is_favoured():
    counts = intervals.draw_counts(np.random.default_rng(0), 5000, 12)
    assert counts.shape == (5000, 12)
    assert (counts.sum(axis=1) == 12).all()
    assert np.abs(counts.mean(axis=0) - 1).max() < 5 * (1 / 5000) ** 0.5
    assert counts.var(axis=0).mean() == pytest.approx(11 / 12, rel=0.03)  # multinomial


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_never_nan_and_within_0_and_1(data):
    num_labels = data.draw(st.integers(1, 5))
    tracks = data.draw(st.lists(st.tuples(st.integers(0, num_labels - 1), st.integers(1, 4)), min_size=1, max_size=6))
    sizes = [size for _, size in tracks]
    label = np.repeat([genre for genre, _ in tracks], sizes)
    predicted = np.array(data.draw(st.lists(st.integers(0, num_labels - 1), min_size=len(label), max_size=len(label))))
    track_id = np.repeat(np.arange(len(tracks)).astype(str), sizes)
    for low, high in bootstrap_by_track(track_id, label, predicted, num_labels, num_resamples=200).values():
        assert 0 <= low <= high <= 1
        assert type(low) is type(high) is float


def test_seeded_and_independent_of_row_order_and_of_blocks(monkeypatch):
    track_id, label, predicted = clustered(np.random.default_rng(2), 50)
    first = bootstrap_by_track(track_id, label, predicted, 2, seed=1)
    assert first == bootstrap_by_track(track_id, label, predicted, 2, seed=1)
    assert first != bootstrap_by_track(track_id, label, predicted, 2, seed=2)
    order = np.random.default_rng(0).permutation(len(label))
    assert first == bootstrap_by_track(track_id[order], label[order], predicted[order], 2, seed=1)
    monkeypatch.setattr(intervals, "_BLOCK", 50 * 37)  # 37 resamples at a time
    assert first == bootstrap_by_track(track_id, label, predicted, 2, seed=1)


def test_all_right_gives_an_interval_without_width():
    zeros = np.zeros(5, dtype=np.int64)
    got = bootstrap_by_track(np.array(list("abcde")), zeros, zeros, 3)
    assert got == {"accuracy": [1.0, 1.0], "macro_f1": [1.0, 1.0]}


def test_refusals():
    empty = np.zeros(0, dtype=np.int64)
    with pytest.raises(RecordError, match="nothing to score"):
        bootstrap_by_track(np.array([], dtype=object), empty, empty, 3)
    with pytest.raises(OptionError, match="num_resamples is 99"):
        bootstrap_by_track(np.array(["a"]), empty + 0, empty + 0, 3, num_resamples=99)


def test_the_bootstraps_interval_stands_unless_it_has_no_width_or_few_are_right_or_wrong():
    """Three of three right says little: Wilson's 95 % interval begins at 3 / (3 + 1.96 ** 2)."""
    low, high = or_wilson([1.0, 1.0], 1.0, 3)
    assert low == pytest.approx(3 / (3 + 1.959964**2), abs=1e-4)
    assert high == pytest.approx(1.0)
    assert or_wilson([0.0, 0.0], 0.0, 3)[1] == pytest.approx(1 - low)
    assert or_wilson([0.5, 0.9], 0.75, 20) == [0.5, 0.9]  # 5 are wrong
    assert or_wilson([0.6, 0.9], 0.8, 20) == pytest.approx(wilson(16, 20))  # 4 are
    assert or_wilson([0.5, 0.5], 0.5, 20) == pytest.approx(wilson(10, 20))


def test_a_share_of_segments_has_as_many_trials_as_there_are_tracks():
    """7.35 of 10 tracks' worth lies between 7 and 8 of them."""
    ends = np.array([wilson(7, 10), wilson(7.35, 10), wilson(8, 10)])
    assert (np.diff(ends, axis=0) > 0).all()
    assert or_wilson([0.7, 0.8], 0.735, 10) == wilson(7.35, 10)


def test_a_paired_difference_has_the_interval_of_its_closed_formula():
    rng = np.random.default_rng(0)
    n = 400
    first, second = rng.random(n) < 0.8, rng.random(n) < 0.6
    tracks = np.array([f"t{index}" for index in range(n)])
    value, (low, high) = paired_difference(tracks, first, second, num_resamples=20_000)
    gain = first.astype(float) - second
    assert value == pytest.approx(gain.mean())
    half = 1.96 * gain.std() / np.sqrt(n)
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.01)


def test_answers_of_one_track_in_several_runs_are_drawn_together():
    rng = np.random.default_rng(1)
    first, second = rng.random(50) < 0.8, rng.random(50) < 0.6
    tracks = np.array([f"t{index}" for index in range(50)])
    once = paired_difference(tracks, first, second)
    three_times = paired_difference(np.tile(tracks, 3), np.tile(first, 3), np.tile(second, 3))
    assert three_times == once  # three looks at the same tracks are no more evidence than one


def test_unpaired_answers_are_refused():
    with pytest.raises(RecordError, match="2 items with 2 and 1"):
        paired_difference(np.array(["a", "b"]), np.ones(2, bool), np.ones(1, bool))
    with pytest.raises(RecordError):
        paired_difference(np.array([]), np.array([]), np.array([]))


def test_wilsons_interval_has_its_published_value():
    """The audio course's 83 of 100: 74.5 to 89.1 %."""
    assert wilson(83, 100) == pytest.approx([0.745, 0.891], abs=5e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_never_nan_has_width_and_holds_the_share(counts):
    right, n = counts
    low, high = wilson(right, n)
    assert 0 <= low <= right / n <= high <= 1
    assert high > low
    found = binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((found.low, found.high), abs=1e-12)
    z2 = 1.959963984540054**2
    for end in (low, high):  # the ends solve (p - share)^2 = z^2 p (1 - p) / n
        assert (end - right / n) ** 2 == pytest.approx(z2 * end * (1 - end) / n, abs=1e-9)
    assert [1 - high, 1 - low] == pytest.approx(wilson(n - right, n), abs=1e-12)


def test_a_share_of_nothing_has_no_interval_and_impossible_ones_are_refused():
    assert wilson(0, 0) is None
    for right, n in ((-1, 3), (4, 3), (1, 0)):
        with pytest.raises(RecordError, match=f"{right} of {n} is no share"):
            wilson(right, n)


def test_an_accuracy_near_1_has_wilsons_interval_and_any_other_the_bootstraps():
    tracks = np.array([f"t{index}" for index in range(40)])
    right = np.arange(40) >= 4
    assert accuracy_interval(tracks, right) == pytest.approx(wilson(36, 40))
    assert accuracy_interval(tracks, ~right) == pytest.approx(wilson(4, 40))
    right = np.arange(40) >= 5
    of_resamples = bootstrap_by_track(tracks, np.zeros(40, np.int64), (~right).astype(np.int64), 2)["accuracy"]
    assert accuracy_interval(tracks, right) == pytest.approx(of_resamples)
    segments = accuracy_interval(np.repeat(tracks, 10), np.repeat(np.arange(40) >= 4, 10))
    assert segments == pytest.approx(wilson(36, 40))  # of tracks, however many segments they are cut into


def test_seven_tracks_are_covered_as_promised():
    """Of 7 tracks that are right in 95 of 100 cases a percentile bootstrap covers the truth in a third."""
    rng = np.random.default_rng(0)
    tracks = np.arange(7).astype(str)
    covered = np.zeros(2)
    for _ in range(200):
        right = rng.random(7) < 0.95
        low, high = accuracy_interval(tracks, right, num_resamples=200)
        plain_low, plain_high = paired_difference(tracks, right, np.zeros(7, bool), num_resamples=200)[1]
        covered += [low <= 0.95 <= high, plain_low <= 0.95 <= plain_high]
    assert covered[0] >= 0.9 * 200
    assert covered[1] <= 0.4 * 200


def test_a_difference_without_width_leaves_room_for_what_was_not_seen():
    tracks, right = np.array([f"t{index}" for index in range(20)]), np.ones(20, bool)
    end = wilson(0, 20)[1]
    value, interval = paired_difference(tracks, right, right)
    assert difference_with_width(interval, value, 20) == pytest.approx([-end, end])
    value, interval = paired_difference(tracks, right, ~right)
    assert difference_with_width(interval, value, 20) == pytest.approx(wilson(20, 20))
    assert difference_with_width([-0.1, 0.3], 0.1, 20) == [-0.1, 0.3]
