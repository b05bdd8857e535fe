"""Runs made, picked up, resumed and failed, with a launcher that writes what a recipe would; and what is planned."""

import fcntl
import json
import os
import signal
import sys
import time

import pytest

from mgc_hf.cli import experiment
from mgc_hf.cli.experiment import RunDisplay, parse_compare_options
from mgc_hf.comparison.experiment import Process, check_data, differences, fraction_done, run_all, state_of, why_failed
from mgc_hf.comparison.material import read_material
from mgc_hf.comparison.plan import command, plan, read_system_options
from mgc_hf.errors import OptionError
from mgc_hf.results import RunResult
from tests import preloaded
from tests.comparison import runs as made
from tests.comparison.runs import shares
from tests.conftest import SHARED


def planned(folder, systems=("lstm", "hubert"), protocols=("track",), seeds=(0,), **values):
    return plan(systems, protocols, seeds, folder, **{"dataset": "demo", **values})


def write(run):
    """Write what a recipe would have."""
    folder = made.run(
        run.folder,
        shares(5, 4),
        protocol=run.protocol,
        seed=run.seed,
        model={"model_type": run.system.key.split("-")[0]},
    )
    record = RunResult.load(folder / "results.json").to_dict()
    base = {name: value for name, value in run.options.items() if name != "protocol" or value != "track"}
    record["training"] |= {
        "recipe": run.recipe,
        "options": base,
        "resolved": {**base, "protocol": run.protocol, "size": None},
    }
    (folder / "results.json").write_text(json.dumps(record))


class Launcher:
    """Starts nothing: writes the folder of a run, or fails; keeps the commands."""

    def __init__(self, runs, fail=(), stop=()):
        self.runs, self.fail, self.stop = {str(run.folder): run for run in runs}, fail, stop
        self.commands, self.stopped = [], []

    def __call__(self, words, log):
        self.commands.append(list(words))
        run = self.runs[words[words.index("--output_dir") + 1]]
        log.parent.mkdir(parents=True, exist_ok=True)
        launcher = self

        class Running:
            def poll(self):
                if run.name in launcher.stop:
                    raise KeyboardInterrupt
                if run.name in launcher.fail:
                    log.write_text("WARNING: something\nerror: /home/me/music: no such folder\nTraceback (most ...)\n")
                    return 1
                write(run)
                return 0

            def stop(self):
                launcher.stopped.append(run.name)

        return Running()


class Display:
    def __init__(self):
        self.said = []

    def begin(self, run, how):
        self.said.append((run.title, how))

    def update(self, run, fraction, seconds):
        raise AssertionError("these runs end at once")

    def end(self, run, what, seconds):
        self.said.append((run.title, what.split(" (")[0]))


def go(runs, folder, **values):
    display, launcher = Display(), Launcher(runs, **values)
    outcome = run_all(runs, folder, folder, display, launcher="accelerate launch", start=launcher)
    return outcome, launcher, display.said


def test_a_failure_loses_no_other_run_and_finished_ones_are_picked_up(tmp_path):
    runs = planned(tmp_path, seeds=(0, 1))
    outcome, launcher, _ = go(runs, tmp_path, fail=("lstm",))
    assert [run.title for run in outcome.finished] == ["hubert track seed 0", "hubert track seed 1"]
    assert [(run.title, why) for run, why in outcome.failed] == [
        ("lstm track seed 0", "/home/me/music: no such folder"),
        ("lstm track seed 1", "/home/me/music: no such folder"),
    ]
    assert [missing.reason for missing in outcome.missing] == ["music: no such folder"] * 2  # a report shows no paths
    assert launcher.commands[0][:3] == ["accelerate", "launch", str(tmp_path / "lstm.py")]
    outcome, launcher, said = go(runs, tmp_path)
    assert [run.title for run in outcome.finished] == [run.title for run in runs]
    assert len(launcher.commands) == 2
    assert said == [
        ("lstm track seed 0", "started"),
        ("lstm track seed 0", "done"),
        ("lstm track seed 1", "started"),
        ("lstm track seed 1", "done"),
        ("hubert track seed 0", "picked up"),
        ("hubert track seed 1", "picked up"),
    ]
    assert len(read_material([run.source for run in outcome.finished]).runs) == 4


def test_a_broken_run_goes_on_from_what_it_has(tmp_path):
    runs = planned(tmp_path, systems=("lstm", "hubert", "wavlm"))
    (runs[0].folder / "checkpoint-20").mkdir(parents=True)
    (runs[0].folder / "checkpoint-20" / "manifest.json").write_text("{}")
    runs[1].folder.mkdir()
    (runs[1].folder / "split.json").write_text("{}")
    assert [state_of(run) for run in runs] == ["resumable", "begun", "new"]
    (runs[2].folder / "fold-0").mkdir(parents=True)
    assert state_of(runs[2]) == "resumable"
    launcher = Launcher(runs, fail=("lstm", "hubert", "wavlm"))
    run_all(runs, tmp_path, tmp_path, Display(), launcher="x", start=launcher)
    assert launcher.commands[0][-2:] == ["--resume", "true"]
    assert launcher.commands[1][-2:] == ["--overwrite_output_dir", "true"]
    assert launcher.commands[2][-2:] == ["--resume", "true"]


def test_a_finished_run_with_other_options_is_not_taken_for_this_one(tmp_path):
    (before,) = planned(tmp_path, systems=("lstm",), system_options={"lstm": {"num_train_epochs": 5}})
    write(before)
    assert state_of(before) == "finished"
    (same,) = planned(tmp_path, systems=("lstm",), system_options={"all": {"num_train_epochs": "5.0"}})
    assert state_of(same) == "finished"  # however the value is written
    (now,) = planned(tmp_path, systems=("lstm",))
    launcher = Launcher([now])
    with pytest.raises(OptionError, match=r"num_train_epochs 5 there, the recipe's default here.*name another"):
        run_all([now], tmp_path, tmp_path, Display(), launcher="x", start=launcher)
    assert launcher.commands == []
    (other,) = planned(
        tmp_path, systems=("lstm",), dataset="/data/music", system_options={"lstm": {"num_train_epochs": 5}}
    )
    assert differences(other, RunResult.load(before.folder / "results.json")) == ["dataset demo there, music here"]
    (recipe,) = planned(tmp_path, systems=("hubert",))
    assert differences(recipe, RunResult.load(before.folder / "results.json")) == [
        "recipe lstm.py there, hubert.py here"
    ]


def test_an_option_that_is_an_object_is_the_same_through_a_command_line(tmp_path):
    options = {"lstm": {"model_config": {"hidden_size": 32, "bidirectional": True}}}
    (run,) = planned(tmp_path, systems=("lstm",), system_options=options)
    write(run)
    text = run.arguments()[run.arguments().index("--model_config") + 1]
    record = RunResult.load(run.folder / "results.json").to_dict()
    for name in ("options", "resolved"):
        record["training"][name]["model_config"] = text
    (run.folder / "results.json").write_text(json.dumps(record))
    assert state_of(run) == "finished"
    options["lstm"]["model_config"]["hidden_size"] = 64
    (other,) = planned(tmp_path, systems=("lstm",), system_options=options)
    assert len(differences(other, RunResult.load(run.folder / "results.json"))) == 1


def test_data_of_one_name_from_another_place_is_refused(tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "gtzan").mkdir(parents=True)
    out = tmp_path / "out"
    here, there = (planned(out, ("lstm",), dataset=str(tmp_path / place / "gtzan")) for place in ("a", "b"))
    check_data(out, here)
    check_data(out, here)
    assert str(tmp_path) not in (out / "experiment.json").read_text()
    with pytest.raises(OptionError, match="holds runs on data from another place than --dataset .*b/gtzan"):
        run_all(there, out, tmp_path, Display(), launcher="x", start=Launcher(there))
    (out / "experiment.json").write_text("[]")
    with pytest.raises(OptionError, match=r"experiment\.json: is damaged"):
        check_data(out, here)


def test_a_run_that_another_process_makes_is_left_to_it(tmp_path):
    runs = planned(tmp_path)
    (tmp_path / "logs").mkdir()
    with open(tmp_path / "logs" / "lstm-track-0.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        outcome, launcher, said = go(runs, tmp_path)
    assert [(run.name, why) for run, why in outcome.failed] == [("lstm", "process 4711 is making it")]
    assert said[0] == ("lstm track seed 0", "left out")
    assert len(launcher.commands) == 1
    assert len(go(runs, tmp_path)[0].finished) == 2  # once it is let go


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_stop_the_run_at_hand(number):
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        seen = experiment._stop_on_signals()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert seen == [number]
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        experiment._stop_on_signals()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_an_error_of_the_display_leaves_no_run_behind(tmp_path):
    (run,) = planned(tmp_path, systems=("lstm",))

    class Endless(Launcher):
        def __call__(self, words, log):
            running = super().__call__(words, log)
            running.poll = lambda: None
            return running

    launcher = Endless([run])
    with pytest.raises(AssertionError, match="end at once"):
        run_all([run], tmp_path, tmp_path, Display(), launcher="x", start=launcher)
    assert launcher.stopped == ["lstm"]


def test_a_stopped_experiment_stops_its_run(tmp_path):
    runs = planned(tmp_path)
    launcher = Launcher(runs, stop=("hubert",))
    with pytest.raises(KeyboardInterrupt):
        run_all(runs, tmp_path, tmp_path, Display(), launcher="x", start=launcher)
    assert launcher.stopped == ["hubert"]
    assert state_of(runs[0]) == "finished"


def test_a_process_and_its_children_are_stopped(tmp_path):
    child = "import signal, sys, time; print('ready', flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"
    log = tmp_path / "logs" / "run.log"
    process = Process([sys.executable, "-c", parent], log)
    for _ in range(400):
        if log.is_file() and "ready" in log.read_text():
            break
        time.sleep(0.05)
    assert process.poll() is None
    process.stop()
    assert process.poll() == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.killpg(process._process.pid, 0)


def test_how_far_a_run_is_and_why_it_failed(tmp_path):
    log = tmp_path / "run.log"
    (run,) = planned(tmp_path, systems=("lstm",))
    assert fraction_done(run, log) is None
    assert why_failed(log, 3) == "exit status 3: it said nothing"
    log.write_text("epoch 1/4  training: loss 2\nepoch 3/4  training: loss 1\nKilled\n")
    assert fraction_done(run, log) == 0.75
    assert why_failed(log, -9) == "exit status -9: Killed"
    log.write_text(
        "Traceback (most recent call last):\n  File x\nValueError: a bug\nTraceback (most recent call last):\n"
        "    raise subprocess.CalledProcessError(1)\nsubprocess.CalledProcessError: Command returned 1\n"
    )
    assert why_failed(log, 1) == "exit status 1: ValueError: a bug"
    log.write_text("epoch 3/4  training: loss 1\n")
    since = log.stat().st_size  # what an earlier attempt said is not of this one
    assert (fraction_done(run, log, since), why_failed(log, 1, since)) == (None, "exit status 1: it said nothing")
    with log.open("a") as file:
        file.write("epoch 1/4  training: loss 2\n")
    assert fraction_done(run, log, since) == 0.25
    log.write_text("epoch 3/4  training: loss 1\n")
    (folds,) = planned(tmp_path, systems=("lstm",), protocols=("kfold",), system_options={"lstm": {"num_folds": 4}})
    (folds.folder / "fold-0").mkdir(parents=True)
    (folds.folder / "fold-0" / "results.json").write_text("{}")
    assert fraction_done(folds, log) == pytest.approx(1.75 / 4)


def test_what_is_planned(tmp_path):
    options = {"all": {"min_seconds": 1}, "hubert": {"freeze_layers": 2}, "hubert/track": {"freeze_layers": 4}}
    runs = planned(
        tmp_path,
        systems=("lstm", "hubert", "whisper=/models/whisper-tiny"),
        protocols=("segment", "track"),
        seeds=(3,),
        from_scratch=True,
        size="tiny",
        system_options=options,
    )
    assert [run.folder.name for run in runs] == [
        f"{name}-{protocol}-3" for name in ("lstm", "hubert", "whisper") for protocol in ("segment", "track")
    ]
    by_name = {run.folder.name: run for run in runs}
    assert by_name["hubert-segment-3"].options == {
        "dataset": "demo",
        "protocol": "segment",
        "seed": 3,
        "from_scratch": True,
        "size": "tiny",
        "random_windows": 0,
        "min_seconds": 1,
        "freeze_layers": 2,
    }
    assert by_name["hubert-track-3"].options["freeze_layers"] == 4
    assert "random_windows" not in by_name["hubert-track-3"].options
    assert by_name["hubert-track-3"].system.title == "HuBERT (tiny, from scratch)"
    assert "from_scratch" not in by_name["lstm-track-3"].options
    whisper = by_name["whisper-track-3"]
    assert (whisper.recipe, whisper.options["model_name_or_path"]) == ("audio_model.py", "/models/whisper-tiny")
    assert whisper.source == f"whisper={whisper.folder}"
    assert "/models" not in whisper.system.about
    words = command(by_name["lstm-track-3"], "accelerate launch --num_processes 2", tmp_path, ("--resume", "true"))
    assert words[:5] == ["accelerate", "launch", "--num_processes", "2", str(tmp_path / "lstm.py")]
    assert words[-4:] == ["--output_dir", str(by_name["lstm-track-3"].folder), "--resume", "true"]


def test_the_lstm_with_the_options_of_a_file_is_a_system_of_its_own(tmp_path):
    path = tmp_path / "wide.yaml"
    path.write_text("model_config: '{\"hidden_size\": 128}'\nnum_train_epochs: 30\n")
    lstm, wide = planned(tmp_path, systems=("lstm", f"wide={path}"))
    assert (wide.recipe, wide.system.title, wide.system.paper) == ("lstm.py", "wide", None)
    assert wide.options == {**lstm.options, "model_config": '{"hidden_size": 128}', "num_train_epochs": 30}
    assert wide.source == f"wide={wide.folder}"
    for text, words in (("seed: 3\n", "sets seed"), ("- 1\n", "holds no options"), ("a: [", "cannot be read")):
        path.write_text(text)
        with pytest.raises(OptionError, match=f"wide.yaml {words}"):
            planned(tmp_path, systems=(f"wide={path}",))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"systems": ("lsmt",)}, "--systems lsmt: is none of lstm, hubert"),
        ({"systems": ("lstm=/x",)}, "lstm means something else"),
        ({"systems": ("lstm", "lstm")}, "lstm-track-0 would be made twice"),
        ({"system_options": {"wavlm": {}}}, "wavlm is not asked for; known here are all, hubert, hubert/track"),
        ({"system_options": {"lstm": {"seed": 1}}}, "lstm: seed is set by the experiment"),
    ],
)
def test_plans_that_cannot_be(tmp_path, values, words):
    with pytest.raises(OptionError, match=words.replace("(", r"\(")):
        planned(tmp_path, **values)


def test_system_options_are_json_or_a_file(tmp_path):
    assert read_system_options(None) == {}
    assert read_system_options('{"lstm": {"num-train-epochs": 5}}') == {"lstm": {"num_train_epochs": 5}}
    path = tmp_path / "options.yaml"
    path.write_text("all:\n  min_seconds: 2\n")
    assert read_system_options(str(path)) == {"all": {"min_seconds": 2}}
    path.write_text("all: 3\n")
    for given in (str(path), str(tmp_path / "gone.yaml"), "{"):
        with pytest.raises(OptionError, match="--system_options"):
            read_system_options(given)


def test_options_of_the_recipe():
    options = parse_compare_options([])
    assert options.systems == ["lstm", "hubert", "wavlm", "wav2vec2", "floor"]
    assert (options.protocols, options.seeds) == (["segment", "track", "kfold"], [0, 1, 2])
    options = parse_compare_options(["--systems", "lstm", "--seeds", "5", "6", "--from_scratch", "--size", "tiny"])
    assert options.audio is None  # a page tells where data lies only if it is asked to
    assert (options.systems, options.seeds, options.size) == (["lstm"], [5, 6], "tiny")
    for arguments, words in (
        (["--seed", "1"], "did you mean seeds"),
        (["--size", "tiny"], "--size"),
        (["--embed_audio"], "left out without --audio"),
        (["--seeds"], "--seeds"),
        (["--seeds", "one"], "--seeds"),
    ):
        with pytest.raises(OptionError, match=words):
            parse_compare_options(arguments)


def test_the_display_without_a_terminal_is_lines(tmp_path, capsys):
    runs = planned(tmp_path)
    with RunDisplay(2) as display:
        display.begin(runs[0], "started")
        display.update(runs[0], 0.5, 10.0)
        display.end(runs[0], "done", 75.0)
        display.end(runs[1], "picked up", None)
    assert capsys.readouterr().err.splitlines() == [
        "[0/2] lstm track seed 0: started",
        "[1/2] lstm track seed 0: done in 1 min 15 s; 1 to go, about 1 min 15 s",
        "[2/2] hubert track seed 0: picked up",
    ]


def test_a_small_experiment_from_options_to_report(tmp_path):
    root = SHARED.parents[1]
    words = [str(root / "recipes" / "compare.py"), "--dataset", "demo", "--systems", "lstm"]
    words += ["--protocols", "segment", "--seeds", "0", "--output_dir", str(tmp_path / "out")]
    small = {"demo_clips_per_genre": 5, "demo_seconds": 5.0, "num_train_epochs": 2, "num_resamples": 100}
    small["pictures"] = False
    words += ["--system_options", json.dumps({"all": small})]
    done = preloaded.run(words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report" / "report.html").is_file()
    assert "synthetic demo corpus" in (tmp_path / "out" / "report" / "README.md").read_text()
