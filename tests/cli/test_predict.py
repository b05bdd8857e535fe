import json
import os
import subprocess
import sys
import wave

import numpy as np
import pytest
import soundfile

from mgc_hf.cli.main import main
from mgc_hf.labelling.rows import COLUMNS
from tests.tunes import GENRES, SAMPLING_RATE, tune


@pytest.fixture
def mgc_hf(monkeypatch, capsys):
    """Run the command in this process; returns exit status, standard output and standard error."""

    def run(*argv):
        monkeypatch.setattr(sys, "argv", ["mgc-hf", *map(str, argv)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
            raise SystemExit(0)
        captured = capsys.readouterr()
        return stop.value.code or 0, captured.out, captured.err

    return run


def test_json_of_a_folder(mgc_hf, finished_run, music_folder):
    status, out, _ = mgc_hf("predict", music_folder / "jazz", "--model", finished_run, "--json")
    rows = json.loads(out)
    assert status == 0
    assert [row["path"] for row in rows] == [str(music_folder / "jazz" / f"clip{index}.wav") for index in range(6)]
    for index, row in enumerate(rows):
        assert list(row) == list(COLUMNS)
        assert row["error"] is None
        assert row["genre"] == max(row["probabilities"], key=row["probabilities"].get)
        assert set(row["probabilities"]) == set(GENRES)
        assert row["seconds"] == pytest.approx(5 + index / 2)
        assert row["windows"] == (2 if index < 3 else 3)


def test_a_bad_file_is_reported_beside_the_others(mgc_hf, finished_run, music_folder, tmp_path):
    (tmp_path / "notes.wav").write_text("no audio")
    good = music_folder / "blues" / "clip0.wav"
    status, out, _ = mgc_hf(
        "predict", tmp_path / "notes.wav", good, tmp_path / "gone.wav", "--model", finished_run, "--json"
    )
    rows = json.loads(out)
    assert status == 1
    assert [row["error"] is None for row in rows] == [False, True, False]
    assert rows[0]["genre"] is None
    assert rows[1]["genre"] in GENRES


def test_table(mgc_hf, finished_run, music_folder):
    status, out, _ = mgc_hf("predict", music_folder / "blues" / "clip0.wav", "--model", finished_run, "--top-k", "1")
    assert status == 0
    assert "clip0.wav" in out
    assert any(genre in out for genre in GENRES)


def test_a_name_with_markup_is_printed_as_it_is(mgc_hf, finished_run, tmp_path):
    soundfile.write(tmp_path / "[bold]x.wav", tune("jazz", 0, 2.0), SAMPLING_RATE)
    _, out, _ = mgc_hf("predict", tmp_path / "[bold]x.wav", "--model", finished_run)
    assert "[bold]x.wav" in out.replace("\n", "")


@pytest.mark.parametrize(
    "argv",
    [
        ["predict"],
        ["predict", "x.wav"],
        ["predict", "x.wav", "--model", "m", "--top_k", "0"],
        ["predict", "x.wav", "--model", "m", "--batch_size", "none"],
        ["predict", "x.wav", "--model", "m", "--nonsense"],
        ["evaluate", "--model", "m"],
        ["nonsense"],
        [],
    ],
)
def test_wrong_usage_is_status_2(mgc_hf, argv):
    assert mgc_hf(*argv)[0] == 2


def test_a_folder_without_audio_is_wrong_usage(mgc_hf, finished_run, tmp_path):
    status, out, err = mgc_hf("predict", tmp_path, "--model", finished_run)
    assert (status, out) == (2, "")
    assert "no audio file" in err


def test_a_missing_model_is_one_line(mgc_hf, music_folder, tmp_path):
    status, out, err = mgc_hf("predict", music_folder / "jazz", "--model", tmp_path / "none")
    assert (status, out) == (1, "")
    assert err.startswith("mgc-hf: error: ")
    assert len(err.strip().splitlines()) == 1


def test_version(mgc_hf):
    from mgc_hf import __version__

    status, out, _ = mgc_hf("--version")
    assert (status, out.strip()) == (0, __version__)


def test_ninety_minutes_stay_under_900_mib(finished_run, tmp_path):
    """As a user would run it: a process of its own, its peak memory read from the system's account of it."""
    if sys.platform != "linux":
        pytest.skip("peak memory is read from /proc")
    path = tmp_path / "long.wav"
    block = (np.sin(np.arange(60 * SAMPLING_RATE) / 20) * 12000).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLING_RATE)
        for _ in range(90):
            file.writeframesraw(block)
    code = (
        "import sys; from mgc_hf.cli.main import main\n"
        f"sys.argv = ['mgc-hf', 'predict', {str(path)!r}, '--model', {str(finished_run)!r}, '--json']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        # ru_maxrss would begin with the memory of the process that runs the tests
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(int(status['VmHWM'].split()[0]), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ.copy()
    )
    assert result.returncode == 0, result.stderr
    row = json.loads(result.stdout)[0]
    assert row["seconds"] == pytest.approx(5400)
    assert row["windows"] == 1800
    assert int(result.stderr.split()[-1]) < 900 * 1024  # the samples alone would take 450 MiB, on top of 620
