"""Paired tests: against sums by hand, by simulation, and where there is nothing to tell apart."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgc_hf.errors import OptionError, RecordError
from mgc_hf.evaluation.paired import PairedTest, holm, mcnemar, sign_test, tracks_needed

ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def answers(both, first_alone, second_alone, neither):
    counts = (both, first_alone, second_alone, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_counts_p_value_and_tracks_needed_of_an_example():
    found = mcnemar(*answers(43, 9, 3, 15))
    assert found == PairedTest(43, 9, 3, 15)
    assert found.n == 70
    by_hand = 2 * sum(comb(12, k) for k in range(4)) / 2**12
    assert found.p_value == pytest.approx(by_hand)
    assert found.tracks_needed == 181


@given(ANSWERS)
def test_the_two_systems_may_be_swapped_and_what_they_agree_on_does_not_count(pairs):
    first, second = np.array(pairs).T
    found, swapped = mcnemar(first, second), mcnemar(second, first)
    assert (found.first_alone, found.second_alone) == (swapped.second_alone, swapped.first_alone)
    assert found.p_value == swapped.p_value
    assert 0 < found.p_value <= 1
    assert found.n == len(pairs)
    differ = first != second
    if differ.any():
        assert mcnemar(first[differ], second[differ]).p_value == found.p_value
    else:
        assert (found.p_value, found.tracks_needed) == (1.0, None)


def test_of_systems_that_are_alike_no_more_than_5_percent_are_told_apart():
    rng = np.random.default_rng(0)
    found = [mcnemar(*(rng.random((2, 60)) < 0.7)).p_value < 0.05 for _ in range(2000)]
    assert 0.01 < np.mean(found) <= 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5


def test_so_many_tracks_find_the_difference_in_80_of_100_cases():
    """The power promised, by drawing discordant tracks; the exact test is a little more careful than the formula."""
    n = tracks_needed(9, 3, 70)
    rng = np.random.default_rng(1)
    draws = rng.multinomial(n, [9 / 70, 3 / 70, 58 / 70], size=2000)
    power = np.mean([sign_test(one, other) < 0.05 for one, other, _ in draws])
    assert 0.7 < power < 0.85


def test_without_discordant_tracks_p_is_1():
    assert sign_test(0, 0) == 1.0
    found = mcnemar(*answers(5, 0, 0, 3))
    assert (found.n, found.p_value, found.tracks_needed) == (8, 1.0, None)


def test_no_number_of_tracks_tells_equal_counts_apart():
    assert tracks_needed(5, 5, 20) is None
    assert tracks_needed(0, 0, 20) is None
    assert tracks_needed(3, 9, 70) == 181
    assert tracks_needed(3, 0, 3) == 4  # no variance but that of the null hypothesis: 1.96 squared
    assert tracks_needed(9, 3, 70, power=0.9) > 181


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_the_number_is_positive_and_does_not_depend_on_the_order(first, second, agreed):
    n = first + second + agreed
    if first != second:
        assert tracks_needed(first, second, n) == tracks_needed(second, first, n) >= 1


def test_holms_values_are_those_of_his_steps():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferronis_and_keeps_the_order(p_values):
    corrected = holm(p_values)
    for value, one in zip(corrected, p_values, strict=True):
        assert one <= value <= min(1, one * len(p_values)) + 1e-15
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_refusals():
    with pytest.raises(RecordError, match="2 and 1 answers"):
        mcnemar(np.ones(2, bool), np.ones(1, bool))
    with pytest.raises(RecordError):
        mcnemar(np.array([]), np.array([]))
    with pytest.raises(RecordError, match="5 and 3 discordant tracks of 7"):
        tracks_needed(5, 3, 7)
    with pytest.raises(OptionError, match="power"):
        tracks_needed(5, 1, 7, power=1.0)
    for wrong in (float("nan"), -0.1, 1.1):
        with pytest.raises(OptionError, match="from 0 to 1"):
            holm([0.5, wrong])
