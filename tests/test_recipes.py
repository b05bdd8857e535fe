"""Recipes started as a user starts them, in processes of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from mgc_hf.results import RunResult

ROOT = Path(__file__).parents[1]
QUICK = ["--num_train_epochs", "1", "--pictures", "false", "--num_resamples", "100", "--disable_tqdm", "true"]


def _run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("launcher", [[sys.executable], [sys.executable, "-m", "accelerate.commands.launch", "--cpu"]])
def test_the_lstm_recipe_runs(launcher, music_folder, cache_dir, tmp_path):
    folder = tmp_path / "run"
    arguments = ["--dataset", music_folder, "--cache_dir", cache_dir, "--output_dir", folder, *QUICK]
    result = _run(*launcher, "recipes/lstm.py", *arguments)
    assert result.returncode == 0, result.stderr
    assert "protocol track (leak-free), seed 0" in result.stdout
    record = RunResult.load(folder / "results.json")
    assert record.environment.world_size == 1
    assert record.training.recipe == "lstm.py"
    assert record.training.options == {
        "dataset": music_folder.name,
        "num_resamples": 100,
        "num_train_epochs": 1,
        "pictures": False,
    }
    assert "Loading weights" not in result.stderr
    assert "\r" not in result.stderr


def test_mistakes_are_one_line(tmp_path):
    result = _run(sys.executable, "recipes/lstm.py", "--protcol", "track")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.strip() == "error: unknown option --protcol; did you mean protocol?"


def test_a_source_that_does_not_exist_is_called_that(tmp_path):
    gone = tmp_path / "gone"
    result = _run(sys.executable, "recipes/lstm.py", "--dataset", gone, "--output_dir", tmp_path / "run")
    assert (result.returncode, result.stdout) == (1, "")
    assert str(gone) in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()
