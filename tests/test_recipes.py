"""Recipes started as a user starts them, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mgc_hf.results import RunResult
from tests import preloaded

ROOT = Path(__file__).parents[1]
QUICK = ["--num_train_epochs", "1", "--pictures", "false", "--floor", "false", "--num_resamples", "100"]
QUICK += ["--disable_tqdm", "true"]


def _run(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, **(env or {})}
    if command[0] == sys.executable and not command[1].startswith("-"):
        return preloaded.run(command[1:], cwd=ROOT, env=environment)
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


@pytest.mark.parametrize("launcher", [[sys.executable], [sys.executable, "-m", "accelerate.commands.launch", "--cpu"]])
def test_the_lstm_recipe_runs(launcher, music_folder, cache_dir, tmp_path):
    folder = tmp_path / "run"
    arguments = ["--dataset", music_folder, "--cache_dir", cache_dir, "--output_dir", folder, *QUICK]
    result = _run(*launcher, "recipes/lstm.py", *arguments)
    assert result.returncode == 0, result.stderr
    assert "protocol track (leak-free by track), seed 0" in result.stdout
    record = RunResult.load(folder / "results.json")
    assert record.environment.world_size == 1
    assert record.training.recipe == "lstm.py"
    assert record.training.options == {
        "dataset": music_folder.name,
        "floor": False,
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


TINY = ["--from_scratch", "--size", "tiny", "--segment_seconds", "1", "--bf16", "false"]


@pytest.mark.parametrize(
    ("recipe", "arguments", "model_type"),
    [
        ("hubert", [], "hubert"),
        ("wavlm", [], "wavlm"),
        ("wav2vec2", [], "wav2vec2"),
        ("audio_model", ["--model_name_or_path", "openai/whisper-tiny"], "whisper"),
        ("audio_model", ["--model_name_or_path", "facebook/w2v-bert-2.0"], "wav2vec2-bert"),
        (
            "audio_model",
            ["--model_name_or_path", "MIT/ast-finetuned-audioset-10-10-0.4593"],
            "audio-spectrogram-transformer",
        ),
    ],
)
def test_the_recipes_of_other_models_run(recipe, arguments, model_type, cache_dir, tmp_path):
    folder = tmp_path / "run"
    demo = ["--dataset", "demo", "--demo_clips_per_genre", "4", "--demo_seconds", "2", "--cache_dir", cache_dir]
    result = _run(sys.executable, f"recipes/{recipe}.py", *demo, "--output_dir", folder, *QUICK, *TINY, *arguments)
    assert result.returncode == 0, result.stderr
    record = RunResult.load(folder / "results.json")
    assert (record.model.model_type, record.model.base_model) == (model_type, None)
    assert record.training.recipe == f"{recipe}.py"
    assert record.data.segment_seconds == 1.0
    assert "not pre-trained" in (folder / "README.md").read_text()


def test_the_recipe_of_any_model_wants_to_know_which():
    result = _run(sys.executable, "recipes/audio_model.py", "--dataset", "demo")
    assert result.returncode == 2
    assert "--model_name_or_path" in result.stderr


def test_without_hub_and_cache_one_error_names_the_ways_out(tmp_path):
    arguments = ["--dataset", "demo", "--bf16", "false", "--output_dir", tmp_path / "run"]
    offline = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    result = _run(sys.executable, "recipes/hubert.py", *arguments, env=offline)
    assert (result.returncode, result.stdout) == (1, "")
    for part in ("facebook/hubert-base-ls960", "local folder", "HF_HOME", "--from_scratch"):
        assert part in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
