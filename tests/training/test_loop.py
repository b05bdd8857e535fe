"""The loop in this process; what needs a real kill is in `test_resume.py`."""

import errno
import os
import signal

import numpy as np
import pytest
from safetensors.numpy import load_file
from transformers import TrainerCallback

from mgc_hf.errors import CheckpointError, LabelError, NonFiniteLossError, OptionError
from mgc_hf.training import checkpoints
from mgc_hf.training.signals import StoppedBySignal
from tests.training.stand_ins import as_record, run_loop


class At(TrainerCallback):
    """Does something at the end of a step."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            self.action()


def fail(error):
    def action():
        raise error

    return action


def send(signum, error=None):
    def action():
        os.kill(os.getpid(), signum)
        if error is not None:
            raise error

    return action


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return as_record(run_loop(tmp_path_factory.mktemp("whole") / "run"))


def steps_of(folder):
    return [step for step, _ in checkpoints.list_checkpoints(folder)]


@pytest.mark.parametrize("values", [{}, {"save_strategy": "steps", "save_steps": 2}], ids=["epochs", "steps"])
def test_a_run_that_broke_off_goes_on_to_the_same_end(tmp_path, whole, values):
    with pytest.raises(KeyError, match="broken off"):
        run_loop(tmp_path, callbacks=[At(5, fail(KeyError("broken off")))], **values)
    outcome = run_loop(tmp_path, resume=True, **values)
    assert as_record(outcome) == whole
    assert outcome.resumed
    assert not outcome.already_finished
    again = run_loop(tmp_path, resume=True, **values)
    assert as_record(again) == whole
    assert again.already_finished
    assert (again.resumed, again.seconds) == (outcome.resumed, outcome.seconds)


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_leaves(tmp_path, whole, caplog, signum, status):
    former = signal.getsignal(signum)
    with pytest.raises(StoppedBySignal) as stopped:
        run_loop(tmp_path, callbacks=[At(4, send(signum))])
    assert stopped.value.code == status
    assert f"saved as {tmp_path}/checkpoint-4: go on with the same command and --resume" in caplog.text
    assert signal.getsignal(signum) is former
    assert steps_of(tmp_path) == [3, 4]
    assert as_record(run_loop(tmp_path, resume=True)) == whole


def test_a_signal_at_the_end_of_an_epoch_waits_for_its_validation(tmp_path, whole):
    with pytest.raises(StoppedBySignal):
        run_loop(tmp_path, callbacks=[At(6, send(signal.SIGTERM))])
    assert steps_of(tmp_path) == [3, 6]
    assert as_record(run_loop(tmp_path, resume=True)) == whole


def test_workers_that_died_of_the_same_signal_are_no_traceback(tmp_path, whole, caplog):
    died = RuntimeError("DataLoader worker (pid 17) is killed by signal: Terminated.")
    with pytest.raises(StoppedBySignal) as stopped:
        run_loop(tmp_path, callbacks=[At(5, send(signal.SIGTERM, died))])
    assert stopped.value.code == 143
    assert stopped.value.__cause__ is died
    assert steps_of(tmp_path) == [3]
    assert "go on from the last checkpoint" in caplog.text
    assert as_record(run_loop(tmp_path, resume=True)) == whole


def test_workers_that_died_by_themselves_are_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="DataLoader worker"):
        run_loop(tmp_path, callbacks=[At(1, fail(RuntimeError("DataLoader worker (pid 17) exited unexpectedly")))])


def test_a_full_disk(tmp_path, monkeypatch):
    commit = checkpoints.commit

    def refuse(staged, output_dir, step, **values):
        if step == 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        return commit(staged, output_dir, step, **values)

    monkeypatch.setattr(checkpoints, "commit", refuse)
    with pytest.raises(CheckpointError, match=r"checkpoint-6: could not be written .*Earlier checkpoints are intact"):
        run_loop(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-3"]


def test_other_errors_while_saving_keep_their_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "commit", lambda *_, **__: fail(ZeroDivisionError("a bug"))())
    with pytest.raises(ZeroDivisionError):
        run_loop(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_early_stopping_ends_and_stays_ended(tmp_path):
    options = {"learning_rate": 1e-30, "early_stopping_patience": 1, "num_train_epochs": 9}
    outcome = run_loop(tmp_path, **options)
    assert (outcome.epochs, outcome.selected_epoch) == (2, 1)
    again = run_loop(tmp_path, resume=True, **options)
    assert again.already_finished
    assert as_record(again) == as_record(outcome)
    longer = run_loop(tmp_path, resume=True, **{**options, "early_stopping_patience": 3})
    assert longer.epochs == 4


def test_without_checkpoints_the_best_epoch_is_kept_in_memory(tmp_path, whole):
    outcome = run_loop(tmp_path, save_strategy="no")
    assert as_record(outcome)["weights"] == whole["weights"]
    assert outcome.selected == "best"
    assert list(tmp_path.iterdir()) == []


def test_what_a_resumed_run_must_share(tmp_path):
    run_loop(tmp_path, num_train_epochs=1)
    with pytest.raises(LabelError, match=r"\['blues', 'jazz', 'rock'\], the data now has \['blues', 'jazz'\]"):
        run_loop(tmp_path, num_train_epochs=1, resume=True, genres=["blues", "jazz"])
    with pytest.raises(CheckpointError, match="training_seed was 0, is now 1"):
        run_loop(tmp_path, num_train_epochs=1, resume=True, seed=1)
    with pytest.raises(CheckpointError, match=r"weight_averaging was 0\.9, is now 0\.5"):
        run_loop(tmp_path, num_train_epochs=1, resume=True, weight_averaging=0.5)
    assert run_loop(tmp_path, num_train_epochs=2, resume=True).epochs == 2


def test_an_earlier_run_is_in_the_way(tmp_path):
    run_loop(tmp_path, num_train_epochs=5, save_total_limit=None)
    with pytest.raises(OptionError, match="holds checkpoints of an earlier run"):
        run_loop(tmp_path, num_train_epochs=1)
    assert steps_of(tmp_path) == [3, 6, 9, 12, 15]
    run_loop(tmp_path, num_train_epochs=1, overwrite_output_dir=True)
    assert steps_of(tmp_path) == [3]


def test_a_loss_that_is_not_finite(tmp_path):
    """FC41."""
    with pytest.raises(NonFiniteLossError, match=r"step \d"):
        run_loop(tmp_path, learning_rate=1e8, num_train_epochs=20, save_total_limit=None)
    assert steps_of(tmp_path)
    for step, path in checkpoints.list_checkpoints(tmp_path):
        assert all(np.isfinite(value).all() for value in load_file(path / "model.safetensors").values())
        assert checkpoints.read_checkpoint(path).best_step <= step


def test_validation_data_needs_its_rows(tmp_path):
    from mgc_hf.training import train
    from tests.training.stand_ins import GENRES, TinyData, make_extractor, make_model, make_options, make_rows

    data = TinyData(make_rows(3, "validation"))
    with pytest.raises(ValueError, match="validation_rows"):
        train(make_model(), make_extractor(), data, data, None, GENRES, make_options(tmp_path))
