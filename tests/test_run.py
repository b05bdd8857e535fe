import json
import logging
import shutil
import stat

import numpy as np
import pytest
import soundfile
import yaml

from mgc_hf.data.protocols import Split
from mgc_hf.errors import CheckpointError, LabelError, NonFiniteLossError, OptionError, SplitError
from mgc_hf.evaluating import evaluate
from mgc_hf.evaluation.score import score
from mgc_hf.inference import GenreClassifier
from mgc_hf.predictions import Predictions
from mgc_hf.results import PICTURE_FILES, RunResult, VerdictRecord
from mgc_hf.run import fine_tune
from tests.tunes import GENRES, SAMPLING_RATE, tune


def test_the_folder_is_complete(finished_run):
    names = {path.name for path in finished_run.iterdir() if not path.name.startswith("checkpoint-")}
    code = {name for name in names if name.endswith("_mel_lstm.py")}
    assert {"configuration_mel_lstm.py", "feature_extraction_mel_lstm.py", "modeling_mel_lstm.py"} <= code
    assert names - code == {
        "LICENSE",
        "README.md",
        "config.json",
        "images",
        "model.safetensors",
        "pipeline_genre.py",
        "predictions.parquet",
        "preprocessor_config.json",
        "recordings.json",
        "resolved.yaml",
        "results.json",
        "split.json",
        "widget",
    }
    for file in PICTURE_FILES.values():
        assert (finished_run / file).read_bytes().startswith(b"\x89PNG")


def test_files_have_the_mode_of_any_file(finished_run, tmp_path):
    (tmp_path / "any").write_text("")
    expected = stat.S_IMODE((tmp_path / "any").stat().st_mode)
    files = [path for path in finished_run.rglob("*") if path.is_file() and "checkpoint-" not in str(path)]
    assert len(files) > 10
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in files} == {p.name: expected for p in files}


def test_no_pickle_and_no_local_path(finished_run):
    """FC49."""
    for path in finished_run.iterdir():
        assert path.suffix not in (".bin", ".pt", ".pth", ".pkl", ".pickle"), path
    texts = ("README.md", "results.json", "config.json", "preprocessor_config.json", "split.json", "resolved.yaml")
    for name in texts:
        assert str(finished_run.parent) not in (finished_run / name).read_text(encoding="utf-8")
        assert "/tmp/" not in (finished_run / name).read_text(encoding="utf-8")
    header = yaml.safe_load((finished_run / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert "datasets" not in header  # a local folder is none of the Hub's
    [found] = header["model-index"][0]["results"]
    for metric in found["metrics"]:
        assert {"type", "name", "value"} <= set(metric)
        assert None not in metric.values()


def test_the_record_is_that_of_the_predictions(finished_run):
    result = RunResult.load(finished_run / "results.json")
    predictions = Predictions.load(finished_run / "predictions.parquet")
    parts = predictions.of_part("test"), predictions.of_part("validation")
    assert (result.track, result.segment) == score(parts[0], validation=parts[1], seed=result.seed, num_resamples=200)
    for level in (result.track, result.segment):
        assert 0.05 <= level.calibration.temperature <= 20
        assert level.top2_accuracy.value >= level.accuracy.value
        assert level.accuracy_by_artist is None  # nobody says who plays
    assert 0 < result.inference_seconds < result.training.seconds
    assert result.protocol == "track"
    assert result.leaky is False
    assert result.training.selected == "best"
    assert len(result.training.history) == 4
    assert result.training.options["num_train_epochs"] == 4
    assert "output_dir" not in result.training.options
    split = Split.load(finished_run / "split.json")
    assert result.split.hash == split.hash
    for part in ("train", "validation", "test"):
        assert sum(result.data.tracks[part].values()) == len(split.ids(part))
        if part != "train":
            assert set(predictions.of_part(part).track_id) == set(split.ids(part))


def test_it_learns(finished_run):
    """The three made-up genres differ in register and pulse; a model that learns tells most of them apart."""
    assert RunResult.load(finished_run / "results.json").track.accuracy.value >= 2 / 3


def test_same_options_same_weights(finished_run, run_values, tmp_path):
    fine_tune(**run_values, output_dir=str(tmp_path / "again"))
    for name in ("model.safetensors", "split.json", "predictions.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (finished_run / name).read_bytes()


def test_a_draw_of_so_many_tracks(run_values, tmp_path, caplog):
    numbers = {"train_tracks_per_genre": 3, "test_tracks_per_genre": 1, "validation_fraction": 0}
    values = {**run_values, "num_train_epochs": 1, "pictures": False, "test_fraction": 0.5, **numbers}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert result.data.tracks == {"train": dict.fromkeys(GENRES, 3), "test": dict.fromkeys(GENRES, 1)}
    assert "6 tracks were left out by the draw" in result.split.statement
    assert "--test_fraction has no effect" in caplog.text
    assert "were left out by the draw" in (tmp_path / "run" / "README.md").read_text()


def test_the_verdict_is_told_before_features_and_recorded(run_values, music_folder, tmp_path, caplog, monkeypatch):
    rows = [
        f"{music_folder / genre / f'clip{index}.wav'},{genre},{genre} {index % 3}"
        for genre in GENRES
        for index in range(6)
    ]
    (tmp_path / "clips.csv").write_text("\n".join(["path,genre,artist", *rows]) + "\n", encoding="utf-8")
    values = {**run_values, "dataset": str(tmp_path / "clips.csv"), "num_train_epochs": 1, "pictures": False}
    with caplog.at_level(logging.INFO, logger="mgc_hf.leaks"):
        result = fine_tune(**values, protocol="artist", output_dir=str(tmp_path / "run"))
    text = "Verdict: clean. No track and no artist is in two parts (18 tracks)."
    assert ("mgc_hf.leaks", logging.INFO, f"run: {text}") in caplog.record_tuples  # no warning
    assert result.split.verdict == VerdictRecord("clean", [], 18, 0)
    assert result.protocol == "artist"
    assert result.track.accuracy_by_artist.value == result.track.accuracy.value
    assert result.track.accuracy_by_artist.ci95 != result.track.accuracy.ci95  # of one artist a genre, not two tracks
    assert result.split.statement.endswith(text)
    assert text in (tmp_path / "run" / "README.md").read_text()
    assert Split.load(tmp_path / "run" / "split.json").protocol == "artist"

    def nothing_is_computed(*_, **__):
        raise AssertionError("features were asked for")

    monkeypatch.setattr("mgc_hf.division.prepare", nothing_is_computed)
    caplog.clear()
    with pytest.raises(AssertionError, match="features were asked for"):
        fine_tune(**values, output_dir=str(tmp_path / "stopped"))
    (told,) = [line for line in caplog.records if "stopped: Verdict: leaks. " in line.getMessage()]
    assert told.levelno == logging.WARNING


def test_random_windows_in_training_and_a_hop_in_evaluation(run_values, music_folder, cache_dir, tmp_path):
    values = {**run_values, "num_train_epochs": 1, "random_windows": 2, "eval_hop_seconds": 1.0, "pictures": False}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert (result.data.segment_seconds, result.data.hop_seconds) == (3.0, 1.0)
    assert sum(result.data.segments["train"].values()) == 2 * sum(result.data.tracks["train"].values())
    predictions = Predictions.load(tmp_path / "run" / "predictions.parquet").of_part("test")
    assert set(np.diff(predictions.start_s[predictions.track_id == predictions.track_id[0]])[:2]) == {1.0}

    split = tmp_path / "run" / "split.json"
    again = evaluate(tmp_path / "run", str(music_folder), split=split, cache_dir=str(cache_dir), num_resamples=200)
    assert again.data.hop_seconds == 1.0
    assert again.data.segments["test"] == result.data.segments["test"]
    assert again.segment.confusion_matrix == result.segment.confusion_matrix

    tracks = predictions.to_tracks()
    prediction = GenreClassifier.from_pretrained(tmp_path / "run").predict_file(
        music_folder / f"{tracks.track_id[0]}.wav"
    )
    assert prediction.windows == tracks.num_segments[0]
    found = [prediction.probabilities[genre] for genre in tracks.genres]
    np.testing.assert_allclose(found, tracks.probabilities[0], atol=1e-5)


def test_a_resumed_run_trains_on_the_same_random_windows(run_values, tmp_path):
    values = {**run_values, "num_train_epochs": 2, "random_windows": 2, "pictures": False, "save_total_limit": 9}
    fine_tune(**values, output_dir=str(tmp_path / "unbroken"))
    resumed = tmp_path / "resumed"
    shutil.copytree(tmp_path / "unbroken", resumed)
    for name in ("results.json", "model.safetensors", "predictions.parquet"):
        (resumed / name).unlink()
    last = max(resumed.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    shutil.rmtree(last)
    assert fine_tune(**values, output_dir=str(resumed), resume=True).training.resumed
    for name in ("model.safetensors", "predictions.parquet"):
        assert (resumed / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes()


def test_an_output_folder_in_use_is_refused(finished_run, run_values):
    before = (finished_run / "results.json").read_bytes()
    with pytest.raises(OptionError, match="--resume.*--overwrite_output_dir"):
        fine_tune(**run_values, output_dir=str(finished_run))
    assert (finished_run / "results.json").read_bytes() == before


def test_resuming_a_finished_run_changes_nothing(finished_run, run_values, caplog):
    """FC44."""
    before = {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()}
    result = fine_tune(**run_values, output_dir=str(finished_run), resume=True)
    assert result == RunResult.load(finished_run / "results.json")
    assert {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()} == before
    assert "nothing left to train" in caplog.text


def test_resuming_onto_other_labels_is_refused(finished_run, run_values, music_folder, tmp_path):
    """FC44."""
    shutil.copytree(music_folder, tmp_path / "other")
    (tmp_path / "other" / "metal").rename(tmp_path / "other" / "polka")
    with pytest.raises(LabelError, match="metal.*polka"):
        fine_tune(**{**run_values, "dataset": str(tmp_path / "other")}, output_dir=str(finished_run), resume=True)


def test_a_refused_resume_leaves_everything_as_it_was(finished_run, run_values):
    before = {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError, match="another run"):
        fine_tune(**run_values, output_dir=str(finished_run), resume=True, seed=5)
    assert {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()} == before


def test_resuming_a_finished_run_onto_other_clips_is_refused(finished_run, run_values, music_folder, tmp_path):
    other = tmp_path / music_folder.name
    shutil.copytree(music_folder, other)
    shutil.copy(other / "jazz" / "clip0.wav", other / "jazz" / "more.wav")
    with pytest.raises(CheckpointError, match="other clips"):
        fine_tune(**{**run_values, "dataset": str(other)}, output_dir=str(finished_run), resume=True)


def test_overwriting_removes_the_run_alone(finished_run, run_values, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "images" / "mine.png").write_text("mine")
    values = {**run_values, "num_train_epochs": 1, "pictures": False}
    fine_tune(**values, output_dir=str(folder), overwrite_output_dir=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert [path.name for path in (folder / "images").iterdir()] == ["mine.png"]
    assert len(RunResult.load(folder / "results.json").training.history) == 1


def test_a_run_that_blows_up_names_the_step_and_leaves_no_model_and_no_card(run_values, tmp_path):
    """FC41: a loss that is not finite ends the run; what was kept before is finite."""
    values = {**run_values, "learning_rate": 1e8, "max_steps": 20, "per_device_train_batch_size": 8}
    with pytest.raises(
        NonFiniteLossError, match=r"the loss of step \d+ is not finite \(the peak learning rate is 1e\+08"
    ):
        fine_tune(**values, output_dir=str(tmp_path / "run"))
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert not left & {"README.md", "results.json", "config.json", "model.safetensors", "predictions.parquet"}
    for path in (tmp_path / "run").glob("checkpoint-*"):
        state = json.loads((path / "trainer_state.json").read_text(), parse_constant=lambda name: pytest.fail(name))
        assert np.isfinite(state["best_metric"])


def test_a_failing_run_leaves_the_old_one(finished_run, run_values, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    values = {**run_values, "model_config": '{"hidden": 16}'}
    with pytest.raises(OptionError, match=r"hidden.*hidden_size"):
        fine_tune(**values, output_dir=str(folder), overwrite_output_dir=True)
    assert RunResult.load(folder / "results.json") == RunResult.load(finished_run / "results.json")


def test_protocol_segment_says_that_it_leaks(run_values, tmp_path):
    values = {**run_values, "num_train_epochs": 1, "protocol": "segment", "augmented_copies": 1, "num_segments": 60}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert result.leaky is True
    assert "leaky" in result.split.statement
    assert "leaky" in (tmp_path / "run" / "README.md").read_text().lower()
    assert sum(sum(counts.values()) for counts in result.data.segments.values()) == 60
    train = result.data.tracks["train"]
    assert sum(train.values()) + sum(result.data.tracks["test"].values()) > 18  # tracks are on both sides
    assert result.track is None
    assert [epoch.validation_track_accuracy for epoch in result.training.history] == [None]
    assert result.training.history[0].validation_segment_accuracy is not None
    with pytest.raises(OptionError, match="track_accuracy: is not defined under --protocol segment"):
        fine_tune(**values, metric_for_best_model="track_accuracy", output_dir=str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


@pytest.fixture(scope="module")
def other_folder(tmp_path_factory):
    """Other clips of two of the three genres."""
    folder = tmp_path_factory.mktemp("theirs")
    for genre in GENRES[:2]:
        (folder / genre).mkdir()
        for index in range(2):
            soundfile.write(folder / genre / f"other{index}.wav", tune(genre, 50 + index, 4.0), SAMPLING_RATE)
    return folder


def test_train_on_mine_test_on_theirs_without_validation(run_values, other_folder, tmp_path):
    values = {**run_values, "num_train_epochs": 2, "test_dataset": str(other_folder), "validation_fraction": 0}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert sum(result.data.tracks["train"].values()) == 18
    assert "validation" not in result.data.tracks
    assert result.track.n == 4
    assert result.track.per_genre["metal"].support == 0
    assert result.training.selected == "averaged"
    assert result.training.selected_epoch == 2
    assert result.data.test_source == other_folder.name
    assert result.leaky is False
    card = (tmp_path / "run" / "README.md").read_text()
    assert "no epoch was chosen" in card.lower() or "no validation" in card.lower()


def test_test_recordings_that_were_trained_on_are_a_leak(run_values, other_folder, music_folder, tmp_path):
    theirs = tmp_path / "theirs"
    shutil.copytree(other_folder, theirs)
    shutil.copy(music_folder / "blues" / "clip3.wav", theirs / "blues" / "renamed.wav")
    values = {**run_values, "num_train_epochs": 1, "test_dataset": str(theirs), "validation_fraction": 0}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"), pictures=False)
    assert result.leaky is True
    assert "blues/renamed" in result.split.statement


def test_repeats_that_a_draw_divides_are_told(run_values, music_folder, tmp_path):
    shutil.copytree(music_folder, tmp_path / "twice")
    for index in range(6):
        shutil.copy(music_folder / "jazz" / f"clip{index}.wav", tmp_path / "twice" / "jazz" / f"other{index}.wav")
    values = {**run_values, "dataset": str(tmp_path / "twice"), "num_train_epochs": 1, "pictures": False}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert result.leaky is False
    assert "stand in the data again under another name, sample for sample" in result.split.statement


def test_a_track_of_the_test_part_that_is_trained_on_is_a_leak(run_values, music_folder, tmp_path):
    """Data with parts of their own that hold one track of GTZAN twice: as the same samples, and at half the level."""
    for part, indices in (("train", range(4)), ("test", (3, 4))):
        for genre in ("blues", "jazz"):
            (tmp_path / part / genre).mkdir(parents=True)
            for index in indices:
                name = f"{genre}.{index:05}.wav" if genre == "blues" else f"{part} {index}.wav"
                samples, rate = soundfile.read(music_folder / genre / f"clip{index}.wav")
                level = 0.5 if (part, genre) == ("test", "blues") else 1.0
                soundfile.write(tmp_path / part / genre / name, level * samples, rate)
    values = {**run_values, "num_train_epochs": 1, "pictures": False, "validation_fraction": 0}
    result = fine_tune(**{**values, "dataset": str(tmp_path)}, output_dir=str(tmp_path / "run"))
    assert result.leaky is True
    assert "1 of the test recordings are, sample for sample," in result.split.statement
    assert "jazz/test 3" in result.split.statement
    assert "1 track is in more than one part: blues.00003 (train 1, test 1)" in result.split.statement


def test_unknown_labels_of_the_test_data_are_listed(run_values, other_folder, tmp_path):
    theirs = tmp_path / "theirs"
    shutil.copytree(other_folder, theirs)
    (theirs / "blues").rename(theirs / "polka")
    with pytest.raises(LabelError) as error:
        fine_tune(**run_values, test_dataset=str(theirs), output_dir=str(tmp_path / "run"))
    assert error.value.unknown == ["polka"]
    assert error.value.missing == ["blues", "metal"]


def test_clips_of_unknown_genres_are_left_out_and_counted_where_that_is_asked_for(
    finished_run, other_folder, cache_dir, tmp_path, caplog
):
    theirs = tmp_path / "theirs"
    shutil.copytree(other_folder, theirs)
    (theirs / "blues").rename(theirs / "polka")
    arguments = {"cache_dir": str(cache_dir), "num_resamples": 100}
    with pytest.raises(LabelError, match="--on_unknown_genre skip"):
        evaluate(finished_run, str(theirs), **arguments)
    result = evaluate(finished_run, str(theirs), **arguments, on_unknown_genre="skip")
    assert result.track.n == 2
    assert [result.track.per_genre[genre].support for genre in GENRES] == [0, 2, 0]
    assert [file.file for file in result.data.skipped] == ["polka/other0", "polka/other1"]
    assert {file.reason for file in result.data.skipped} == {"genre polka, which the model does not know"}
    assert "2 clips of genres that the model does not know" in caplog.text
    assert result.track.calibration.temperature is None  # nothing of its own to fit one to
    assert result.inference_seconds > 0
    shutil.rmtree(theirs / "jazz")
    with pytest.raises(LabelError, match="knows none of its genres"):
        evaluate(finished_run, str(theirs), **arguments, on_unknown_genre="skip")
    with pytest.raises(OptionError, match="on_unknown_genre is 'map'"):
        evaluate(finished_run, str(theirs), **arguments, on_unknown_genre="map")


def test_a_split_file_repeats_the_split(finished_run, run_values, tmp_path):
    values = {**run_values, "num_train_epochs": 1, "split": str(finished_run / "split.json"), "seed": 5}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"), pictures=False)
    assert result.split.hash == Split.load(finished_run / "split.json").hash
    assert result.seed == 5


def test_split_seed_is_apart_from_seed(finished_run, run_values, tmp_path):
    values = {**run_values, "num_train_epochs": 1, "split_seed": 0, "seed": 5, "pictures": False}
    result = fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert result.split.hash == Split.load(finished_run / "split.json").hash


def test_evaluate_gives_the_cards_figures_again(finished_run, music_folder, cache_dir, tmp_path):
    """FC46."""
    result = RunResult.load(finished_run / "results.json")
    again = evaluate(
        finished_run,
        str(music_folder),
        split=finished_run / "split.json",
        cache_dir=str(cache_dir),
        num_resamples=200,
        output_dir=tmp_path / "report",
        batch_size=7,
    )
    assert again.track.accuracy == result.track.accuracy
    assert again.segment.confusion_matrix == result.segment.confusion_matrix
    assert np.isclose(again.segment.loss, result.segment.loss, atol=1e-5)
    assert again.training is None
    assert RunResult.load(tmp_path / "report" / "results.json") == again
    assert (tmp_path / "report" / "README.md").is_file()


def test_evaluate_on_the_training_data_is_called_leaky(finished_run, music_folder, cache_dir):
    result = evaluate(finished_run, str(music_folder), cache_dir=str(cache_dir), num_resamples=200)
    assert result.leaky is True
    assert result.track.n == 18


def test_a_copy_of_the_training_data_under_another_name_is_found(finished_run, music_folder, cache_dir, tmp_path):
    (tmp_path / "other" / "jazz").mkdir(parents=True)
    for index in range(6):
        shutil.copy(music_folder / "jazz" / f"clip{index}.wav", tmp_path / "other" / "jazz" / f"{index}.wav")
    result = evaluate(finished_run, str(tmp_path / "other"), cache_dir=str(cache_dir), num_resamples=100)
    assert result.leaky is True
    assert "sample for sample" in result.split.statement


def test_what_is_not_known_is_not_called_leak_free(finished_run, other_folder, cache_dir, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(finished_run, model, ignore=shutil.ignore_patterns("checkpoint-*", "recordings.json"))
    arguments = {"cache_dir": str(cache_dir), "num_resamples": 100, "output_dir": tmp_path / "report"}
    result = evaluate(model, str(other_folder), **arguments)
    assert result.leaky is None
    assert "leak not known" in result.summary()
    assert "leak not known" in (tmp_path / "report" / "README.md").read_text()


def test_evaluate_on_other_data(finished_run, other_folder, cache_dir):
    result = evaluate(finished_run, str(other_folder), cache_dir=str(cache_dir), num_resamples=200)
    assert (result.leaky, result.protocol, result.track.n) == (False, "external", 4)


def test_a_split_of_other_data_is_refused(finished_run, other_folder, cache_dir):
    with pytest.raises(SplitError):
        evaluate(finished_run, str(other_folder), split=finished_run / "split.json", cache_dir=str(cache_dir))


def test_results_json_has_the_promised_keys(finished_run):
    value = json.loads((finished_run / "results.json").read_text())
    assert value["protocol"] == "track"
    assert value["leaky"] is False
    assert value["seed"] == 0
    for level in ("track", "segment"):
        low, high = value[level]["accuracy"]["ci95"]
        assert 0 <= low <= value[level]["accuracy"]["value"] <= high <= 1
        assert set(value[level]["per_genre"]) == set(GENRES)
        assert np.array(value[level]["confusion_matrix"]).sum() == value[level]["n"]


def test_a_split_whose_test_tracks_are_not_all_there_is_refused(finished_run, music_folder, cache_dir, tmp_path):
    """Scores of what happens to be left of a test part are not that test part's."""
    shutil.copytree(music_folder, tmp_path / "less")
    for item in Split.load(finished_run / "split.json").ids("test")[1:]:
        (tmp_path / "less" / f"{item}.wav").unlink()
    with pytest.raises(SplitError, match="not in the data"):
        evaluate(finished_run, str(tmp_path / "less"), split=finished_run / "split.json", cache_dir=str(cache_dir))


@pytest.fixture(scope="module")
def tiny_hubert(tmp_path_factory):
    """A folder with a tiny HuBERT classifier and its feature extractor, weights not near zero."""
    import torch
    from transformers import HubertConfig, HubertForSequenceClassification, Wav2Vec2FeatureExtractor, set_seed

    set_seed(0)
    config = HubertConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8, 8),
        conv_stride=(40, 8),
        conv_kernel=(40, 8),
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=8,
        num_labels=3,
        layerdrop=0.0,
    )
    model = HubertForSequenceClassification(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.5 if name.startswith("classifier") else 0.2)
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-hubert"
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=SAMPLING_RATE).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("resumed", [False, True], ids=["trained", "finished before"])
@pytest.mark.parametrize("kind", ["lstm", "hubert"])
def test_figures_of_a_bf16_run_are_those_of_the_model_that_it_saves(
    run_values, music_folder, cache_dir, tiny_hubert, tmp_path, kind, resumed
):
    """FC70: Training and validation are under autocast; the record's figures come from the float32 weights alone."""
    values = {**run_values, "num_train_epochs": 2, "bf16": True, "pictures": False, "weight_averaging": 0.0}
    if kind == "hubert":
        values |= {"model_name_or_path": str(tiny_hubert), "model_config": None, "spec_time_masks": 0}
    folder = tmp_path / "run"
    result = fine_tune(**values, output_dir=str(folder))
    if resumed:  # training is not done again, so that nothing but the prediction prepares the model
        (folder / "results.json").unlink()
        result = fine_tune(**values, output_dir=str(folder), resume=True)
    again = evaluate(
        folder,
        str(music_folder),
        split=folder / "split.json",
        cache_dir=str(cache_dir),
        num_resamples=200,
        output_dir=tmp_path / "report",
    )
    assert result.environment.precision == "bf16 autocast"
    assert again.environment.precision == "float32"
    ours = Predictions.load(folder / "predictions.parquet").of_part("test")
    theirs = Predictions.load(tmp_path / "report" / "predictions.parquet")
    assert theirs.track_id.tolist() == ours.track_id.tolist()
    np.testing.assert_allclose(ours.logits, theirs.logits, atol=1e-5)
    assert ours.logits.std() > 0.01
