"""A run that is killed and resumed is the run that was never killed: weights, averages and history, bit for bit."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.training.stand_ins import write_clips

# 24 rows in batches of 8: three steps an epoch, three epochs, nine steps. Mixup, noise, dropout, averaging and early
# stopping are on (`stand_ins.py`).
EPOCHS = {"save_strategy": "epoch", "early_stopping_patience": 2}
STEPS = {"save_strategy": "steps", "save_steps": 2, "early_stopping_patience": 2}
#: Each gradient step of two batches; an epoch of two steps, the second of one batch alone.
ACCUMULATED = {**STEPS, "save_steps": 1, "gradient_accumulation_steps": 2}
#: The best epoch is the first, so that rotation has an old checkpoint to spare.
BEST_FIRST = {**EPOCHS, "learning_rate": 1e-30, "num_train_epochs": 4, "early_stopping_patience": 0}

SAME = ("weights", "averages", "history", "selected", "steps", "epochs")
STEP_END = "mgc_hf.training.callbacks:Flow.on_step_end"


@pytest.fixture(scope="module")
def unbroken(forked, tmp_path_factory):
    """The records of runs that nothing interrupts, by their options."""
    known = {}

    def run(options):
        key = json.dumps(options, sort_keys=True)
        if key not in known:
            ended = forked(tmp_path_factory.mktemp("unbroken") / "run", **options)
            assert ended.status == 0, ended.log
            known[key] = ended.record
        return known[key]

    return run


def steps_of(folder: Path) -> list[int]:
    return sorted(int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*"))


def check_resume(forked, folder, options, expected, log_has=()):
    resumed = forked(folder, resume=True, **options)
    assert resumed.status == 0, resumed.log
    for text in log_has:
        assert text in resumed.log
    for name in SAME:
        assert resumed.record[name] == expected[name], name
    assert not list(folder.glob(".tmp-*"))
    return resumed


def test_two_identical_runs_are_equal(forked, unbroken, tmp_path):
    again = forked(tmp_path / "run", **EPOCHS)
    assert again.record == unbroken(EPOCHS)
    assert len(again.record["history"]) == 3
    other = forked(tmp_path / "other", seed=1, **EPOCHS)
    assert other.record["weights"] != again.record["weights"]


def test_when_to_save_changes_nothing(unbroken):
    by_epoch, by_step = unbroken(EPOCHS), unbroken(STEPS)
    assert {name: by_epoch[name] for name in SAME} == {name: by_step[name] for name in SAME}


@pytest.mark.parametrize(
    ("options", "step"),
    [(EPOCHS, 5), (STEPS, 4), (STEPS, 5), (ACCUMULATED, 4), (ACCUMULATED, 5)],
    ids=["epochs", "steps-at-3", "steps-at-4", "accumulated-at-3", "accumulated-at-4"],
)
def test_sigkill_between_steps(forked, unbroken, tmp_path, options, step):
    folder = tmp_path / "run"
    options = {**options, "num_train_epochs": 4} if options is ACCUMULATED else options
    killed = forked(folder, interfere={"target": STEP_END, "call": step, "how": "kill_after"}, **options)
    assert killed.status == -signal.SIGKILL
    assert killed.record is None
    saved = steps_of(folder)
    assert saved
    assert max(saved) < step
    resumed = check_resume(forked, folder, options, unbroken(options))
    assert resumed.record["resumed"]
    assert not resumed.record["already_finished"]


@pytest.mark.parametrize(
    ("target", "call", "how"),
    [
        # the second checkpoint (step 6) while its parts are being written ...
        ("torch:save", 6, "kill_half"),
        ("mgc_hf.training.averaging:save_file", 2, "kill_half"),
        ("transformers.trainer_callback:TrainerState.save_to_json", 2, "kill_after"),
        # ... completed by its manifest, and renamed
        ("mgc_hf.training.checkpoints:commit", 2, "kill_before"),
        ("os:rename", 2, "kill_before"),
        ("os:rename", 2, "kill_after"),
    ],
)
def test_sigkill_while_a_checkpoint_is_written_or_renamed(forked, unbroken, tmp_path, target, call, how):
    folder = tmp_path / "run"
    killed = forked(folder, interfere={"target": target, "call": call, "how": how}, **EPOCHS)
    assert killed.status == -signal.SIGKILL
    renamed = target == "os:rename" and how == "kill_after"
    assert steps_of(folder) == ([3, 6] if renamed else [3])
    assert bool(list(folder.glob(".tmp-*"))) is not renamed
    check_resume(forked, folder, EPOCHS, unbroken(EPOCHS))


@pytest.mark.parametrize(
    ("target", "call", "how", "left"),
    [
        # renames: checkpoints 3, 6, 9; then 6 is deleted, since 3 is the best and 9 the newest
        ("os:rename", 4, "kill_before", [3, 6, 9]),
        ("os:rename", 4, "kill_after", [3, 9]),
        ("mgc_hf.training.checkpoints:shutil.rmtree", 2, "kill_half", [3, 9]),
        ("mgc_hf.training.checkpoints:shutil.rmtree", 2, "kill_after", [3, 9]),
    ],
)
def test_sigkill_while_an_old_checkpoint_is_deleted(forked, unbroken, tmp_path, target, call, how, left):
    folder = tmp_path / "run"
    killed = forked(folder, interfere={"target": target, "call": call, "how": how}, **BEST_FIRST)
    assert killed.status == -signal.SIGKILL
    assert steps_of(folder) == left
    check_resume(forked, folder, BEST_FIRST, unbroken(BEST_FIRST))
    assert steps_of(folder) == [3, 12]


def test_incomplete_checkpoints_are_passed_over(forked, unbroken, tmp_path):
    """FC43."""
    folder = tmp_path / "run"
    assert forked(folder, **{**STEPS, "save_total_limit": 9}).status == 0
    (folder / "checkpoint-9" / "trainer_state.json").unlink()
    (folder / "checkpoint-8" / "model.safetensors").write_bytes(b"")
    (folder / "checkpoint-6" / "optimizer.pt").unlink()
    (folder / "checkpoint-4" / "manifest.json").write_text("{")
    check_resume(
        forked,
        folder,
        STEPS,
        unbroken(STEPS),
        [
            "resuming from checkpoint-3",
            "trainer_state.json is missing",
            "has 0 bytes instead of",
            "optimizer.pt is missing",
            "manifest.json cannot be read",
        ],
    )


def test_a_checkpoint_without_its_best_epoch_is_passed_over(forked, unbroken, tmp_path):
    folder = tmp_path / "run"
    options = {**BEST_FIRST, "save_total_limit": 9}
    assert forked(folder, **options).status == 0
    (folder / "checkpoint-3" / "averaged.safetensors").unlink()
    refused = forked(folder, resume=True, **options)
    assert refused.status == 1
    assert "CheckpointError" in refused.log
    assert "the best epoch's checkpoint-3: averaged.safetensors is missing" in refused.log


def test_only_broken_checkpoints_is_an_error_and_changes_nothing(forked, tmp_path):
    """FC43."""
    folder = tmp_path / "run"
    assert forked(folder, **EPOCHS).status == 0
    for path in folder.glob("checkpoint-*"):
        (path / "manifest.json").unlink()
    (folder / ".tmp-checkpoint-99").mkdir()
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    refused = forked(folder, resume=True, **EPOCHS)
    assert refused.status == 1
    assert "CheckpointError" in refused.log
    assert "no checkpoint is whole" in refused.log
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before


def test_resume_without_any_checkpoint_begins_at_the_beginning(forked, unbroken, tmp_path):
    resumed = check_resume(forked, tmp_path / "new", EPOCHS, unbroken(EPOCHS), ["no checkpoint to resume from"])
    assert not resumed.record["resumed"]


def test_a_finished_run_has_nothing_left_to_train(forked, unbroken, tmp_path):
    """FC44."""
    folder = tmp_path / "run"
    assert forked(folder, **EPOCHS).status == 0
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    resumed = check_resume(forked, folder, EPOCHS, unbroken(EPOCHS), ["nothing left to train"])
    assert resumed.record["already_finished"]
    assert not resumed.record["resumed"]
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before


def test_early_stopping_counts_across_a_resume(forked, unbroken, tmp_path):
    # with a learning rate of nothing no epoch is better than the first: patience 2 ends the run after the third
    options = {**BEST_FIRST, "num_train_epochs": 9, "early_stopping_patience": 2}
    whole = unbroken(options)
    assert whole["epochs"] == 3
    assert whole["selected"] == ["best", 1]
    folder = tmp_path / "run"
    killed = forked(folder, interfere={"target": STEP_END, "call": 8, "how": "kill_before"}, **options)
    assert killed.status == -signal.SIGKILL
    check_resume(forked, folder, options, whole)
    again = check_resume(forked, folder, options, whole, ["nothing left to train"])
    assert again.record["already_finished"]


def test_without_validation(forked, unbroken, tmp_path):
    options = {"validation": False, "save_strategy": "steps", "save_steps": 2}
    whole = unbroken(options)
    assert whole["selected"] == ["averaged", 3]
    assert whole["weights"]["classifier.weight"] == whole["averages"]["classifier.weight"]
    assert [record["validation_loss"] for record in whole["history"]] == [None] * 3
    killed = forked(tmp_path / "run", interfere={"target": STEP_END, "call": 6, "how": "kill_after"}, **options)
    assert killed.status == -signal.SIGKILL
    check_resume(forked, tmp_path / "run", options, whole)


@pytest.mark.parametrize(("name", "status", "step"), [("SIGTERM", 143, 4), ("SIGINT", 130, 6)])
def test_a_signal_saves_and_leaves(forked, unbroken, tmp_path, name, status, step):
    """FC47."""
    folder = tmp_path / "run"
    stopped = forked(folder, interfere={"target": STEP_END, "call": step, "how": name}, **EPOCHS)
    assert stopped.status == status
    assert f"saved as {folder}/checkpoint-{step}: go on with the same command and --resume" in stopped.log
    assert max(steps_of(folder)) == step
    assert not list(folder.glob(".tmp-*"))
    check_resume(forked, folder, EPOCHS, unbroken(EPOCHS))


def test_a_second_signal_stops_at_once(forked, unbroken, tmp_path):
    folder = tmp_path / "run"
    stopped = forked(folder, interfere={"target": STEP_END, "call": 5, "how": "SIGTERM+SIGTERM"}, **EPOCHS)
    assert stopped.status == -signal.SIGTERM
    assert steps_of(folder) == [3]
    check_resume(forked, folder, EPOCHS, unbroken(EPOCHS))


def test_a_full_disk_is_one_clear_error(forked, unbroken, tmp_path):
    """FC68."""
    folder = tmp_path / "run"
    killed = forked(folder, interfere={"target": STEP_END, "call": 4, "how": "kill_before"}, **EPOCHS)
    assert killed.status == -signal.SIGKILL
    failed = forked(folder, resume=True, file_limit=2000, **EPOCHS)
    assert failed.status == 1
    assert f"CheckpointError: {folder}/checkpoint-6: could not be written" in failed.log
    assert "MiB are free" in failed.log
    assert steps_of(folder) == [3]
    assert not list(folder.glob(".tmp-*"))
    check_resume(forked, folder, EPOCHS, unbroken(EPOCHS))


def test_half_precision_on_a_cpu(forked, unbroken, tmp_path):
    """FC70."""
    ended = forked(tmp_path / "run", bf16=True, **EPOCHS)
    assert ended.status == 0, ended.log
    assert {len(bytes.fromhex(value)) % 4 for value in ended.record["weights"].values()} == {0}
    for ours, theirs in zip(ended.record["history"], unbroken(EPOCHS)["history"], strict=True):
        assert ours["validation_loss"] == pytest.approx(theirs["validation_loss"], abs=2e-2)


KILL_AT_9 = {"target": STEP_END, "call": 9, "how": "kill_after"}
AUGMENTATIONS = {
    "features": {"mixup_alpha": 0.4, "spec_time_masks": 1, "spec_time_width": 5},
    "waveforms": {"random_offset": True, "gain_db": 6.0, "noise_snr_db": 20.0, "mixup_alpha": 0.4},
}


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_sigkill_with_the_package_own_model_and_data(forked, tmp_path_factory, kind):
    scratch = tmp_path_factory.mktemp(kind)
    write_clips(scratch / "clips")
    # 36 segments in batches of 8: five steps an epoch, the last one shorter
    options = {**STEPS, "corpus": str(scratch / "clips"), "augmentation": AUGMENTATIONS[kind], "num_train_epochs": 2}
    whole = forked(scratch / "whole", real=True, **options)
    assert whole.status == 0, whole.log
    assert whole.record["steps"] == 10
    killed = forked(scratch / "run", real=True, interfere=KILL_AT_9, **options)
    assert killed.status == -signal.SIGKILL, killed.log
    assert max(steps_of(scratch / "run")) == 8
    resumed = forked(scratch / "run", real=True, resume=True, **options)
    assert resumed.status == 0, resumed.log
    assert {name: resumed.record[name] for name in SAME} == {name: whole.record[name] for name in SAME}


def test_ctrl_c_with_workers(forked, unbroken, tmp_path):
    """FC47: Ctrl-C reaches the workers that load the data too; the step is finished all the same, and nobody stays behind."""
    folder = tmp_path / "run"
    options = {**EPOCHS, "dataloader_num_workers": 2}
    stopped = forked(folder, interfere={"target": STEP_END, "call": 4, "how": "group:SIGINT"}, **options)
    assert stopped.status == 130, stopped.log
    assert steps_of(folder) == [3, 4]
    with pytest.raises(ProcessLookupError):
        os.killpg(stopped.pid, 0)
    check_resume(forked, folder, options, unbroken(EPOCHS))


def test_two_processes(forked, tmp_path):
    """Two processes of batch 4 are one of batch 8, and 11 validation segments are 11, not 12."""
    options = {**STEPS, "augment": False, "dropout": 0.0, "segments": 1, "save_total_limit": 9}
    options = {**options, "per_device_eval_batch_size": 4}
    alone = forked(tmp_path / "one", **options)
    both = forked(tmp_path / "two", processes=2, **{**options, "per_device_train_batch_size": 4})
    assert both.status == 0, both.log
    assert both.record["processes"] == 2
    [(status, second)] = both.others
    assert status == 0
    assert {name: second[name] for name in SAME} == {name: both.record[name] for name in SAME}
    for ours, theirs in zip(both.record["history"], alone.record["history"], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    for name, value in both.record["weights"].items():
        pair = [np.frombuffer(bytes.fromhex(text), np.float32) for text in (value, alone.record["weights"][name])]
        np.testing.assert_allclose(*pair, atol=1e-5)

    options = {**options, "per_device_train_batch_size": 4}
    for path in (tmp_path / "two").glob("checkpoint-*"):
        if int(path.name.split("-")[1]) > 4:
            (path / "manifest.json").unlink()
    resumed = forked(tmp_path / "two", processes=2, resume=True, **options)
    assert resumed.status == 0, resumed.log
    assert "resuming from checkpoint-4" in resumed.log
    assert {name: resumed.record[name] for name in SAME} == {name: both.record[name] for name in SAME}


def test_two_processes_stop_together(forked, tmp_path):
    options = {**EPOCHS, "num_train_epochs": 8, "per_device_train_batch_size": 4}
    signalled = {"target": STEP_END, "call": 5, "how": "SIGTERM", "rank": 1}
    stopped = forked(tmp_path / "run", processes=2, interfere=signalled, **options)
    assert stopped.status == 143
    assert [status for status, _ in stopped.others] == [143]
    assert max(steps_of(tmp_path / "run")) == 5  # the very step: on a CPU every step looks for a signal
    assert stopped.log.count("go on with the same command and --resume") == 1
