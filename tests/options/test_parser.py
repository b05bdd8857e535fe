import dataclasses
import json
import runpy
from pathlib import Path

import pytest
from transformers import TrainingArguments

from mgc_hf.errors import OptionError
from mgc_hf.options import AugmentOptions, DataOptions, TrainOptions, build_parser, parse_options

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.py"))


def parse(*argv, defaults=None):
    return parse_options({"output_dir": "out", "dataset": "demo", **(defaults or {})}, list(argv))


def test_precedence_package_recipe_file_command_line(tmp_path):
    file = tmp_path / "options.yaml"
    file.write_text("learning_rate: 3e-4\nseed: 7\n")
    defaults = {"learning_rate": 1e-2, "weight_decay": 0.5, "seed": 1}
    options = parse("--config", str(file), "--seed", "9", defaults=defaults)
    assert options.train.learning_rate == 3e-4  # YAML reads 3e-4 as text; the parser makes it a number
    assert isinstance(options.train.learning_rate, float)
    assert options.train.seed == 9
    assert options.train.weight_decay == 0.5
    assert options.data.validation_fraction == DataOptions().validation_fraction
    assert options.changed == {"learning_rate": 3e-4, "seed": 9}


def test_json_file_and_positional_file(tmp_path):
    file = tmp_path / "options.json"
    file.write_text(json.dumps({"spec_time_masks": 3, "pictures": False, "test_dataset": None}))
    options = parse(str(file))
    assert options.augment.spec_time_masks == 3
    assert options.evaluation.pictures is False
    assert options.data.test_dataset is None


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["--protcol", "track"], ["--protcol", "protocol"]),
        (["--learning-rat", "1"], ["--learning-rat", "learning_rate"]),
        (["--learn", "1"], ["--learn"]),  # no abbreviations
        (["--learning_rate", "fast"], ["--learning_rate", "fast"]),
        (["stray"], ["stray"]),
        (["--test_fraction", "3", "--gain_db", "-1"], ["--test_fraction is 3.0", "--gain_db is -1.0"]),
        (["--protocol", "tracks"], ["--protocol is 'tracks'", "track"]),
        (["--num_segments", "10"], ["--num_segments", "segment"]),
        (["--protocol", "segment", "--test_dataset", "x"], ["--test_dataset"]),
        (["--train_sampling_strategy", "group_by_length"], ["group_by_length"]),
        (["--remove_unused_columns", "true"], ["--remove_unused_columns"]),
        (["--metric_for_best_model", "f1"], ["segment_accuracy"]),
        (["--resume", "--overwrite_output_dir"], ["--resume", "--overwrite_output_dir"]),
        (["--model_config", "{hidden"], ["--model_config", "JSON"]),
        (["--dataset_columns", "[]"], ["--dataset_columns", "JSON"]),
        (["--lr_scheduler_type", "cosin"], ["cosin"]),
        (["--eval_hop_seconds", "3.5"], ["--eval_hop_seconds is 3.5", "--segment_seconds"]),
        (["--eval_hop_seconds", "1", "--protocol", "segment"], ["--eval_hop_seconds", "--train_hop_seconds"]),
        (["--random_windows", "2", "--protocol", "segment"], ["--random_windows is 2", "--protocol segment"]),
        (["--random_windows", "2", "--train_hop_seconds", "1"], ["--random_windows is 2", "--train_hop_seconds"]),
        (["--random_windows", "-1"], ["--random_windows is -1"]),
        (["--train_tracks_per_genre", "-1"], ["--train_tracks_per_genre is -1"]),
        (["--test_tracks_per_genre", "2", "--test_dataset", "x"], ["--test_tracks_per_genre is 2", "--test_dataset"]),
        (["--train_tracks_per_genre", "2", "--split", "split.json"], ["--train_tracks_per_genre is 2", "--split"]),
        (["--train_tracks_per_genre", "2", "--protocol", "segment"], ["--train_tracks_per_genre is 2"]),
        (["--config", "missing.yaml"], ["missing.yaml"]),
        (["--config"], ["--config"]),
    ],
)
def test_wrong_options_are_named(argv, parts):
    with pytest.raises(OptionError) as error:
        parse(*argv)
    for part in parts:
        assert part in str(error.value)


def test_fp16_without_a_gpu_is_refused(monkeypatch):
    """FC41, FC70."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(OptionError, match="fp16"):
        parse("--fp16")


def test_bf16_works_on_a_cpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    options = parse("--bf16")
    assert options.train.bf16
    assert options.train.device.type == "cpu"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("learnin_rate: 1", ["options.yaml", "learnin_rate", "learning_rate"]),
        ("learning_rate: fast", ["options.yaml", "learning_rate", "fast"]),
        ("seed:", ["options.yaml", "seed"]),
        ("- a\n- b", ["options.yaml", "list"]),
        ("a: [", ["options.yaml", "YAML"]),
        ("learning_rate: -1", ["learning_rate is -1.0"]),
    ],
)
def test_files_are_checked_like_flags(tmp_path, text, parts):
    file = tmp_path / "options.yaml"
    file.write_text(text)
    with pytest.raises(OptionError) as error:
        parse("--config", str(file))
    for part in parts:
        assert part in str(error.value)


def test_recipe_defaults_are_checked_by_name():
    with pytest.raises(OptionError, match=r"recipe's defaults.*sead.*seed"):
        parse(defaults={"sead": 1})


def test_both_spellings():
    assert parse("--segment-seconds", "5").data.segment_seconds == parse("--segment_seconds", "5").data.segment_seconds


def test_help_shows_ours_and_folds_the_trainers_away():
    text = build_parser("A recipe.").format_help()
    ours = {f.name for f in dataclasses.fields(TrainOptions)} - {f.name for f in dataclasses.fields(TrainingArguments)}
    for name in [
        *(f.name for f in dataclasses.fields(DataOptions)),
        *(f.name for f in dataclasses.fields(AugmentOptions)),
        *ours,
    ]:
        assert f"--{name}" in text
    assert "--adam_beta1" not in text
    assert "--adam_beta1" in build_parser(show_all=True).format_help()
    assert "A recipe." in text
    assert text.count("\n") < 320


def test_help_tells_the_defaults():
    text = build_parser().format_help()
    assert "(default: 0.25)" in " ".join(text.split("--test_fraction")[1].split())[:200]


def test_help_all_prints_and_leaves(capsys):
    with pytest.raises(SystemExit) as stop:
        parse("--help_all")
    assert stop.value.code == 0
    assert "--adam_beta1" in capsys.readouterr().out


def test_the_lstm_recipe_repeats_the_packages_defaults():
    """`fine_tune` from Python must do what the recipe does, so what the recipe shows are the package's own values."""
    defaults = runpy.run_path(str(next(path for path in RECIPES if path.name == "lstm.py")))["DEFAULTS"]
    assert len(defaults) > 8
    shown, bare = parse_options(defaults, []), parse_options({"output_dir": defaults["output_dir"]}, [])
    assert shown.resolved == bare.resolved


def test_every_recipe_reads_on_one_screen():
    assert RECIPES
    for path in RECIPES:
        assert len(path.read_text().splitlines()) <= 50, path


def test_the_parser_leaves_training_arguments_as_they_were():
    parse()
    field = next(f for f in dataclasses.fields(TrainingArguments) if f.name == "learning_rate")
    assert field.default == 5e-5
