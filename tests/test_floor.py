"""The floor beside a run and as a run: fitted to the same rows, judged on the same rows, saved, said and published."""

import numpy as np
import pytest

from mgc_hf.comparison.pair import compare
from mgc_hf.errors import OptionError
from mgc_hf.evaluating import evaluate
from mgc_hf.evaluation.paired import sign_test
from mgc_hf.evaluation.score import score
from mgc_hf.floor import judge_floor
from mgc_hf.hub.contents import list_contents
from mgc_hf.hub.trial import try_folder
from mgc_hf.inference import GenreClassifier
from mgc_hf.predictions import Predictions
from mgc_hf.results import RunResult
from mgc_hf.run import fine_tune
from tests.tunes import SAMPLING_RATE, tune

FLOOR = {"model_name_or_path": "stats_floor", "model_config": None, "mixup_alpha": 0.0, "spec_time_masks": 0}


@pytest.fixture(scope="module")
def beside(run_values, tmp_path_factory):
    """The folder of an LSTM's run with its floor."""
    folder = tmp_path_factory.mktemp("beside") / "run"
    fine_tune(**{**run_values, "num_train_epochs": 1, "pictures": False, "floor": True}, output_dir=str(folder))
    return folder


@pytest.fixture(scope="module")
def alone(run_values, tmp_path_factory):
    """The folder of the floor's own run."""
    folder = tmp_path_factory.mktemp("alone") / "floor"
    fine_tune(**{**run_values, **FLOOR, "pictures": False, "floor": True}, output_dir=str(folder))
    return folder


def test_it_is_judged_on_the_same_segments(beside):
    result = RunResult.load(beside / "results.json")
    run = Predictions.load(beside / "predictions.parquet").of_part("test")
    floor = Predictions.load(beside / "floor.parquet")
    for name in ("track_id", "segment", "start_s", "part", "label"):
        assert np.array_equal(getattr(floor, name), getattr(run, name))
    track, segment = score(floor, seed=result.seed, num_resamples=200)
    assert (result.floor.track, result.floor.segment) == (track.accuracy, segment.accuracy)
    own, other = run.to_tracks(), floor.to_tracks()
    right = own.predicted == own.label, other.predicted == other.label
    assert result.floor.run_alone == (right[0] & ~right[1]).sum()
    assert result.floor.floor_alone == (right[1] & ~right[0]).sum()
    assert result.floor.difference.value == pytest.approx(right[0].mean() - right[1].mean())
    assert result.floor.seconds > 0
    assert result.floor.track.value > 0.6  # tunes of three registers


def test_the_same_as_the_floors_own_run(beside, alone):
    """The floor beside a run is what `recipes/floor.py` makes of the same split."""
    theirs = Predictions.load(alone / "predictions.parquet").of_part("test")
    ours = Predictions.load(beside / "floor.parquet")
    assert np.array_equal(theirs.track_id, ours.track_id)
    np.testing.assert_allclose(theirs.logits, ours.logits, rtol=1e-4, atol=1e-4)
    told = compare(beside, alone, num_resamples=200)
    floor = RunResult.load(beside / "results.json").floor
    assert (told.tracks.first_alone, told.tracks.second_alone) == (floor.run_alone, floor.floor_alone)
    assert told.tracks.p_value == floor.p_value


def test_it_is_said_on_the_screen_and_on_the_card(beside, alone):
    result = RunResult.load(beside / "results.json")
    assert f"floor: {result.floor_statement}" in result.summary()
    assert "beyond chance (McNemar p" in result.floor_statement
    card = (beside / "README.md").read_text()
    assert "### Beside the floor" in card
    assert (f"**This model is {result.floor.verdict}**" in card) != result.floor.beaten
    own = RunResult.load(alone / "results.json")
    assert own.floor is None
    assert not (alone / "floor.parquet").exists()
    assert "floor: this is the floor itself" in own.summary()
    card = (alone / "README.md").read_text()
    assert "This model is the floor that others are compared with" in card
    assert "torch, librosa (which the model's features need), soundfile and soxr" in card
    assert "fitted to the training part in closed form" in card


def test_without_it_a_run_says_so(finished_run):
    result = RunResult.load(finished_run / "results.json")
    assert result.floor is None
    assert "floor: not compared" in result.summary()
    assert "was not compared" in (finished_run / "README.md").read_text()
    assert not (finished_run / "floor.parquet").exists()


def test_it_is_a_model_like_any_other(alone, run_values, music_folder, tmp_path):
    result = RunResult.load(alone / "results.json")
    training = result.training
    assert (training.selected, training.epochs, training.steps, training.history) == ("fitted", 1.0, 0, [])
    assert not training.weight_averaging
    assert not list(alone.glob("checkpoint-*"))
    prediction = GenreClassifier.from_pretrained(alone)(tune("metal", 9, 5.0), SAMPLING_RATE)
    assert prediction.genre == "metal"
    again = evaluate(
        alone, str(music_folder), split=alone / "split.json", cache_dir=run_values["cache_dir"], num_resamples=200
    )
    assert again.track.confusion_matrix == result.track.confusion_matrix
    assert again.segment.loss == pytest.approx(result.segment.loss, rel=1e-5)
    assert (again.floor, again.floor_statement) == (None, None)
    resumed = fine_tune(
        **{**run_values, **FLOOR, "pictures": False, "floor": True}, output_dir=str(alone), resume=True
    )
    assert resumed.created == result.created  # there was nothing to do


def test_it_can_be_published_and_heard_by_a_stranger(alone, beside):
    paths = {content.path for content in list_contents(alone)}
    assert {"modeling_stats_floor.py", "audio_input_mel_lstm.py", "pipeline_genre.py"} <= paths
    assert "floor.parquet" in {content.path for content in list_contents(beside)}
    try_folder(alone)


def test_what_has_no_effect_is_said_and_what_cannot_be_is_refused(run_values, tmp_path, caplog):
    values = {**run_values, **FLOOR, "pictures": False, "output_dir": str(tmp_path / "run")}
    with pytest.raises(OptionError, match="--mixup_alpha is 0.4; it must be 0 for a stats_floor"):
        fine_tune(**{**values, "mixup_alpha": 0.4})
    with pytest.raises(OptionError, match="need a model that takes spectrograms, which this one does not"):
        fine_tune(**{**values, "spec_time_masks": 2})
    caplog.clear()
    fine_tune(**{**values, "learning_rate": 0.1, "gain_db": 3.0, "overwrite_output_dir": True})
    told = [record.message for record in caplog.records if "has no effect on a stats_floor" in record.message]
    assert [text.split()[0] for text in told] == [
        "--num_train_epochs",
        "--per_device_train_batch_size",
        "--learning_rate",
    ]


def test_segments_that_are_split_are_compared_by_track(run_values, tmp_path):
    values = {**run_values, "num_train_epochs": 1, "pictures": False, "floor": True, "protocol": "segment"}
    result = fine_tune(**values, augmented_copies=1, output_dir=str(tmp_path / "run"))
    run = Predictions.load(tmp_path / "run" / "predictions.parquet").of_part("test")
    floor = Predictions.load(tmp_path / "run" / "floor.parquet")
    assert np.array_equal(floor.segment, run.segment)
    assert (run.segment >= 100_000).any()  # augmented copies
    right = [one.logits.argmax(1) == one.label for one in (run, floor)]
    assert result.floor.difference.value == pytest.approx(right[0].mean() - right[1].mean())
    tracks = np.unique(run.track_id.astype(str))
    lead = np.array([right[0][run.track_id == t].sum() - right[1][run.track_id == t].sum() for t in tracks], dtype=int)
    counts = (lead > 0).sum(), (lead < 0).sum()
    assert (result.floor.run_alone, result.floor.floor_alone) == counts
    assert result.floor.p_value == sign_test(*counts)
    assert "of segments: the model is" in result.floor_statement
    assert "(sign test by track p" in result.floor_statement


def test_a_training_part_that_cannot_be_fitted_is_told_before_training(run_values, tmp_path):
    values = {
        **run_values,
        "floor": True,
        "segment_seconds": 60.0,
        "train_tracks_per_genre": 1,
        "train_hop_seconds": 60.0,
    }
    with pytest.raises(OptionError, match=r"the training part has 3 of 3: give more data, or .* --floor false"):
        fine_tune(**values, output_dir=str(tmp_path / "run"))
    assert not list(tmp_path.glob("run/checkpoint-*"))


def predictions(right, label=None):
    label = np.arange(len(right)) % 2 if label is None else label
    return Predictions(
        track_id=[f"t{index:02d}" for index in range(len(right))],
        segment=[0] * len(right),
        start_s=[0.0] * len(right),
        part=["test"] * len(right),
        label=label,
        logits=np.eye(2)[np.where(right, label, 1 - label)],
        genres=("jazz", "polka"),
    )


@pytest.mark.parametrize(
    ("run_alone", "floor_alone", "verdict", "beaten"),
    [
        (9, 1, "better than it beyond chance", True),
        (5, 4, "not better than it beyond chance", False),
        (1, 9, "worse than it beyond chance", False),
        (0, 0, "not better than it beyond chance", False),
    ],
)
def test_the_verdict_is_that_of_the_test(run_alone, floor_alone, verdict, beaten):
    counts = (20, run_alone, floor_alone, 5)
    run = predictions(np.repeat([True, True, False, False], counts))
    floor = predictions(np.repeat([True, False, True, False], counts))
    found = judge_floor(run, floor, "track", seconds=1.0, num_resamples=200)
    assert (found.verdict, found.beaten) == (verdict, beaten)
    assert (found.run_alone, found.floor_alone) == (run_alone, floor_alone)
    low, high = found.difference.ci95
    assert low < found.difference.value < high
