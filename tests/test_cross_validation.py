"""Protocol kfold as a run: folds in folders of their own, joined predictions, and going on with what was broken off."""

import logging
import shutil

import numpy as np
import pytest

from mgc_hf import outputs
from mgc_hf.comparison.pair import compare
from mgc_hf.cross_validation import cross_validate
from mgc_hf.data.protocols import Split
from mgc_hf.errors import CheckpointError, OptionError, PublishError, SplitError
from mgc_hf.evaluating import evaluate
from mgc_hf.hub.contents import list_contents
from mgc_hf.hub.dataset import packed_dataset
from mgc_hf.options import parse_options
from mgc_hf.predictions import Predictions
from mgc_hf.rerunning import rerun
from mgc_hf.results import RunResult
from mgc_hf.run import fine_tune


@pytest.fixture(scope="module")
def values(run_values):
    kfold = {"protocol": "kfold", "num_folds": 2, "num_train_epochs": 1, "pictures": False, "num_resamples": 100}
    return {**run_values, **kfold}


@pytest.fixture(scope="module")
def run_folder(values, tmp_path_factory):
    """The folder of a finished cross-validation of two folds."""
    folder = tmp_path_factory.mktemp("crossed") / "small"
    fine_tune(**values, output_dir=str(folder))
    return folder


def copied(run_folder, tmp_path):
    return shutil.copytree(run_folder, tmp_path / "small")


def test_the_joined_record_is_of_all_predictions(run_folder):
    result = RunResult.load(run_folder / "results.json")
    folds = [RunResult.load(run_folder / f"fold-{fold}" / "results.json") for fold in range(2)]
    joined = Predictions.load(run_folder / "predictions.parquet")
    own = [Predictions.load(run_folder / f"fold-{fold}" / "predictions.parquet") for fold in range(2)]
    assert set(joined.part) == {"test"}
    assert np.array_equal(joined.logits, np.concatenate([one.of_part("test").logits for one in own]))
    tracks = joined.to_tracks()
    assert len(tracks.track_id) == 18 == result.track.n
    assert result.track.accuracy.value == np.mean(tracks.predicted == tracks.label)
    assert [fold.split.fold for fold in folds] == [0, 1]
    assert result.split.fold is None
    assert result.split.folds == [dict.fromkeys(("blues", "jazz", "metal"), 3)] * 2
    assert result.data.tracks == {"test": dict.fromkeys(("blues", "jazz", "metal"), 6)}
    assert (result.protocol, result.leaky, result.name) == ("kfold", False, "small")
    assert result.split.verdict.status == "not provable"
    assert result.split.verdict.num_unknown == 18
    assert "in two folds" in result.split.statement
    assert all(fold.split.verdict.status == "not provable" for fold in folds)
    assert result.training.steps == sum(fold.training.steps for fold in folds)
    assert not (run_folder / "model.safetensors").exists()
    assert not (run_folder / "split.json").exists()


def test_a_fold_is_an_ordinary_run_without_a_validation_part(run_folder):
    fold = RunResult.load(run_folder / "fold-1" / "results.json")
    assert fold.training.selected == "averaged"
    assert "validation" not in fold.data.tracks or not sum(fold.data.tracks["validation"].values())
    assert "This run is fold 1 (counted from 0) of 2 folds" in fold.split.statement
    assert "model.safetensors" in {content.path for content in list_contents(run_folder / "fold-1")}
    resolved = fold.training.resolved
    assert (resolved["fold"], resolved["num_folds"], resolved["validation_fraction"]) == (1, 2, 0.0)


def test_a_fold_that_is_evaluated_is_said_to_be_one(run_folder, music_folder, cache_dir, tmp_path):
    arguments = {"cache_dir": str(cache_dir), "num_resamples": 100}
    model = run_folder / "fold-1"
    result = evaluate(model, str(music_folder), split=model / "split.json", **arguments)
    assert (result.protocol, result.split.fold, result.split.folds) == ("kfold", 1, None)
    assert "one fold of a cross-validation alone (fold 1, counted from 0)" in result.split.statement
    shutil.copy(model / "split.json", tmp_path / "split.json")
    apart = evaluate(model, str(music_folder), split=tmp_path / "split.json", **arguments)
    assert apart.split.fold is None
    assert "alone (which one is not known)" in apart.split.statement


def test_the_card_says_where_the_models_are(run_folder):
    card = (run_folder / "README.md").read_text(encoding="utf-8")
    assert "a cross-validation: 2 models, each a `MelLstmForAudioClassification`" in card
    assert "The models lie in `fold-0` to `fold-1` beside this file" in card
    assert 'model = "path/to/this/folder/fold-0"' in card
    assert "| blues | 3 | 3 |" in card
    assert "--split split.json" not in card
    assert "| Fold | 1, counted from 0 |" in (run_folder / "fold-1" / "README.md").read_text(encoding="utf-8")


def test_resume_takes_finished_folds_and_makes_those_that_are_missing(run_folder, values, tmp_path, caplog):
    folder = copied(run_folder, tmp_path)
    before = (folder / "predictions.parquet").read_bytes()
    weights = (folder / "fold-0" / "model.safetensors").stat().st_mtime_ns
    shutil.rmtree(folder / "fold-1")
    with pytest.raises(OptionError, match="already exists and is not empty; go on with it by --resume"):
        fine_tune(**values, output_dir=str(folder))
    fine_tune(**values, output_dir=str(folder), resume=True)
    assert (folder / "fold-0" / "model.safetensors").stat().st_mtime_ns == weights
    assert (folder / "fold-1" / "results.json").is_file()
    assert (folder / "predictions.parquet").read_bytes() == before
    written = (folder / "results.json").stat().st_mtime_ns
    result = fine_tune(**values, output_dir=str(folder), resume=True)
    assert (folder / "results.json").stat().st_mtime_ns == written
    assert result == RunResult.load(folder / "results.json")


def test_what_resume_cannot_mean_is_refused(run_folder, values, finished_run, tmp_path):
    with pytest.raises(CheckpointError, match="no cross-validation"):
        fine_tune(**values, output_dir=str(finished_run), resume=True)
    folder = copied(run_folder, tmp_path)
    shutil.copytree(folder / "fold-1", folder / "fold-2")
    with pytest.raises(CheckpointError, match="fold-2 are of a run with more folds than 2"):
        fine_tune(**values, output_dir=str(folder), resume=True)


def test_overwriting_removes_the_folds_and_nothing_else(run_folder, tmp_path):
    folder = copied(run_folder, tmp_path)
    (folder / "fold-1" / "notes.txt").write_text("mine")
    outputs.check_folder(folder, overwrite=True)
    outputs.clear_folder(folder)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*")} <= {
        "LICENSE",
        "fold-0",
        "fold-0/LICENSE",
        "fold-1",
        "fold-1/LICENSE",
        "fold-1/notes.txt",
    }
    with pytest.raises(OptionError, match="holds no run"):
        outputs.check_folder(folder, overwrite=True)


def test_an_earlier_run_goes_once_nothing_more_is_refused(run_folder, values, tmp_path):
    folder = copied(run_folder, tmp_path)
    shutil.copytree(folder / "fold-1", folder / "fold-2")
    (folder / "fold-1" / "notes.txt").write_text("mine")
    before = {path for path in folder.rglob("*") if path.is_file()}
    values = {**values, "output_dir": str(folder), "overwrite_output_dir": True}
    with pytest.raises(OptionError, match=r"hidden.*hidden_size"):
        fine_tune(**{**values, "model_config": '{"hidden": 16}'})
    assert {path for path in folder.rglob("*") if path.is_file()} == before

    class Begun(Exception):
        pass

    def walk(options, recipe, begin):
        begin(folder / "fold-0", Split("track", "track", 0, {"a": "train"}), True)
        raise Begun

    with pytest.raises(Begun):
        cross_validate(parse_options(argv=[], values=values), "lstm.py", walk)
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    mine = {"fold-0/split.json", "fold-1/split.json", "fold-1/notes.txt"}
    assert mine <= left <= {*mine, "LICENSE", *(f"fold-{fold}/LICENSE" for fold in range(3))}
    outputs.check_folder(folder / "fold-1", overwrite=True)


def test_the_table_of_folds_comes_before_any_training(values, tmp_path, caplog):
    class Begun(Exception):
        pass

    def walk(options, recipe, begin):
        assert options.data.fold == 0
        assert options.train.output_dir == str(tmp_path / "run" / "fold-0")
        raise Begun

    options = parse_options(argv=[], values={**values, "output_dir": str(tmp_path / "run")})
    with caplog.at_level(logging.INFO), pytest.raises(Begun):
        cross_validate(options, "lstm.py", walk)
    assert "genre  fold 0  fold 1     all\nblues       3       3       6\n" in caplog.text
    assert "Verdict: not provable." in caplog.text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"num_folds": 7}, "too few tracks for 7 folds.*blues has 6, jazz has 6, metal has 6"),
        ({"fold_groups": "artist"}, "kfold with --fold_groups artist cannot be had: no artist.*--fold_groups track"),
    ],
)
def test_what_cannot_be_divided_is_refused_before_anything_is_written(values, given, said, tmp_path):
    with pytest.raises(SplitError, match=said):
        fine_tune(**{**values, **given}, output_dir=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"validation_fraction": 0.15}, "validation_fraction is 0.15; it must be 0 or left out with --protocol kfold"),
        ({"metric_for_best_model": "loss"}, "without --metric_for_best_model: no part is for validation"),
        ({"early_stopping_patience": 3}, "without --early_stopping_patience"),
        ({"test_fraction": 0.3}, "without --test_fraction: each fold is tested on in turn"),
        ({"push_to_hub": True, "hub_model_id": "me/it"}, "without --push_to_hub: there is no one model"),
        ({"test_dataset": "demo"}, "test_dataset is 'demo'; it must be left out with --protocol kfold"),
        ({"train_tracks_per_genre": 2}, "train_tracks_per_genre is 2; it must be 0 with --protocol kfold"),
        ({"split": "split.json"}, "split is 'split.json'; it must be left out with --protocol kfold"),
        ({"fold": 2}, "fold is 2; it must be from 0 to 1"),
        ({"protocol": "track"}, "num_folds is 2; it must be left out unless --protocol kfold"),
    ],
)
def test_options_that_do_not_go_together(values, given, said, tmp_path):
    with pytest.raises(OptionError, match=said):
        fine_tune(**{**values, **given}, output_dir=str(tmp_path / "run"))


def test_the_default_of_validation_is_the_protocols():
    assert parse_options(argv=["--output_dir", "x"]).resolved["validation_fraction"] == 0.15
    assert parse_options(argv=["--output_dir", "x", "--protocol", "kfold"]).data.validation_fraction == 0


def test_two_cross_validations_are_compared(run_folder, tmp_path):
    other = copied(run_folder, tmp_path)
    shutil.move(other, tmp_path / "other")
    compared = compare(run_folder, tmp_path / "other")
    assert compared.tracks.n == 18
    assert compared.difference.value == 0
    assert "protocol kfold (leak-free by track)" in compared.notes


def test_what_is_no_one_model_is_refused_in_words(run_folder, music_folder, cache_dir, tmp_path):
    with pytest.raises(PublishError, match="several models and not one; push the folder of a fold"):
        list_contents(run_folder)
    with pytest.raises(CheckpointError, match="cross-validation of 2 models.*fold-0"):
        rerun(run_folder, dataset=str(music_folder), output_dir=tmp_path / "again")
    with (
        pytest.raises(OptionError, match="has a split for each fold"),
        packed_dataset(str(music_folder), "me/it", protocol="kfold", cache_dir=str(cache_dir)),
    ):
        pass


def test_a_fold_can_be_made_again(run_folder, music_folder, cache_dir, tmp_path):
    again = rerun(
        run_folder / "fold-1", dataset=str(music_folder), output_dir=tmp_path / "again", cache_dir=str(cache_dir)
    )
    assert again.predictions_equal
    assert again.result.split.fold == 1
    assert Split.load(tmp_path / "again" / "split.json") == Split.load(run_folder / "fold-1" / "split.json")
