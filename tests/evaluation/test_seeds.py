"""Mean and spread over seeds."""

import statistics

import pytest

from mgc_hf.errors import RecordError
from mgc_hf.evaluation.seeds import over_seeds


def test_mean_and_sample_deviation():
    values = [0.6, 0.65, 0.55, 0.7, 0.6]
    found = over_seeds(values)
    assert found.mean == pytest.approx(statistics.mean(values))
    assert found.deviation == pytest.approx(statistics.stdev(values))  # divided by n - 1
    assert found.n == 5
    assert str(found) == "62.0 ± 5.7 % over 5 seeds"


def test_one_run_has_no_spread_and_none_no_mean():
    assert over_seeds([0.5]).deviation is None
    assert str(over_seeds([0.5])) == "50.0 % over 1 seed"
    for values in ([], [0.5, float("nan")]):
        with pytest.raises(RecordError, match="one run at least"):
            over_seeds(values)
