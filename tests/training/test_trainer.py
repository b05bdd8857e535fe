import dataclasses
import json

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from mgc_hf.errors import RecordError
from mgc_hf.results import EpochRecord
from mgc_hf.training import predict, train
from mgc_hf.training.arguments import trainer_arguments
from mgc_hf.training.predicting import Validation, validation_metrics
from mgc_hf.training.sampling import EpochSampler
from mgc_hf.training.trainer import GenreTrainer
from tests.training.stand_ins import (
    GENRES,
    TinyClassifier,
    TinyData,
    make_extractor,
    make_model,
    make_options,
    make_rows,
    run_loop,
)


def make_trainer(tmp_path, *, augment=False, validation=None, weight_averaging=0.0, **values):
    options = make_options(tmp_path, **values)
    args = trainer_arguments(options, validation is not None)
    data = TinyData(make_rows(10, "train"), augment)
    model = make_model(dropout=0.0)
    return GenreTrainer(model, args, make_extractor(), data, validation, weight_averaging=weight_averaging)


@pytest.fixture
def validation():
    rows = make_rows(5, "validation", segments=3)
    return Validation(TinyData(rows), rows, GENRES)


@pytest.mark.parametrize("augment", [False, True], ids=["labels", "soft labels"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_cross_entropy(tmp_path, augment, smoothing):
    trainer = make_trainer(tmp_path, augment=augment, label_smoothing_factor=smoothing)
    batch = trainer.train_dataset.__getitems__(range(8))
    loss, outputs = trainer.compute_loss(trainer.model, batch, return_outputs=True)
    one_hot = torch.eye(3)[batch["labels"]] if batch["labels"].ndim == 1 else batch["labels"]
    targets = one_hot * (1 - smoothing) + smoothing / 3
    expected = -(targets * outputs.logits.log_softmax(-1)).sum(-1).mean()
    torch.testing.assert_close(loss, expected)
    assert "labels" in batch
    accuracy = (outputs.logits.argmax(-1) == one_hot.argmax(-1)).sum()
    assert trainer.recorder.state()["attributes"]["sums"] == pytest.approx([loss.item() * 8, accuracy.item(), 8])


def test_accumulated_batches_are_one_batch(tmp_path):
    """20 rows: 8 + 8 + 4 in three small batches weigh by their rows, as 20 at once do."""
    weights = []
    for name, values in {
        "one": {"per_device_train_batch_size": 20},
        "three": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 3},
    }.items():
        trainer = make_trainer(tmp_path / name, max_steps=2, save_strategy="no", **values)
        trainer.train()
        assert trainer.state.global_step == 2
        weights.append(trainer.model.state_dict())
        assert [record.step for record in trainer.recorder.records] == [1, 2]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], atol=1e-5, rtol=1e-4)


def test_recorded_training_figures_are_those_of_the_epoch(tmp_path):
    """With one batch an epoch and no step yet, the first record is the fresh model's loss on all rows."""
    trainer = make_trainer(tmp_path, per_device_train_batch_size=20, num_train_epochs=1, save_strategy="no")
    batch = trainer.train_dataset.__getitems__(range(20))
    with torch.no_grad():
        logits = trainer.model(batch["input_features"]).logits
    expected = float(cross_entropy(logits, batch["labels"], label_smoothing=0.1))
    trainer.train()
    [record] = trainer.recorder.records
    assert record.train_loss == pytest.approx(expected, rel=1e-5)
    assert record.train_accuracy == pytest.approx(float((logits.argmax(-1) == batch["labels"]).float().mean()))
    assert record.validation_loss is None


def test_validation_is_that_of_the_averaged_weights(tmp_path, validation):
    trainer = make_trainer(tmp_path, validation=validation, weight_averaging=0.9, save_strategy="no")
    trainer.train()
    own = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    metrics = trainer.evaluate()
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, own[name])
    averaged = make_model(dropout=0.0)
    averaged.load_state_dict(trainer.average.state_dict())
    expected = validation_metrics(predict(averaged, validation.data, validation.rows, GENRES))
    assert {name: metrics[f"eval_{name}"] for name in expected} == pytest.approx(expected, rel=1e-5)
    raw = validation_metrics(predict(trainer.model, validation.data, validation.rows, GENRES))
    assert raw["loss"] != pytest.approx(expected["loss"], rel=1e-4)


def test_trainer_and_bare_model_predict_the_same(tmp_path, validation):
    trainer = make_trainer(tmp_path, validation=validation)
    by_trainer = predict(trainer, validation.data, validation.rows, GENRES)
    by_model = predict(trainer.model, validation.data, validation.rows, GENRES)
    np.testing.assert_allclose(by_trainer.logits, by_model.logits, atol=1e-6)
    with pytest.raises(RecordError, match="cannot be told apart"):
        predict(trainer, validation.data, validation.rows.take(np.arange(15)[::-1]), GENRES)


def test_no_card_no_pickle_and_a_clean_configuration(tmp_path):
    trainer = run_loop(tmp_path, num_train_epochs=1).trainer
    trainer.create_model_card(model_name="x")
    checkpoint = tmp_path / "checkpoint-3"
    assert not list(tmp_path.rglob("README.md"))
    assert not list(tmp_path.rglob("training_args.bin"))
    assert "use_cache" not in json.loads((checkpoint / "config.json").read_text())
    loaded = TinyClassifier.from_pretrained(checkpoint)
    assert loaded.state_dict().keys() == trainer.model.state_dict().keys()


def test_the_outcome_holds_the_best_epoch(tmp_path):
    outcome = run_loop(tmp_path, num_train_epochs=6, metric_for_best_model="loss", save_total_limit=1)
    losses = [record.validation_loss for record in outcome.history]
    assert outcome.selected == "best"
    assert outcome.selected_epoch == 1 + losses.index(min(losses))
    assert not outcome.model.training
    rows = make_rows(6, "validation")
    metrics = validation_metrics(predict(outcome.trainer, TinyData(rows), rows, GENRES))
    best = outcome.history[losses.index(min(losses))]
    assert metrics["loss"] == pytest.approx(best.validation_loss, rel=1e-6)
    assert metrics["segment_accuracy"] == best.validation_segment_accuracy
    assert metrics["track_accuracy"] == best.validation_track_accuracy
    assert outcome.epochs == 6
    assert outcome.steps == 18
    assert outcome.seconds > 0


def test_without_averaging_and_validation_the_last_weights_are_taken(tmp_path):
    outcome = run_loop(tmp_path, validation=False, weight_averaging=0.0)
    assert (outcome.selected, outcome.selected_epoch) == ("last", 3.0)
    assert all(type(record) is EpochRecord for record in outcome.history)


def test_validation_by_steps(tmp_path):
    outcome = run_loop(tmp_path, eval_strategy="steps", eval_steps=2, num_train_epochs=2)
    steps = [(record.step, record.validation_loss is not None) for record in outcome.history]
    assert steps == [(2, True), (3, False), (4, True), (6, True)]


def test_half_precision_weights_are_trained_in_float32(tmp_path):
    model = make_model().half()
    data = TinyData(make_rows(4, "train"))
    outcome = train(model, make_extractor(), data, None, None, GENRES, make_options(tmp_path, num_train_epochs=1))
    assert {value.dtype for value in outcome.model.state_dict().values()} == {torch.float32}


def test_a_second_training_of_a_model_is_under_autocast_too(tmp_path):
    model, seen = make_model(), []
    model.classifier.register_forward_hook(lambda module, _, output: seen.append((module.training, output.dtype)))
    for name in ("first", "second"):
        run_loop(tmp_path / name, model=model, num_train_epochs=1, bf16=True)
        assert {dtype for training, dtype in seen if training} == {torch.bfloat16}
        seen.clear()


def test_tensorboard_writes_into_the_output_folder(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run_loop(tmp_path, report_to="tensorboard", logging_strategy="epoch", num_train_epochs=2)
    [file] = tmp_path.rglob("events.out.tfevents.*")
    events = EventAccumulator(str(file)).Reload()
    assert {"train/loss", "train/accuracy", "eval/segment_accuracy", "eval/track_accuracy"} <= set(
        events.Tags()["scalars"]
    )
    assert [event.step for event in events.Scalars("train/accuracy")] == [3, 6]


def test_the_lines_of_an_epoch(tmp_path, capsys):
    outcome = run_loop(tmp_path, num_train_epochs=2)
    printed = capsys.readouterr()
    assert printed.out == ""
    record = outcome.history[0]
    assert (
        f"epoch 1/2  training: loss {record.train_loss:.3f}, {100 * record.train_accuracy:.1f} % of segments  "
        f"validation: loss {record.validation_loss:.3f}" in printed.err
    )
    assert printed.err.count("epoch ") == 2


def test_the_order_of_rows_is_a_function_of_seed_and_epoch():
    sampler = EpochSampler(50, seed=3)
    first = list(sampler)
    assert sorted(first) == list(range(50))
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(EpochSampler(50, seed=2)) != first
    assert list(EpochSampler(5, seed=2, shuffle=False)) == [0, 1, 2, 3, 4]


def test_the_data_set_hears_of_each_epoch(tmp_path):
    outcome = run_loop(tmp_path)
    seen = outcome.trainer.train_dataset.epochs_seen
    assert dict.fromkeys(seen) == dict.fromkeys([0, 1, 2])
    assert dataclasses.asdict(outcome.history[-1])["epoch"] == 3.0
