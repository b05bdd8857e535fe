import json

import pytest
import soundfile

from tests.cli.test_predict import mgc_hf  # noqa: F401 - a fixture
from tests.tunes import SAMPLING_RATE, tune


@pytest.fixture
def music(tmp_path):
    """Three genres with two clips each, all by artists of their own."""
    rows = ["path,genre,artist"]
    for genre in ("blues", "jazz", "metal"):
        for index in range(2):
            path = tmp_path / "music" / genre / f"{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tune(genre, index, 4.0), SAMPLING_RATE)
            rows.append(f"{genre}/{index}.wav,{genre},{genre} {index}")
    (tmp_path / "music" / "metadata.csv").write_text("\n".join(rows) + "\n")
    for part, index in (("train", 0), ("test", 1)):
        (tmp_path / f"{part}.txt").write_text(
            "".join(f"{genre}/{index}.wav\n" for genre in ("blues", "jazz", "metal"))
        )
    return tmp_path / "music"


def test_status_0_of_a_clean_split_with_lists_after_the_option(mgc_hf, music, cache_dir):  # noqa: F811
    lists = [f"{part}={music.parent / part}.txt" for part in ("train", "test")]
    status, out, _ = mgc_hf("audit", "--dataset", music, "--cache_dir", cache_dir, "--split", *lists)
    assert status == 0, out
    assert "Audit: clean." in out
    assert "What sound cannot show" in out
    assert "(train 3, test 3)" in out


def test_status_1_of_a_leak_and_json_of_it(mgc_hf, music, cache_dir, tmp_path):  # noqa: F811
    (music.parent / "test.txt").write_text("blues/0\njazz/1\nmetal/1\n")
    arguments = ["--dataset", music, "--cache_dir", cache_dir, "--split", music.parent]
    status, out, _ = mgc_hf("audit", *arguments, "--json", "--output", tmp_path / "audit.json")
    assert status == 1
    found = json.loads(out)
    assert [(finding["kind"], finding["name"]) for finding in found["findings"]] == [("track", "blues/0")]
    assert json.loads((tmp_path / "audit.json").read_text()) == found


def test_status_2_and_no_output_where_nothing_could_be_audited(mgc_hf, music, cache_dir, tmp_path):  # noqa: F811
    (tmp_path / "broken.json").write_text("{")
    data = ["--dataset", music, "--cache_dir", cache_dir]
    for arguments in (
        ["--dataset", tmp_path / "gone"],
        [*data, "--split", tmp_path / "gone.json"],
        [*data, "--split", tmp_path / "broken.json"],
    ):
        status, out, error = mgc_hf("audit", *arguments, "--json")
        assert (status, out) == (2, "")
        assert "mgc-hf: error: " in error


def test_status_1_of_a_bad_file(mgc_hf, music, cache_dir):  # noqa: F811
    (music / "jazz" / "1.wav").write_bytes(b"no audio")
    status, out, _ = mgc_hf("audit", "--dataset", music, "--cache_dir", cache_dir)
    assert status == 1
    assert "files that cannot be used: 1" in out
    assert "jazz/1.wav: not readable as audio" in out


def test_a_model(mgc_hf, finished_run, tmp_path):  # noqa: F811
    assert mgc_hf("audit", finished_run)[0] == 0
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "README.md").write_text("- Accuracy: 0.9\n")
    status, out, _ = mgc_hf("audit", tmp_path / "model", "--json")
    assert status == 1
    assert "no_n" in [lack["key"] for lack in json.loads(out)["lacks"]]


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["audit"], "nothing to audit"),
        (["audit", "a/b", "c/d"], "one model at a time"),
        (["audit", "--dataset", "demo", "--revision", "v1"], "--revision is of a model"),
        (["audit", "--nonsense"], ""),
    ],
)
def test_status_2_of_wrong_usage(mgc_hf, argv, error):  # noqa: F811
    status, _, err = mgc_hf(*argv)
    assert status == 2
    assert error in err
