"""A run made again from its folder: the same figures, and what is refused before anything is trained."""

import json
import shutil
from pathlib import Path

import pytest
import soundfile
import yaml

from mgc_hf.errors import CheckpointError, OptionError, SourceError
from mgc_hf.evaluating import evaluate
from mgc_hf.options import parse_options
from mgc_hf.predictions import Predictions
from mgc_hf.record import public_options
from mgc_hf.rerunning import rerun
from mgc_hf.results import RunResult
from mgc_hf.run import fine_tune
from tests.tunes import SAMPLING_RATE, tune


@pytest.fixture
def published(finished_run, tmp_path):
    """A copy of what a repository holds of a run, to change."""
    folder = tmp_path / "published"
    shutil.copytree(finished_run, folder, ignore=shutil.ignore_patterns("checkpoint-*", "*.safetensors"))
    return folder


@pytest.fixture
def music(music_folder, tmp_path):
    """A copy of the audio, elsewhere, to change."""
    return shutil.copytree(music_folder, tmp_path / "my music")


def _change(folder, **values):
    record = json.loads((folder / "results.json").read_text())
    for path, value in values.items():
        *keys, last = path.split("__")
        place = record
        for key in keys:
            place = place[key]
        place[last] = value
    (folder / "results.json").write_text(json.dumps(record))


def test_the_same_run_comes_out(published, music, cache_dir, tmp_path):
    result = rerun(published, dataset=str(music), output_dir=tmp_path / "again", cache_dir=str(cache_dir))
    assert [figure.difference for figure in result.figures] == [0, 0, 0, 0]
    assert (result.predictions_equal, result.largest_difference, result.changed_genres) == (True, 0, 0)
    assert result.environment == {}
    assert "predictions: equal, bit for bit" in result.summary()
    assert json.loads(json.dumps(result.to_dict()))["figures"][0]["difference"] == 0
    before = RunResult.load(published / "results.json")
    assert before.track == result.result.track
    assert before.split == result.result.split
    assert before.training.history == result.result.training.history
    for name in ("predictions.parquet", "split.json", "recordings.json", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (published / name).read_bytes()
    with pytest.raises(OptionError, match="not empty; name another folder"):
        rerun(published, dataset=str(music), output_dir=tmp_path / "again")


def test_what_differs_is_told(published, music, cache_dir, tmp_path):
    accuracy = RunResult.load(published / "results.json").track.accuracy.value
    _change(
        published,
        environment__packages__torch="1.0",
        mgc_hf_version="0.0.1",
        track__accuracy__value=0.25,
        training__resolved__pictures=False,
    )
    predictions = Predictions.load(published / "predictions.parquet")
    predictions.logits[0] += 0.25
    predictions.logits[1] = -predictions.logits[1]
    predictions.save(published / "predictions.parquet")
    result = rerun(published, dataset=str(music), output_dir=tmp_path / "again", cache_dir=str(cache_dir))
    assert result.figures[0].difference == accuracy - 0.25
    assert list(result.environment) == ["mgc_hf", "torch"]
    assert "torch: 1.0 published" in result.summary()
    assert result.predictions_equal is False
    assert result.largest_difference >= 0.25
    assert result.changed_genres == 1
    assert "segments that are called another genre: 1" in result.summary()


def test_missing_changed_and_further_tracks_are_listed_before_training(published, music, cache_dir, tmp_path):
    (music / "blues" / "clip0.wav").unlink()
    (music / "metal" / "clip5.wav").unlink()
    soundfile.write(music / "jazz" / "clip1.wav", tune("jazz", 9, 5.0), SAMPLING_RATE)
    soundfile.write(music / "jazz" / "clip9.wav", tune("jazz", 3, 5.0), SAMPLING_RATE)
    with pytest.raises(SourceError) as told:
        rerun(published, dataset=str(music), output_dir=tmp_path / "again", cache_dir=str(cache_dir))
    text = str(told.value)
    assert "my music: 2 tracks missing (blues/clip0, metal/clip5)" in text
    assert "1 track of other content (jazz/clip1)" in text
    assert "1 track that the run did not have (jazz/clip9)" in text
    assert "\n" not in text
    assert not (tmp_path / "again").exists()


def test_recordings_without_tracks_are_compared_as_far_as_they_go(published, music, cache_dir, tmp_path):
    file = published / "recordings.json"
    old = {name: value for name, value in json.loads(file.read_text()).items() if name != "tracks"}
    file.write_text(json.dumps({**old, "sha256": [*old["sha256"], "0" * 64]}))
    with pytest.raises(SourceError, match="1 of the 13 recordings that it trained with are not there"):
        rerun(published, dataset=str(music), output_dir=tmp_path / "again", cache_dir=str(cache_dir))


def test_what_cannot_be_made_again(published, finished_run, music_folder, cache_dir, tmp_path):
    again = tmp_path / "again"
    with pytest.raises(OptionError, match="--dataset is needed: the run was made with local data named music"):
        rerun(published, output_dir=again)
    with pytest.raises(OptionError, match="--test_dataset x: the run was tested on a part of its own data"):
        rerun(published, dataset="demo", test_dataset="x", output_dir=again)
    with pytest.raises(OptionError, match="has no revisions"):
        rerun(published, revision="main", output_dir=again)
    with pytest.raises(CheckpointError, match="no such folder"):
        rerun(tmp_path / "gone", output_dir=again)
    with pytest.raises(CheckpointError, match=r"has no results\.json, so it is no run"):
        rerun(music_folder, output_dir=again)
    _change(published, training__resolved__model_name_or_path="my-hubert")
    with pytest.raises(OptionError, match="--model_name_or_path is needed: .* named my-hubert"):
        rerun(published, dataset="demo", output_dir=again)
    _change(published, training__resolved__model_name_or_path="mel_lstm", training__resolved__of_the_future=1)
    with pytest.raises(OptionError, match=r"results\.json: its options .* unknown option of_the_future"):
        rerun(published, dataset="demo", output_dir=again)
    _change(published, training__resolved__model_name_or_path="../alice/x")
    with pytest.raises(OptionError, match="--model_name_or_path is needed"):
        rerun(published, dataset="demo", output_dir=again)
    _change(published, training__resolved__model_name_or_path="mel_lstm", split__hash="0" * 64)
    with pytest.raises(CheckpointError, match=r"split\.json: is not the split of"):
        rerun(published, dataset="demo", output_dir=again)
    (published / "split.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no split\.json"):
        rerun(published, dataset="demo", output_dir=again)
    judged = tmp_path / "judged"
    evaluate(finished_run, str(music_folder), output_dir=judged, cache_dir=str(cache_dir), num_resamples=100)
    with pytest.raises(CheckpointError, match="is an evaluation .* mgc-hf evaluate"):
        rerun(judged, output_dir=again)
    assert not again.exists()


def test_options_of_a_repository_neither_send_nor_overwrite(published, music, cache_dir, tmp_path, monkeypatch):
    from mgc_hf import rerunning

    names = {
        "push_to_hub": True,
        "hub_model_id": "alice/x",
        "hub_token": "hf_x",
        "overwrite_output_dir": True,
        "resume": True,
        "cache_dir": "/x",
        "resume_from_checkpoint": "/y",
        "report_to": "trackio",
        "trackio_space_id": "alice/space",
    }
    for name, value in names.items():
        _change(published, **{f"training__resolved__{name}": value})
    seen = []
    monkeypatch.setattr(rerunning, "run", lambda options, recipe: seen.append(options) or _stop())
    with pytest.raises(KeyboardInterrupt):
        rerun(published, dataset=str(music), output_dir=tmp_path / "again", cache_dir=str(cache_dir))
    train = seen[0].train
    assert (train.push_to_hub, train.hub_model_id, train.hub_token) == (False, None, None)
    assert (train.overwrite_output_dir, train.resume, train.resume_from_checkpoint) == (False, False, None)
    assert train.report_to in ("none", [])
    assert train.trackio_space_id is None or train.trackio_space_id == "trackio"


def _stop():
    raise KeyboardInterrupt


def test_a_run_tested_on_other_data_with_numbers_of_tracks(run_values, music_folder, cache_dir, tmp_path):
    values = {**run_values, "num_train_epochs": 1, "pictures": False, "train_tracks_per_genre": 4, "adam_beta2": 0.99}
    fine_tune(**values, test_dataset=str(music_folder), output_dir=str(tmp_path / "run"))
    data = {"dataset": str(music_folder), "cache_dir": str(cache_dir)}
    with pytest.raises(OptionError, match="--test_dataset is needed"):
        rerun(tmp_path / "run", **data, output_dir=tmp_path / "again")
    result = rerun(tmp_path / "run", **data, test_dataset=str(music_folder), output_dir=tmp_path / "again")
    assert result.predictions_equal
    assert result.result.training.options["adam_beta2"] == 0.99
    (tmp_path / "less").mkdir()
    shutil.copytree(music_folder, tmp_path / "less", dirs_exist_ok=True)
    (tmp_path / "less" / "jazz" / "clip2.wav").unlink()
    with pytest.raises(SourceError, match=r"less \(test\): 1 track missing \(jazz/clip2\)"):
        rerun(tmp_path / "run", **data, test_dataset=str(tmp_path / "less"), output_dir=tmp_path / "third")


def test_the_leaky_protocol_too(run_values, music_folder, cache_dir, tmp_path):
    values = {**run_values, "num_train_epochs": 1, "pictures": False, "protocol": "segment", "num_segments": 40}
    fine_tune(**values, augmented_copies=1, split_seed=3, output_dir=str(tmp_path / "run"))
    before = (tmp_path / "run" / "predictions.parquet").rename(tmp_path / "before")
    result = rerun(
        tmp_path / "run", dataset=str(music_folder), cache_dir=str(cache_dir), output_dir=tmp_path / "again"
    )
    assert result.predictions_equal is None
    assert "none were published" in result.summary()
    assert (tmp_path / "again" / "predictions.parquet").read_bytes() == before.read_bytes()


def test_resolved_options_are_a_config_file(finished_run, run_values):
    """The same options by `--config` as the run had, but for where things lie."""
    values = yaml.safe_load((finished_run / "resolved.yaml").read_text())
    assert values["dataset"] == Path(run_values["dataset"]).name
    assert not {"output_dir", "cache_dir", "hub_token"} & set(values)
    file = ["--config", str(finished_run / "resolved.yaml"), "--output_dir", "x"]
    read = parse_options(argv=file)
    before = parse_options(argv=[], values={**run_values, "output_dir": "x"})
    assert public_options(read.resolved) == public_options(before.resolved)
