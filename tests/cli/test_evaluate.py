import json

from mgc_hf.results import RunResult
from tests.cli.test_predict import mgc_hf  # noqa: F401 - a fixture


def test_json_is_the_record_and_nothing_else(mgc_hf, finished_run, music_folder, cache_dir):  # noqa: F811
    arguments = ["--model", finished_run, "--dataset", music_folder, "--cache_dir", cache_dir]
    status, out, _ = mgc_hf("evaluate", *arguments, "--split", finished_run / "split.json", "--json")
    assert status == 0
    result = RunResult.from_dict(json.loads(out))
    trained = RunResult.load(finished_run / "results.json")
    assert result.track.accuracy.value == trained.track.accuracy.value
    assert result.segment.per_genre == trained.segment.per_genre


def test_text_names_the_protocol(mgc_hf, finished_run, music_folder, cache_dir):  # noqa: F811
    status, out, _ = mgc_hf("evaluate", "--model", finished_run, "--dataset", music_folder, "--cache-dir", cache_dir)
    assert status == 0
    assert "leaky" in out
    assert "metal" in out


def test_a_path_that_does_not_exist_is_called_that(mgc_hf, finished_run, tmp_path):  # noqa: F811
    status, out, err = mgc_hf("evaluate", "--model", finished_run, "--dataset", tmp_path / "gone")
    assert (status, out) == (1, "")
    assert "gone" in err
    assert len(err.strip().splitlines()) == 1


def test_an_output_folder_in_use_is_refused(mgc_hf, finished_run, music_folder):  # noqa: F811
    arguments = ["--model", finished_run, "--dataset", music_folder, "--output_dir", finished_run]
    status, _, err = mgc_hf("evaluate", *arguments)
    assert status == 2
    assert "--output_dir" in err
