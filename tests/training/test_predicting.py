import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from mgc_hf.errors import RecordError
from mgc_hf.training.predicting import predict, validation_metrics
from tests.training.stand_ins import GENRES, TinyData, make_model, make_rows


@pytest.fixture
def rows():
    return make_rows(5, "test", segments=3)


def test_predictions_are_in_the_order_of_the_rows_whatever_the_batch(rows):
    model, data = make_model(), TinyData(rows)
    predictions = predict(model, data, rows, GENRES)
    with torch.no_grad():
        expected = torch.cat([model.eval()(data.__getitems__([row])["input_features"]).logits for row in range(15)])
    np.testing.assert_allclose(predictions.logits, expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(predict(model, data, rows, GENRES, batch_size=4).logits, predictions.logits, atol=1e-6)
    assert list(predictions.track_id) == list(rows.track_id)
    assert predictions.genres == tuple(GENRES)


def test_the_model_is_left_in_the_mode_it_was_in(rows):
    for mode in (True, False):
        model = make_model().train(mode)
        predict(model, TinyData(rows), rows, GENRES)
        assert model.training is mode


def test_labels_that_came_back_in_another_order_are_an_error(rows):
    shuffled = rows.take(np.random.default_rng(0).permutation(len(rows)))
    with pytest.raises(RecordError, match="cannot be told apart"):
        predict(make_model(), TinyData(rows), shuffled, GENRES)
    with pytest.raises(RecordError, match="cannot be told apart"):
        predict(make_model(), TinyData(rows), rows.take(np.arange(14)), GENRES)


def test_logits_that_are_not_finite_are_an_error(rows):
    data = TinyData(rows)
    data.features[3] = np.nan
    with pytest.raises(RecordError, match="NaN"):
        predict(make_model(), data, rows, GENRES)


def test_validation_metrics_agree_with_scikit_learn(rows):
    predictions = predict(make_model(), TinyData(rows), rows, GENRES)
    predictions = replace(predictions, logits=np.random.default_rng(1).normal(size=(15, 3)) * 3)
    metrics = validation_metrics(predictions)
    probabilities = predictions.probabilities
    assert metrics["loss"] == pytest.approx(log_loss(predictions.label, probabilities, labels=[0, 1, 2]))
    assert metrics["segment_accuracy"] == accuracy_score(predictions.label, probabilities.argmax(1))
    huge = validation_metrics(replace(predictions, logits=predictions.logits * 1e6))
    assert np.isfinite(huge["loss"])
    pooled = probabilities.reshape(5, 3, 3).mean(1).argmax(1)
    assert metrics["track_accuracy"] == accuracy_score(predictions.label.reshape(5, 3)[:, 0], pooled)


def test_predicting_does_not_load_the_trainer():
    code = (
        "import sys, mgc_hf.training; assert 'torch' not in sys.modules and 'transformers' not in sys.modules;"
        "from mgc_hf.training import predict; assert 'transformers.trainer' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
