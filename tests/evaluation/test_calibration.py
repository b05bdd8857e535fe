"""Calibration: against scikit-learn, a grid of temperatures, and models whose confidence is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss, top_k_accuracy_score

from mgc_hf.errors import OptionError, RecordError
from mgc_hf.evaluation.calibration import (
    among_top,
    calibrate,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
)


def honest(n=4000, num_labels=5, scale=1.5, seed=0):
    """Logits of a model whose probabilities are true: the label is drawn from them."""
    rng = np.random.default_rng(seed)
    logits = scale * rng.standard_normal((n, num_labels))
    return logits, np.array([rng.choice(num_labels, p=row) for row in softmax(logits, axis=-1)])


def test_bins_are_those_of_scikit_learns_curve():
    logits, label = honest(800)
    probabilities = softmax(logits, axis=-1)
    bins = reliability_bins(probabilities, label)
    assert len(bins) == 15
    assert (bins[0].low, bins[-1].high) == (0.0, 1.0)
    assert sum(b.n for b in bins) == 800
    assert (bins[0].n, bins[0].confidence, bins[0].accuracy) == (0, None, None)  # of 5 classes one has 20 % at least
    right = probabilities.argmax(axis=-1) == label
    accuracy, confidence = calibration_curve(right, probabilities.max(axis=-1), n_bins=15)
    assert [b.accuracy for b in bins if b.n] == pytest.approx(accuracy)
    assert [b.confidence for b in bins if b.n] == pytest.approx(confidence)


def test_a_bin_holds_its_upper_end():
    bins = reliability_bins(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0, 1]), num_bins=2)
    assert [(b.n, b.confidence, b.accuracy) for b in bins] == [(1, 0.5, 1.0), (1, 1.0, 0.0)]


def test_the_error_of_a_known_case():
    """Ten answers with 95 %, of which 6 are right, and thirty with 62 %, of which 15 are."""
    top = np.repeat([0.95, 0.62], [10, 30])
    probabilities = np.stack([top, 1 - top], axis=-1)
    label = np.repeat([0, 1, 0, 1], [6, 4, 15, 15])
    expected = 10 / 40 * (0.95 - 0.6) + 30 / 40 * (0.62 - 0.5)
    assert expected_calibration_error(probabilities, label) == pytest.approx(expected)
    assert expected_calibration_error(np.eye(2)[[0, 1, 1]], np.array([0, 1, 1])) == 0
    assert expected_calibration_error(np.eye(2)[[0, 1, 1]], np.array([1, 0, 0])) == 1


def test_a_model_that_is_too_sure_gets_a_temperature_that_mends_it():
    logits, label = honest()
    sure, later = 3 * logits[:2000], 3 * logits[2000:]
    temperature = fit_temperature(sure, label[:2000])
    assert temperature == pytest.approx(3, rel=0.1)
    before = expected_calibration_error(softmax(later, axis=-1), label[2000:])
    after = expected_calibration_error(softmax(later / temperature, axis=-1), label[2000:])
    assert before > 0.15
    assert after < 0.05
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 400))
    losses = [log_loss(label[:2000], softmax(sure / t, axis=-1)) for t in grid]
    assert log_loss(label[:2000], softmax(sure / temperature, axis=-1)) <= min(losses) + 1e-9
    assert temperature == pytest.approx(grid[np.argmin(losses)], rel=0.02)


def test_a_part_is_judged_with_the_temperature_of_another():
    logits, label = honest()
    sure = 3 * logits
    found = calibrate(sure[2000:], label[2000:], (sure[:2000], label[:2000]))
    assert found.temperature == fit_temperature(sure[:2000], label[:2000])
    assert found.ece == expected_calibration_error(softmax(sure[2000:], axis=-1), label[2000:])
    assert found.ece > 0.15 > 0.05 > found.ece_at_temperature
    assert found.bins == reliability_bins(softmax(sure[2000:], axis=-1), label[2000:])
    alone = calibrate(sure[2000:], label[2000:])
    assert (alone.ece, alone.bins) == (found.ece, found.bins)
    assert (alone.temperature, alone.ece_at_temperature) == (None, None)


def test_temperatures_without_end_stop_at_the_bounds():
    one = np.array([[0.5, 0.0, 0.0]])
    assert fit_temperature(one, np.array([0])) == pytest.approx(0.05, rel=1e-3)
    assert fit_temperature(one, np.array([1])) == pytest.approx(20, rel=1e-3)
    assert fit_temperature(np.zeros((3, 2)), np.array([0, 1, 1])) == 1.0  # none is better than another


LOGITS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 20), st.integers(2, 5)), elements=st.floats(-50, 50, width=32)
)


@settings(deadline=None)
@given(LOGITS, st.data())
def test_never_nan_and_within_bounds(logits, data):
    n, num_labels = logits.shape
    label = np.array(data.draw(st.lists(st.integers(0, num_labels - 1), min_size=n, max_size=n)))
    probabilities = softmax(logits.astype(np.float64), axis=-1)
    assert 0 <= expected_calibration_error(probabilities, label) <= 1
    temperature = fit_temperature(logits, label)
    assert 0.05 <= temperature <= 20
    loss, at_1 = (-np.log(softmax(logits / t, axis=-1)[np.arange(n), label] + 1e-300).mean() for t in (temperature, 1))
    assert loss <= at_1 + 1e-4
    shares = [among_top(probabilities, label, k).mean() for k in range(1, num_labels + 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_top_2_is_scikit_learns_and_ties_go_to_the_lower_index():
    logits, label = honest(300)
    for k in (1, 2, 3):
        assert among_top(logits, label, k).mean() == pytest.approx(
            top_k_accuracy_score(label, logits, k=k, labels=range(5))
        )
    tied = np.array([[0.3, 0.3, 0.3, 0.1]])
    assert [among_top(tied, np.array([index])).tolist() for index in range(4)] == [[True], [True], [False], [False]]
    almost = np.array([[0.3, 0.3 + 1e-16, 0.4]])
    assert among_top(almost, np.array([0])).all()


def test_refusals():
    with pytest.raises(RecordError, match=r"0 labels and values of shape \(0, 3\)"):
        expected_calibration_error(np.zeros((0, 3)), np.array([], dtype=int))
    with pytest.raises(RecordError, match="2 labels"):
        fit_temperature(np.zeros((3, 3)), np.array([0, 1]))
    with pytest.raises(RecordError, match=r"outside 0\.\.2"):
        among_top(np.zeros((1, 3)), np.array([3]))
    with pytest.raises(OptionError, match="k is 0"):
        among_top(np.zeros((1, 3)), np.array([0]), 0)
    with pytest.raises(OptionError, match="num_bins is 0"):
        reliability_bins(np.full((1, 2), 0.5), np.array([0]), 0)
