"""Genres in tags: the right field of each format, the audio untouched, the file whole whatever happens."""

import hashlib
import json
import os
import shutil
import stat
import struct

import numpy as np
import pytest
import soundfile

from mgc_hf import tagging
from mgc_hf.data.audio import decode
from mgc_hf.tagging import KEPT, NO_TAGS, WRITTEN, Tagger, write_genre
from tests.cli.test_predict import mgc_hf  # noqa: F401
from tests.tunes import SAMPLING_RATE, tune

mutagen = pytest.importorskip("mutagen")

FORMATS = {
    "wav": "PCM_16",
    "flac": "PCM_16",
    "ogg": "VORBIS",
    "mp3": "MPEG_LAYER_III",
    "aiff": "PCM_16",
    "opus": "OPUS",
}


def write(path, kind, rate=SAMPLING_RATE):
    rate = 48_000 if kind == "opus" else rate
    form = {"mp3": "MP3", "aiff": "AIFF", "opus": "OGG"}.get(kind, kind.upper())
    soundfile.write(path, tune("jazz", 0, 1.0), rate, subtype=FORMATS.get(kind), format=form)
    return path


def genre_in(path):
    return tagging._genre_of(tagging._opened(path))


@pytest.mark.parametrize("kind", FORMATS)
def test_the_genre_is_there_and_all_else_as_before(tmp_path, kind):
    path = write(tmp_path / f"x.{kind}", kind)
    os.chmod(path, 0o640)
    os.utime(path, (1_000_000_000, 1_100_000_000))
    before = decode(path)
    assert write_genre(path, "jazz", dry_run=True) == "would be written"
    assert genre_in(path) == []
    assert write_genre(path, "jazz") == WRITTEN
    assert genre_in(path) == ["jazz"]
    after, status = decode(path), path.stat()
    np.testing.assert_array_equal(after.samples, before.samples)
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_mtime == 1_100_000_000
    digest = hashlib.sha256(path.read_bytes()).digest()
    assert write_genre(path, "rock") == KEPT
    assert hashlib.sha256(path.read_bytes()).digest() == digest
    assert write_genre(path, "rock", overwrite=True) == WRITTEN
    assert genre_in(path) == ["rock"]
    assert write_genre(path, "rock", overwrite=True) == KEPT
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_other_tags_stay_and_the_content_decides(tmp_path):
    path = write(tmp_path / "mp3.wav", "mp3")
    tags = mutagen.mp3.MP3(path)
    tags.add_tags()
    tags.tags.add(mutagen.id3.TPE1(encoding=3, text=["Motörhead"]))
    tags.save()
    assert write_genre(path, "metal") == WRITTEN
    assert mutagen.mp3.MP3(path).tags["TPE1"].text == ["Motörhead"]
    assert genre_in(path) == ["metal"]
    assert path.read_bytes()[:3] == b"ID3"


def test_formats_without_tags_are_left_alone(tmp_path):
    path = tmp_path / "x.au"
    soundfile.write(path, tune("jazz", 0, 1.0), SAMPLING_RATE, format="AU")
    content = path.read_bytes()
    assert write_genre(path, "jazz") == NO_TAGS
    assert path.read_bytes() == content


def test_a_link_stays_and_its_file_is_tagged(tmp_path):
    path = write(tmp_path / "real.flac", "flac")
    (tmp_path / "link.flac").symlink_to("real.flac")
    assert write_genre(tmp_path / "link.flac", "jazz") == WRITTEN
    assert (tmp_path / "link.flac").is_symlink()
    assert genre_in(path) == ["jazz"]


@pytest.mark.parametrize("where", ["copy2", "copystat", "_set_genre", "sync_path", "replace"])
def test_whatever_fails_the_file_is_as_it_was(tmp_path, monkeypatch, where):
    path = write(tmp_path / "x.flac", "flac")
    content = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    owner = {"copy2": shutil, "copystat": shutil, "replace": os}.get(where, tagging)
    monkeypatch.setattr(owner, where, full)
    row = {"path": str(path), "genre": "jazz", "probability": 0.9, "error": None}
    tagger = Tagger()
    assert tagger.write(row) == "failed: No space left on device"
    assert tagger.counts == {"failed": 1}
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["x.flac"]


def test_what_a_killed_run_has_left_is_cleared(tmp_path):
    path = write(tmp_path / "x.flac", "flac")
    tagging._beside(path).write_bytes(b"half")
    assert write_genre(path, "jazz") == WRITTEN
    assert [file.name for file in tmp_path.iterdir()] == ["x.flac"]


def test_names_of_any_length_and_alphabet_are_tagged(tmp_path):
    for name in ("\N{CJK UNIFIED IDEOGRAPH-97F3}" * 83 + ".flac", "x" * 250 + ".flac"):
        assert write_genre(write(tmp_path / name, "flac"), "jazz") == WRITTEN


@pytest.mark.parametrize("name", ["FC04/streamed_zero_size.wav", "FC05/cut_download.wav"])
def test_a_header_that_is_wrong_costs_no_audio(field_cases, tmp_path, name):
    """In these mutagen's chunk would lie before the audio, or be taken for audio."""
    path = tmp_path / "x.wav"
    content = (field_cases / name).read_bytes()
    path.write_bytes(content)
    outcome = write_genre(path, "jazz")
    assert outcome == "failed: tags would change its audio, since its header is damaged; write the file again first"
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["x.wav"]


def test_what_mutagen_lets_through_is_one_failed_file(tmp_path, monkeypatch):
    path = write(tmp_path / "x.flac", "flac")

    def broken(copy, genre):
        raise struct.error("unpack requires a buffer of 4 bytes")

    monkeypatch.setattr(tagging, "_set_genre", broken)
    content = path.read_bytes()
    outcome = Tagger().write({"path": str(path), "genre": "jazz", "probability": 0.9, "error": None})
    assert outcome == "failed: its tags cannot be read or written (error: unpack requires a buffer of 4 bytes)"
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["x.flac"]


def test_a_file_that_changes_meanwhile_is_left_alone(tmp_path, monkeypatch):
    path = write(tmp_path / "x.flac", "flac")

    def and_somebody_writes(copy, genre):
        os.utime(path, (5, 5))

    monkeypatch.setattr(tagging, "_set_genre", and_somebody_writes)
    assert write_genre(path, "jazz") == "failed: the file was changed in the meantime"


def test_unsure_and_improbable_genres_are_not_written(tmp_path):
    path = write(tmp_path / "x.flac", "flac")
    tagger = Tagger(above=0.6)
    row = {"path": str(path), "genre": "jazz", "probability": 0.59, "error": None}
    assert tagger.write(row) == tagger.write({**row, "genre": "unsure", "probability": 0.9}) == "unsure"
    assert tagger.write({**row, "error": "not audio"}) is None
    assert genre_in(path) == []
    assert tagger.write({**row, "probability": 0.6}) == WRITTEN


def test_the_command(mgc_hf, finished_run, tmp_path):  # noqa: F811
    (tmp_path / "m").mkdir()
    flac = write(tmp_path / "m" / "a.flac", "flac")
    soundfile.write(tmp_path / "m" / "b.au", tune("jazz", 0, 1.0), SAMPLING_RATE, format="AU")
    words = ("predict", tmp_path / "m", "--model", finished_run, "--output", tmp_path / "o.jsonl", "--write-tags")
    status, _, err = mgc_hf(*words, "--dry-run")
    assert (status, "tags: 1 no tags in this format, 1 would be written" in err) == (0, True), err
    assert genre_in(flac) == []
    (tmp_path / "o.jsonl").unlink()
    status, _, err = mgc_hf(*words)
    assert (status, "tags: 1 no tags in this format, 1 written" in err) == (0, True), err
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [row["tag"] for row in rows] == ["written", "no tags in this format"]
    assert genre_in(flac) == [rows[0]["genre"]]
    status, _, err = mgc_hf("predict", flac, "--model", finished_run, "--dry_run")
    assert (status, "are for --write_tags" in err) == (2, True)
