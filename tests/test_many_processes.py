"""Whole runs in two processes: the same figures as in one, one writer, resume, and launchers that start too few."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from mgc_hf.results import RunResult
from tests import preloaded
from tests.training.conftest import forked
from tests.tunes import GENRES, SAMPLING_RATE, tune

__all__ = ["forked"]

ROOT = Path(__file__).parents[1]
RECIPE = "tests.distributed.scenarios:recipe"
pytestmark = pytest.mark.timeout(280)

#: Nothing is drawn at random in the model, so that two processes can be compared with one.
STILL = {
    "model_config": '{"hidden_size": 8, "input_dropout": 0.0, "hidden_dropout": 0.0, "classifier_dropout": 0.0}',
    "num_train_epochs": 3,
    "segment_seconds": 1.0,
    "learning_rate": 0.01,
    "num_resamples": 100,
    "floor": False,
    "pictures": False,
    "disable_tqdm": True,
    "save_strategy": "steps",
    "save_steps": 2,
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Seven clips of each of three genres, of unequal length."""
    folder = tmp_path_factory.mktemp("many") / "clips"
    for genre in GENRES:
        (folder / genre).mkdir(parents=True)
        for index in range(7):
            samples = tune(genre, index, 2.0 + 0.5 * (index % 2))
            soundfile.write(folder / genre / f"clip{index}.wav", samples, SAMPLING_RATE)
    return folder


@pytest.fixture(scope="module")
def values(clips):
    return {**STILL, "dataset": str(clips), "cache_dir": str(clips.parent / "cache")}


@pytest.fixture(scope="module")
def two(forked, values, tmp_path_factory):
    """The folder of an unbroken run of two processes with batches of 4."""
    folder = tmp_path_factory.mktemp("two") / "run"
    return _both(forked, folder, values)


@pytest.fixture(scope="module")
def drawn(values):
    """Options with dropout, so that random states matter."""
    return {**values, "model_config": '{"hidden_size": 8}'}


@pytest.fixture(scope="module")
def unbroken(forked, drawn, tmp_path_factory):
    """The folder of an unbroken run of two processes with dropout."""
    return _both(forked, tmp_path_factory.mktemp("unbroken") / "run", drawn)


def _both(forked, folder, values, **options):
    options = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 3, **values, **options}
    ended = forked(folder, processes=2, scenario=RECIPE, **options)
    assert (ended.status, ended.others[0][0]) == (0, 0), ended.log
    assert ended.record.get("processes") == ended.others[0][1].get("processes") == 2, ended.record
    assert ended.record["result"]["environment"]["world_size"] == 2
    assert ended.record["result"] == ended.others[0][1]["result"]
    return folder


def _state(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def _weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_two_processes_give_the_figures_of_one(forked, values, two, tmp_path):
    options = {"per_device_train_batch_size": 8, "per_device_eval_batch_size": 5, "use_cpu": True}
    ended = forked(tmp_path / "one", scenario="tests.test_many_processes:alone", **values, **options)
    assert ended.status == 0, ended.log
    one, both = (RunResult.load(folder / "results.json") for folder in (tmp_path / "one", two))
    assert (one.environment.world_size, both.environment.world_size) == (1, 2)
    assert sum(sum(counts.values()) for counts in both.data.segments.values()) % 8
    assert one.data == both.data
    for level in ("track", "segment"):
        ours, theirs = getattr(both, level), getattr(one, level)
        assert (ours.n, ours.accuracy, ours.confusion_matrix) == (theirs.n, theirs.accuracy, theirs.confusion_matrix)
    assert both.segment.loss == pytest.approx(one.segment.loss, abs=1e-5)
    for ours, theirs in zip(both.training.history, one.training.history, strict=True):
        for name in ("train_loss", "validation_loss", "validation_segment_accuracy", "validation_track_accuracy"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-5), name


@pytest.fixture(scope="module")
def speech(values):
    """A tiny wav2vec 2.0 with its dropout and SpecAugment; two random windows of each clip an epoch."""
    own = {"model_name_or_path": "facebook/wav2vec2-base", "from_scratch": True, "size": "tiny", "model_config": "{}"}
    return {**values, **own, "spec_time_masks": 0, "random_windows": 2, "num_train_epochs": 2, "learning_rate": 1e-3}


def test_two_processes_give_the_figures_of_one_with_a_speech_model(forked, speech, tmp_path):
    """Waveforms in, group norm; 21 clips."""
    none = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout")
    speech = {**speech, "model_config": json.dumps(dict.fromkeys((*none, "mask_time_prob"), 0.0))}
    both = RunResult.load(_both(forked, tmp_path / "two", speech) / "results.json")
    sizes = {"per_device_train_batch_size": 8, "per_device_eval_batch_size": 5, "use_cpu": True}
    ended = forked(tmp_path / "one", scenario="tests.test_many_processes:alone", **speech, **sizes)
    assert ended.status == 0, ended.log
    one = RunResult.load(tmp_path / "one" / "results.json")
    assert (one.environment.world_size, both.environment.world_size) == (1, 2)
    assert both.model.model_type == "wav2vec2"
    assert one.data == both.data
    assert (both.track.n, both.track.accuracy) == (one.track.n, one.track.accuracy)
    assert both.segment.confusion_matrix == one.segment.confusion_matrix
    assert both.segment.loss == pytest.approx(one.segment.loss, abs=1e-4)


@pytest.mark.parametrize(
    "name",
    ["facebook/wav2vec2-base", "facebook/hubert-base-ls960", "microsoft/wavlm-base", "MIT/ast-finetuned-audioset-10-10-0.4593"],
)  # fmt: skip
def test_layers_left_out_stop_nobody(forked, speech, tmp_path, name):
    """FC38: with layerdrop 0.5 some weights have no gradient in a step; a model without it trains in two as well."""
    dropped = {} if "ast" in name else {"layerdrop": 0.5}
    few = {"max_steps": 3, "random_windows": 0, "save_strategy": "no", "validation_fraction": 0.0}
    folder = _both(forked, tmp_path / "run", {**speech, **few, **dropped, "model_name_or_path": name})
    assert RunResult.load(folder / "results.json").training.steps == 3


@pytest.mark.parametrize("limit", [2_000, 40_000, 60_000])
def test_a_disk_that_fills_up_anywhere_is_one_error(forked, values, tmp_path, limit):
    """FC68: no file may be larger than so many bytes, whether of the prepared data, of the run or of a checkpoint."""
    own = {**values, "cache_dir": str(tmp_path / "cache"), "num_train_epochs": 1}
    ended = forked(tmp_path / "run", scenario=RECIPE, file_limit=limit, **own)
    assert ended.status == 0, ended.log
    assert ended.record["type"] in ("WriteError", "SourceError", "CheckpointError")
    assert str(tmp_path) in ended.record["error"]
    assert "File too large" in ended.record["error"]
    assert "\n" not in ended.record["error"]
    assert not (tmp_path / "run" / "README.md").exists()
    assert not (tmp_path / "run" / "config.json").exists()


def test_two_processes_fit_the_same_floor_as_one(forked, values, tmp_path):
    own = {"model_name_or_path": "stats_floor", "model_config": "{}", "mixup_alpha": 0.0, "spec_time_masks": 0}
    own = {**values, **own}
    one = alone(tmp_path / "one", **own, use_cpu=True)
    two = _both(forked, tmp_path / "two", own)  # the features are there by now
    theirs, ours = (load_file(folder / "model.safetensors") for folder in (tmp_path / "one", two))
    assert theirs.keys() == ours.keys()
    for name, values in theirs.items():  # a sum's last digits depend on the processor and its threads
        np.testing.assert_allclose(ours[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    assert RunResult.load(two / "results.json").segment.confusion_matrix == one["segment"]["confusion_matrix"]


def alone(folder: Path, **options) -> dict:
    """One process, in one of its own."""
    from mgc_hf.run import fine_tune

    return fine_tune(output_dir=str(folder), **options).to_dict()


def test_a_machine_without_the_disk_takes_part(forked, values, two, tmp_path):
    """Each process has an output folder of its own; the second one's does not even come to be."""
    ended = forked(
        tmp_path, processes=2, scenario=RECIPE, own_folders=True, per_device_train_batch_size=4,
        per_device_eval_batch_size=3, **values,
    )  # fmt: skip
    assert (ended.status, ended.others[0][0]) == (0, 0), ended.log
    assert ended.record["processes"] == 2
    assert ended.record["result"] == ended.others[0][1]["result"]
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    assert _weights(tmp_path / "0") == _weights(two)


@pytest.mark.parametrize("own_folders", [False, True])
@pytest.mark.parametrize("call", [5, 9])
def test_sigkill_and_resume(forked, drawn, unbroken, tmp_path, own_folders, call):
    """Both processes die after a step; resumed they end with the weights of those that never died."""
    sizes = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 3, "own_folders": own_folders}
    kill = {"target": "mgc_hf.training.callbacks:Flow.on_step_end", "call": call, "how": "kill_after"}
    killed = forked(tmp_path / "run", processes=2, scenario=RECIPE, interfere=kill, **drawn, **sizes)
    assert (killed.status, killed.others[0][0]) == (-signal.SIGKILL, -signal.SIGKILL), killed.log
    folder = tmp_path / "run" / "0" if own_folders else tmp_path / "run"
    assert (folder / f"checkpoint-{call - 1}" / "rng_state_1.pth").is_file()
    resumed = forked(tmp_path / "run", processes=2, scenario=RECIPE, resume=True, **drawn, **sizes)
    assert resumed.status == 0, resumed.log
    result = RunResult.load(folder / "results.json")
    assert result.environment.world_size == 2
    assert result.training.resumed
    assert _weights(folder) == _weights(unbroken)
    assert result.training.history == RunResult.load(unbroken / "results.json").training.history
    if own_folders:
        assert not (tmp_path / "run" / "1").exists()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("facebook/wav2vec2-base", {}),
        ("facebook/hubert-base-ls960", {"lora_rank": 2}),
        ("microsoft/wavlm-base", {"bf16": True}),
    ],
    ids=["wav2vec2", "hubert-lora", "wavlm-bf16"],
)
def test_sigkill_and_resume_with_a_speech_model(forked, speech, tmp_path, name, options):
    speech = {**speech, "model_name_or_path": name, **options}
    whole = _both(forked, tmp_path / "whole", speech)
    sizes = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 3}
    kill = {"target": "mgc_hf.training.callbacks:Flow.on_step_end", "call": 5, "how": "kill_after"}
    killed = forked(tmp_path / "run", processes=2, scenario=RECIPE, interfere=kill, **speech, **sizes)
    assert (killed.status, killed.others[0][0]) == (-signal.SIGKILL, -signal.SIGKILL), killed.log
    _both(forked, tmp_path / "run", speech, resume=True)
    result = RunResult.load(tmp_path / "run" / "results.json")
    assert result.model.model_type in name
    assert result.environment.precision.startswith("bf16" if "bf16" in options else "float32")
    assert result.training.resumed
    assert _weights(tmp_path / "run") == _weights(whole)


def test_resuming_a_finished_run_changes_nothing(forked, values, two):
    before = _state(two)
    _both(forked, two, values, resume=True)
    assert _state(two) == before


def test_errors_of_the_main_process_reach_all(forked, values, two, clips, tmp_path):
    """FC44."""
    before = _state(two)
    shutil.copytree(clips, tmp_path / "other")
    (tmp_path / "other" / "metal").rename(tmp_path / "other" / "polka")
    sizes = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 3}
    cases = {
        "OptionError": (["already exists and is not empty"], {}),
        "LabelError": (["['blues', 'jazz', 'metal']", "polka"], {"resume": True, "dataset": str(tmp_path / "other")}),
        "CheckpointError": (["another run"], {"resume": True, "seed": 5}),
    }
    for kind, (texts, options) in cases.items():
        ended = forked(two, processes=2, scenario=RECIPE, **{**values, **sizes, **options})
        records = [ended.record, ended.others[0][1]]
        assert records[0] == records[1], ended.log
        assert records[0]["type"] == kind
        assert records[0]["processes"] == 2
        assert all(text in records[0]["error"] for text in texts), records[0]["error"]
    assert _state(two) == before


def test_other_data_on_another_machine_is_refused(forked, values, clips, tmp_path):
    shutil.copytree(clips, tmp_path / "clips")
    shutil.copytree(clips, tmp_path / "clips-other")
    (tmp_path / "clips-other" / "jazz" / "clip0.wav").unlink()
    options = {**values, "dataset": str(tmp_path / "clips"), "own_data": True}
    ended = forked(tmp_path / "run", processes=2, scenario=RECIPE, **options)
    for record in (ended.record, ended.others[0][1]):
        assert record["type"] == "DistributedError", ended.log
        assert record["processes"] == 2
        assert "the processes differ in split" in record["error"]
    assert not (tmp_path / "run").exists()


def _start(*command: object, **environment: str) -> subprocess.CompletedProcess:
    """Run a command as a user would, since recipes look who started them, in a group of its own.

    One that hangs is made to say where, and nothing of it stays behind.
    """
    own = {**dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONFAULTHANDLER"), "1"), "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    words = [*map(str, command)]
    with subprocess.Popen(words, cwd=ROOT, env={**os.environ, **own, **environment}, **pipes) as process:
        try:
            out, err = process.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGABRT)
            out, err = process.communicate(timeout=20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def test_torchrun_gives_two_on_a_cpu(values, tmp_path):
    """FC38: Without --use_cpu, too: there transformers alone would run two that do not know of each other."""
    options = [word for name, value in {**values, "num_train_epochs": 1}.items() for word in (f"--{name}", str(value))]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    result = _start(*launcher, "recipes/lstm.py", *options, "--output_dir", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "run" / "results.json").read_text())["environment"]["world_size"] == 2
    assert result.stdout.count("protocol track") == 1


CPU_CONFIG = """compute_environment: LOCAL_MACHINE
distributed_type: MULTI_CPU
num_machines: 1
num_processes: 3
machine_rank: 0
use_cpu: true
mixed_precision: 'no'
"""


@pytest.mark.parametrize(
    ("words", "asked", "command"),
    [
        (["--cpu", "--num_processes", "2"], 2, "torchrun --nproc_per_node 2 recipes/lstm.py --dataset"),
        (["--config_file", "CONFIG"], 3, "torchrun --nproc_per_node 3 recipes/lstm.py --dataset"),
        (
            [
                "--cpu",
                "--num_machines",
                "2",
                "--machine_rank",
                "1",
                "--main_process_ip",
                "10.0.0.1",
                "--main_process_port",
                "29517",
            ],
            2,
            "torchrun --nproc_per_node 1 --nnodes 2 --node_rank 1 --master_addr 10.0.0.1 --master_port 29517 recipes",
        ),
    ],
    ids=["processes", "config", "machines"],
)
def test_accelerate_launch_on_cpus_is_not_one_process_in_silence(words, asked, command, tmp_path):
    """FC38."""
    (tmp_path / "cpu.yaml").write_text(CPU_CONFIG)
    words = [str(tmp_path / "cpu.yaml") if word == "CONFIG" else word for word in words]
    launcher = [sys.executable, "-m", "accelerate.commands.launch", *words, "recipes/lstm.py"]
    result = _start(*launcher, "--dataset", tmp_path / "not-read", "--output_dir", tmp_path / "run")
    assert result.returncode == 1, result.stderr
    [told] = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert f"asked for {asked} processes, but this process runs alone" in told
    assert command in told
    assert not (tmp_path / "run").exists()


def test_a_launcher_that_says_too_little_is_told(tmp_path):
    words = ["recipes/lstm.py", "--output_dir", tmp_path / "run"]
    result = preloaded.run(words, env={**os.environ, "WORLD_SIZE": "2"}, cwd=ROOT)
    assert result.returncode == 2, result.stderr
    assert "WORLD_SIZE is 2, but RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT" in result.stderr
