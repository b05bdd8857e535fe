"""Rows of a catalogue: none is lost, none stands twice, whatever is killed and however many share the work."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from mgc_hf.errors import OptionError, SourceError
from mgc_hf.inference import GenreClassifier
from mgc_hf.labelling import Item, Share, items_of, label, open_output, rows_of_dataset
from mgc_hf.labelling.items import Keys
from mgc_hf.labelling.writing import ParquetParts
from tests.cli.test_predict import mgc_hf  # noqa: F401
from tests.data.parquet_files import parquet
from tests.labelling.stand_in import GENRES, StandIn, run
from tests.tunes import SAMPLING_RATE, tune

NAMES = [f'music/{n:02d} a,"b"\'c.mp3' for n in range(20)] + [
    "bad.mp3",
    "new\nline.mp3",
    "a\rreturn.mp3",
    os.fsdecode(b"\xff.mp3"),
]


def paths_in(output):
    """Return the paths of all rows, as the formats give them."""
    files = sorted(output.glob("[!.]*")) if output.is_dir() else [output]
    found = []
    for file in files:
        if file.suffix == ".jsonl":
            found += [json.loads(line)["path"] for line in file.read_text().splitlines()]
        elif file.suffix == ".csv":
            with open(file, encoding="utf-8", errors="surrogateescape", newline="") as opened:
                found += [row["path"] for row in csv.DictReader(opened)]
        elif file.suffix == ".parquet":
            found += [
                path.encode().decode("unicode_escape") if "\\" in path else path
                for path in pd.read_parquet(file)["path"]
            ]
    return [path.replace("\udcff", "\xff") for path in found]


EXPECTED = sorted(name.replace("\udcff", "\xff") for name in NAMES)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet", "folder"])
def test_every_format_holds_every_row(tmp_path, name):
    counts = run(tmp_path / name, NAMES)
    assert (counts.labelled, counts.failed, counts.done) == (23, 1, 24)
    assert sorted(paths_in(tmp_path / name)) == EXPECTED
    with pytest.raises(OptionError, match="has labels already; --resume goes on with them"):
        run(tmp_path / name, NAMES)
    again = run(tmp_path / name, [*NAMES, "one more.mp3"], resume=True)
    assert (again.skipped, again.labelled) == (24, 1)
    assert sorted(paths_in(tmp_path / name)) == sorted([*EXPECTED, "one more.mp3"])


def test_columns(tmp_path):
    run(tmp_path / "a.csv", NAMES)
    run(tmp_path / "a.jsonl", NAMES)
    run(tmp_path / "p", NAMES)
    first = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])
    with open(tmp_path / "a.csv", encoding="utf-8", errors="surrogateescape", newline="") as opened:
        table = list(csv.DictReader(opened))
    assert list(table[0]) == [
        *("path", "genre", "probability", "seconds", "windows", "aggregation", "notes", "revision", "error", "tag"),
        *("probability_jazz", "probability_rock"),
    ]
    parts = pd.read_parquet(tmp_path / "p")
    for row in (table[0], dict(parts.iloc[0])):
        assert (row["path"], row["genre"], row["revision"]) == (first["path"], "jazz", StandIn.revision)
        assert float(row["probability"]) == first["probability"]
    assert first["probabilities"] == parts["probabilities"][0]
    assert first["notes"] == list(parts["notes"][0]) == ["silent"]
    bad = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()][20]
    assert (bad["error"], bad["genre"], bad["probabilities"]) == ("not audio", None, None)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_cut_off_anywhere_no_row_is_lost_or_doubled(tmp_path_factory, name, data):
    folder = tmp_path_factory.mktemp("cut")
    run(folder / name, NAMES)
    whole = (folder / name).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / name).write_bytes(whole[:cut])
    run(folder / name, NAMES, resume=True)
    assert sorted(paths_in(folder / name)) == EXPECTED


@pytest.mark.parametrize("output_format", ["jsonl", "parquet"])
def test_three_processes_one_of_them_killed(tmp_path, output_format):
    names = [f"{n}.mp3" for n in range(100)]
    output = tmp_path / "labels"
    slow = {"output": str(output), "names": names, "world_size": 3, "seconds": 0.03, "output_format": output_format}
    running = [
        subprocess.Popen([sys.executable, "-m", "tests.labelling.stand_in", json.dumps({**slow, "rank": rank})])
        for rank in range(3)
    ]
    until = time.monotonic() + 60
    while time.monotonic() < until and not (output / "part-00002.jsonl").exists() and output_format == "jsonl":
        time.sleep(0.01)
    time.sleep(0.3)
    running[1].send_signal(signal.SIGKILL)
    assert [process.wait() for process in running] == [0, -signal.SIGKILL, 0]
    assert len(paths_in(output)) < 100
    if output_format == "jsonl":
        with open(output / "part-00001.jsonl", "ab") as torn:
            torn.write(b'{"path": "half a li')
    again = run(output, names, rank=1, world_size=3, resume=True, output_format=output_format)
    assert again.labelled > 0
    assert sorted(paths_in(output)) == sorted(names)
    # and by another number of processes there is nothing left to do
    for rank in range(2):
        assert run(output, names, rank=rank, world_size=2, resume=True, output_format=output_format).labelled == 0
    assert sorted(paths_in(output)) == sorted(names)


def test_fewer_processes_cut_the_torn_lines_of_those_that_are_gone(tmp_path):
    for rank in range(3):
        run(tmp_path / "o", NAMES, rank=rank, world_size=3, output_format="jsonl")
    file = tmp_path / "o" / "part-00002.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    run(tmp_path / "o", NAMES, resume=True, output_format="jsonl")
    assert sorted(paths_in(tmp_path / "o")) == EXPECTED


def test_parts_that_were_not_finished_are_done_again(tmp_path, monkeypatch):
    monkeypatch.setattr("mgc_hf.labelling.writing.PART_ROWS", 4)
    out, _ = open_output(str(tmp_path / "p"), GENRES)
    for _ in label(StandIn(), map(Item, NAMES[:10]), out.write):
        pass  # and no close: two of the ten rows are in memory alone
    (tmp_path / "p" / ".tmp-00000.parquet").write_bytes(b"half a par")
    assert len(paths_in(tmp_path / "p")) == 8
    assert run(tmp_path / "p", NAMES, resume=True).skipped == 8
    assert sorted(paths_in(tmp_path / "p")) == EXPECTED
    assert not list((tmp_path / "p").glob(".tmp*"))


def test_labels_of_another_model_are_not_mixed(tmp_path, monkeypatch):
    for name in ("a.jsonl", "a.csv", "p"):
        run(tmp_path / name, NAMES)
    monkeypatch.setattr(StandIn, "revision", "sha256:fedcba9876543210")
    for name in ("a.jsonl", "a.csv", "p"):
        with pytest.raises(
            OptionError, match="has labels of the model sha256:0123456789abcdef, this one is sha256:fed"
        ):
            run(tmp_path / name, NAMES, resume=True)


def test_wrong_outputs(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "not.jsonl").write_text("no JSON\n")
    for name, content in (("mine.csv", "title,year\na,1\nb,2"), ("mine.jsonl", "[1]\n5")):
        (tmp_path / name).write_text(content)
        with pytest.raises(OptionError, match="this is no output of mgc-hf predict"):
            open_output(str(tmp_path / name), GENRES, resume=True)
        assert (tmp_path / name).read_text() == content
    with pytest.raises(OptionError, match="not known by its ending; name one of jsonl, csv, parquet"):
        open_output(str(tmp_path / "a.xlsx"), GENRES)
    with pytest.raises(OptionError, match="is a file, but Parquet is written in parts; name a folder"):
        open_output(str(tmp_path / "file"), GENRES, output_format="parquet")
    with pytest.raises(OptionError, match="several processes write a part each; name a folder"):
        open_output(str(tmp_path / "not.jsonl"), GENRES, share=Share(0, 2))
    with pytest.raises(OptionError, match="holds a line that is no JSON"):
        open_output(str(tmp_path / "not.jsonl"), GENRES, resume=True)
    with pytest.raises(OptionError, match="cannot be written"):
        open_output(str(tmp_path / "file" / "a.jsonl"), GENRES)
    first, _ = open_output(str(tmp_path / "twice.jsonl"), GENRES)
    with pytest.raises(OptionError, match="another process writes to it"):
        open_output(str(tmp_path / "twice.jsonl"), GENRES)
    first.close()
    assert isinstance(open_output(str(tmp_path / "new"), GENRES)[0], ParquetParts)


def test_what_is_named_once_or_twice_is_there_once(tmp_path, monkeypatch):
    folder = tmp_path / "m"
    for name in ("a/1.wav", "a/2.MP3", "b/[x].flac", "b/note.txt", "._3.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    monkeypatch.chdir(folder)
    names = lambda *given, **lists: [item.path for item in items_of(given, **lists)]  # noqa: E731
    assert names("a", "a/1.wav", "a/*") == ["a/1.wav", "a/2.MP3"]
    assert names("**/*.flac", "b/[x].flac") == ["b/[x].flac"]
    assert names("gone.wav") == ["gone.wav"]
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbfa/1.wav\r\n\r\n -x y.wav\n\xff.wav")
    assert names(lists=[str(tmp_path / "list")]) == ["a/1.wav", " -x y.wav", os.fsdecode(b"\xff.wav")]
    (tmp_path / "list").write_bytes(b"a/1.wav\0new\nline.wav\0")
    assert names(lists=[str(tmp_path / "list")]) == ["a/1.wav", "new\nline.wav"]
    with pytest.raises(OptionError, match="no audio file is named like this"):
        names("*.ogg")
    with pytest.raises(OptionError, match="--list gone: cannot be read"):
        names(lists=["gone"])


def test_keys_are_a_set(monkeypatch):
    monkeypatch.setattr("mgc_hf.labelling.items._LATE_KEYS", 4)
    keys, held = Keys(np.array([7, 2**64 - 1, 7], dtype=np.uint64)), {7, 2**64 - 1}
    for key in (3, 7, 3, 0, 2**63, 9, 11, 0, 12):
        assert (key in keys) == (key in held)
        keys.add(key)
        held.add(key)
    assert all(key in keys for key in held)
    assert not any(key in keys for key in range(13, 100))


@given(st.lists(st.text(max_size=8)), st.integers(1, 7))
def test_an_item_belongs_to_one_process(paths, world_size):
    for path in paths:
        key = Item(path).key
        assert sum(Share(rank, world_size).owns(key) for rank in range(world_size)) == 1


def test_a_folder_below_that_cannot_be_read_is_one_row(tmp_path, monkeypatch):
    for name in ("a/1.wav", "locked/2.wav", "z/3.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scan = os.scandir

    def locked(path):
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", locked)
    found = [item.path for item in items_of([str(tmp_path)])]
    assert found == [str(tmp_path / name) for name in ("a/1.wav", "locked", "z/3.wav")]
    with pytest.raises(SourceError, match="locked: this folder cannot be read"):
        list(items_of([str(tmp_path / "locked")]))


def test_a_dataset_that_breaks_off_is_one_error(tmp_path, monkeypatch):
    def broken(source, name, data, column):
        yield Item("train/0", b"x")
        raise OSError("the shard is damaged")

    monkeypatch.setattr("mgc_hf.labelling.items._rows", broken)
    (tmp_path / "a.parquet").write_bytes(parquet([b"x"], [0], names=["jazz"]))
    rows = rows_of_dataset(str(tmp_path))
    assert next(rows).content == b"x"
    with pytest.raises(SourceError, match="cannot be read on .OSError: the shard is damaged.; --resume goes on"):
        next(rows)


def test_rows_of_a_dataset(tmp_path):
    import datasets

    sound = tmp_path / "x.wav"
    soundfile.write(sound, tune("jazz", 0, 1.0), SAMPLING_RATE)
    rows = {
        "audio": [{"bytes": sound.read_bytes(), "path": "x.wav"}, {"bytes": None, "path": str(sound)}],
        "id": [1, 2],
    }
    (tmp_path / "d").mkdir()
    (tmp_path / "empty").mkdir()
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "d" / "0.parquet")
    for source in (tmp_path / "d", tmp_path / "d" / "0.parquet"):
        items = list(rows_of_dataset(str(source)))
        assert [item.path for item in items] == ["train/0/x.wav", "train/1/x.wav"]
        assert [item.content for item in items] == [sound.read_bytes()] * 2
    with pytest.raises(SourceError, match="no column genre; it has audio, id"):
        next(rows_of_dataset(str(tmp_path / "d"), column="genre"))
    with pytest.raises(SourceError, match="no Parquet file in this folder"):
        next(rows_of_dataset(str(tmp_path / "empty")))


@pytest.mark.parametrize("threads", [0, 2])
def test_scores_do_not_depend_on_the_neighbours(finished_run, music_folder, threads):
    """FC40."""
    classifier = GenreClassifier.from_pretrained(finished_run, batch_size=7)
    files = sorted(map(str, music_folder.rglob("*.wav")))[:12]
    rows = []
    for counts in label(classifier, map(Item, [*files, "gone.wav"]), rows.append, threads=threads):  # noqa: B007
        pass
    assert (counts.labelled, counts.failed) == (12, 1)
    assert [row["path"] for row in rows] == [*files, "gone.wav"]
    for row in rows[:-1]:
        alone = classifier.predict_file(row["path"])
        assert (row["genre"], row["windows"]) == (alone.genre, alone.windows)
        assert row["probabilities"] == pytest.approx(alone.probabilities, abs=1e-5)
    assert rows[-1]["error"] == "no such file"
    assert classifier.revision.startswith("sha256:")


def test_a_long_file_is_heard_to_its_end(finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr("mgc_hf.inference._AHEAD_SECONDS", 4.0)
    soundfile.write(tmp_path / "long.wav", np.tile(tune("jazz", 0, 5.0), 6), SAMPLING_RATE)
    monkeypatch.setattr("mgc_hf.data.audio._HELD_SAMPLES", 1000)
    classifier = GenreClassifier.from_pretrained(finished_run)
    prediction = classifier.predict_file(tmp_path / "long.wav")
    assert prediction.seconds == pytest.approx(30.0)
    assert prediction.windows == np.ceil(30.0 / classifier.hop_seconds)


def test_the_command(mgc_hf, finished_run, music_folder, tmp_path):  # noqa: F811
    output = tmp_path / "o.jsonl"
    soundfile.write(tmp_path / "zero.wav", np.zeros(SAMPLING_RATE), SAMPLING_RATE)
    words = ("predict", tmp_path / "zero.wav", music_folder / "jazz", "--model", finished_run, "--output", output)
    status, out, err = mgc_hf(*words, "--unsure-below", "1")
    assert (status, out) == (0, "")
    assert "7 files labelled, 7 of them unsure" in err
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert {row["genre"] for row in rows} == {"unsure"}
    assert rows[0]["notes"] == ["silent"]
    status, _, err = mgc_hf(*words, "--resume")
    assert (status, "0 files labelled, 7 had a row already" in err) == (0, True)
    for wrong, message in (
        (["--json"], "--json: prints to the screen"),
        (["--dataset", "x"], "--dataset: is labelled alone"),
    ):
        status, _, err = mgc_hf(*words, *wrong)
        assert (status, message in err) == (2, True), err
    status, _, err = mgc_hf("predict", "--model", finished_run)
    assert (status, "nothing to label" in err) == (2, True)
    status, _, err = mgc_hf("predict", music_folder, "--model", finished_run, "--resume")
    assert (status, "--resume: is for --output" in err) == (2, True)
