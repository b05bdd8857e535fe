"""A learning rate of its own for the head."""

import pytest
import torch

from mgc_hf.errors import OptionError
from mgc_hf.training.arguments import trainer_arguments
from mgc_hf.training.trainer import GenreTrainer
from tests.training.stand_ins import TinyData, as_record, make_extractor, make_model, make_options, make_rows, run_loop
from tests.training.test_loop import At, fail


def make_trainer(tmp_path, model, **values):
    args = trainer_arguments(make_options(tmp_path, **{"weight_decay": 0.1, **values}), has_validation=False)
    return GenreTrainer(model, args, make_extractor(), TinyData(make_rows(10, "train")))


def rates(trainer):
    """Learning rate and weight decay of each trained weight, by name."""
    names = {id(weight): name for name, weight in trainer.model.named_parameters()}
    return {
        names[id(weight)]: (group["lr"], group["weight_decay"])
        for group in trainer.optimizer.param_groups
        for weight in group["params"]
    }


def test_the_head_has_its_own_rate_and_decay_stays(tmp_path):
    trainer = make_trainer(tmp_path, make_model(), learning_rate=1e-3, head_learning_rate=1e-2)
    plain = make_trainer(tmp_path, make_model(), learning_rate=1e-3)
    trainer.create_optimizer()
    plain.create_optimizer()
    assert len(plain.optimizer.param_groups) == 2
    expected = rates(plain)
    assert expected["classifier.weight"] == (1e-3, 0.1)
    expected |= {"classifier.weight": (1e-2, 0.1), "classifier.bias": (1e-2, 0.0)}
    assert rates(trainer) == expected
    assert trainer.create_optimizer() is trainer.optimizer
    assert rates(trainer) == expected


def test_the_schedule_scales_both(tmp_path):
    values = {"learning_rate": 1e-3, "head_learning_rate": 1e-2, "lr_scheduler_type": "linear", "warmup_steps": 2}
    trainer = make_trainer(tmp_path, make_model(), max_steps=4, save_strategy="no", **values)
    seen = []
    trainer.add_callback(At(1, lambda: seen.append(rates(trainer))))
    trainer.add_callback(At(3, lambda: seen.append(rates(trainer))))
    trainer.train()
    # the scheduler moves before `on_step_end`: after step 1 of 4 half of the warm-up, after step 3 half of the way down
    for now in seen:
        assert now["lstm.weight_hh_l0"][0] == pytest.approx(0.5e-3)
        assert now["classifier.weight"][0] == pytest.approx(0.5e-2)
    assert len(seen) == 2


def test_only_weights_that_train_are_moved(tmp_path):
    model = make_model()
    model.lstm.requires_grad_(False)
    trainer = make_trainer(tmp_path, model, head_learning_rate=1e-2, max_steps=2, save_strategy="no")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    trainer.train()
    assert set(rates(trainer)) == {"classifier.weight", "classifier.bias"}
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name]) is name.startswith("lstm"), name


def test_a_model_without_a_head_is_refused(tmp_path):
    model = make_model()
    model.classifier.requires_grad_(False)
    trainer = make_trainer(tmp_path, model, head_learning_rate=1e-2)
    with pytest.raises(
        OptionError, match=r"--head_learning_rate is 0\.01, but TinyClassifier has no weights of a head"
    ):
        trainer.train()


def test_a_resumed_run_ends_as_the_unbroken_one(tmp_path):
    values = {"head_learning_rate": 1e-1, "learning_rate": 1e-2}
    whole = as_record(run_loop(tmp_path / "whole", **values))
    with pytest.raises(KeyError, match="broken off"):
        run_loop(tmp_path / "broken", callbacks=[At(5, fail(KeyError("broken off")))], **values)
    assert as_record(run_loop(tmp_path / "broken", resume=True, **values)) == whole
    assert as_record(run_loop(tmp_path / "plain", learning_rate=1e-2))["weights"] != whole["weights"]
