"""`load_gtzan`: every kind of source, the columns, the cache, and what is left out."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest

from mgc_hf.data import arrow, sources
from mgc_hf.data.audio import decode
from mgc_hf.data.listing import Clip, Listing
from mgc_hf.data.sources import Corpus, load_gtzan, read_corpus
from mgc_hf.errors import AudioError, MgcHfError, OptionError, SourceError
from mgc_hf.labels import GTZAN_GENRES
from mgc_hf.results import SkippedFile
from tests.data.parquet_files import parquet
from tests.data.waves import encode, loudest_frequency, tone, wave, write_tree

ROOT = Path(__file__).parents[2]
SUBSET = ROOT.parent / "shared" / "gtzan-subset"
needs_subset = pytest.mark.skipif(not SUBSET.is_dir(), reason="../shared/gtzan-subset is not here")

BAD = {
    "jazz/noise.wav": (b"RIFX not audio at all", "not readable as audio"),
    "jazz/empty.wav": (b"", "empty (0 bytes)"),
    "jazz/short.wav": (encode(tone(seconds=0.4)), "too short (0.40 s; at least 0.5 s are needed)"),
    "jazz/silent.wav": (encode(tone(peak=0.0)), "silent"),
    "jazz/cut.wav": (wave(tone(), stated_bytes=480_000), "truncated: 1.0 of 30.0 s"),
    "jazz/song.m4a": (b"\0\0\0\x18ftypM4A " + bytes(100), "AAC/M4A is not supported"),
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def cache(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


def folder(tmp_path: Path, **more: float | bytes) -> Path:
    return write_tree(tmp_path / "mine", {"blues/a.wav": 220, "jazz/b.flac": 330, "jazz/c.mp3": 440, **more})


def genres_of(corpus: Corpus) -> list[str]:
    feature = corpus.dataset.features["genre"]
    return [feature.int2str(label) for label in corpus.dataset["genre"]]


@needs_subset
def test_gtzan_subset(cache: str) -> None:
    began = time.monotonic()
    dataset = load_gtzan(SUBSET, cache_dir=cache)
    first = time.monotonic() - began
    assert dataset.column_names == ["audio", "genre", "track_id", "artist"]
    assert dataset.features["audio"] == datasets.Audio(decode=False)
    assert dataset.features["genre"] == datasets.ClassLabel(names=list(GTZAN_GENRES))
    assert dataset.features["track_id"] == dataset.features["artist"] == datasets.Value("string")
    assert dataset["track_id"] == [f"{genre}.{number:05d}" for genre in GTZAN_GENRES for number in range(7)]
    assert dataset["genre"] == [label for label in range(10) for _ in range(7)]
    assert dataset[0]["artist"] == "John Lee Hooker"
    assert sum(artist is not None for artist in dataset["artist"]) >= 60
    assert 15 <= decode(dataset[69]["audio"]["path"], 22050).seconds <= 19
    began = time.monotonic()
    again = load_gtzan(SUBSET, cache_dir=cache)
    assert again._fingerprint == dataset._fingerprint
    assert time.monotonic() - began < first


def test_a_folder(tmp_path: Path, cache: str, caplog: pytest.LogCaptureFixture) -> None:
    corpus = read_corpus(folder(tmp_path), cache_dir=cache)
    assert (corpus.name, corpus.revision, corpus.is_demo, corpus.has_parts) == ("mine", None, False, False)
    assert corpus.skipped == []
    assert genres_of(corpus) == ["blues", "jazz", "jazz"]
    assert corpus.dataset["track_id"] == ["blues/a", "jazz/b", "jazz/c"]
    assert corpus.dataset[1]["audio"] == {"bytes": None, "path": str(tmp_path / "mine/jazz/b.flac")}
    assert set(corpus.dataset["artist"]) == {None}
    assert caplog.records == []


def test_map_caches_and_keeps_the_audio_column(tmp_path: Path, cache: str) -> None:
    source = folder(tmp_path)
    mapped = load_gtzan(source, cache_dir=cache).map(_length)
    assert mapped.features["audio"] == datasets.Audio(decode=False)
    written = Path(mapped.cache_files[0]["filename"]).stat().st_mtime_ns
    again = load_gtzan(source, cache_dir=cache).map(_length)
    assert again.cache_files == mapped.cache_files
    assert Path(again.cache_files[0]["filename"]).stat().st_mtime_ns == written


def _length(row: dict[str, Any]) -> dict[str, Any]:
    return {"length": len(row["track_id"])}


def test_bad_audio_is_left_out_with_one_warning(
    tmp_path: Path, cache: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # no ffmpeg
    source = folder(tmp_path, **{name: content for name, (content, _) in BAD.items()})
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        corpus = read_corpus(source, cache_dir=cache)
        assert corpus.dataset["track_id"] == ["blues/a", "jazz/b", "jazz/c"]
        assert [file.file for file in corpus.skipped] == sorted(BAD)
        assert all(file.reason.startswith(BAD[file.file][1]) for file in corpus.skipped)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        text = caplog.records[0].getMessage()
        assert text.startswith("mine: of 9 files, 6 left out:\n  jazz/cut.wav: truncated: 1.0 of 30.0 s\n")
        assert all(f"\n  {file.file}: {file.reason}" in text for file in corpus.skipped)


def test_bad_audio_can_be_an_error(tmp_path: Path, cache: str) -> None:
    source = folder(tmp_path, **{name: content for name, (content, _) in BAD.items()})
    with pytest.raises(AudioError, match=r"jazz/cut\.wav: truncated: 1\.0 of 30\.0 s") as caught:
        read_corpus(source, cache_dir=cache, on_bad_audio="error")
    assert caught.value.kind == "truncated"
    assert caught.value.path == str(source / "jazz/cut.wav")
    good = folder(tmp_path / "good", **{"loose.wav": encode(tone())})  # left out, but no bad audio
    corpus = read_corpus(good, cache_dir=cache, on_bad_audio="error")
    assert (len(corpus.dataset), corpus.skipped) == (
        3,
        [SkippedFile("loose.wav", "lies outside the genre folders")],
    )


def test_min_seconds_is_an_option(tmp_path: Path, cache: str) -> None:
    source = folder(tmp_path, **{"jazz/short.wav": encode(tone(seconds=0.4))})
    assert len(read_corpus(source, cache_dir=cache).dataset) == 3
    assert len(read_corpus(source, cache_dir=cache, min_seconds=0.3).dataset) == 4


def test_a_class_without_usable_audio_is_no_class(
    tmp_path: Path, cache: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = folder(tmp_path, **{"polka/a.wav": b"x", "ska/a.wav": b"", "jazz/d.wav": b""})
    corpus = read_corpus(source, cache_dir=cache)
    assert corpus.dataset.features["genre"].names == ["blues", "jazz"]
    assert genres_of(corpus) == ["blues", "jazz", "jazz"]
    assert sorted(file.file for file in corpus.skipped) == ["jazz/d.wav", "polka/a.wav", "ska/a.wav"]
    assert "mine: no usable audio is left of polka, ska; left out as a class" in caplog.text


def test_nothing_usable_is_an_error(tmp_path: Path, cache: str) -> None:
    source = write_tree(tmp_path / "x", {"blues/a.wav": b"", "jazz/a.wav": b""})
    with pytest.raises(SourceError, match=r"x: none of its 2 files is usable; first: blues/a\.wav: empty"):
        read_corpus(source, cache_dir=cache)


def test_a_changed_file_misses_the_cache(tmp_path: Path, cache: str) -> None:
    source = folder(tmp_path)
    first = read_corpus(source, cache_dir=cache)
    same = read_corpus(source, cache_dir=cache)
    assert same.dataset._fingerprint == first.dataset._fingerprint
    (source / "jazz/b.flac").write_bytes(b"broken")
    changed = read_corpus(source, cache_dir=cache)
    assert changed.dataset._fingerprint != first.dataset._fingerprint
    assert changed.skipped == [SkippedFile("jazz/b.flac", "not readable as audio (Format not recognised)")]
    (source / "jazz/b.flac").write_bytes(encode(tone(), kind="FLAC"))
    assert read_corpus(source, cache_dir=cache).skipped == []


def test_a_new_version_of_the_decoder_misses_the_cache(
    tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path)
    first = load_gtzan(source, cache_dir=cache)._fingerprint
    assert load_gtzan(source, cache_dir=cache)._fingerprint == first
    monkeypatch.setattr(arrow, "AUDIO_VERSION", arrow.AUDIO_VERSION + 1)
    assert load_gtzan(source, cache_dir=cache)._fingerprint != first


def test_another_process_reads_the_cache(tmp_path: Path, cache: str) -> None:
    """Same fingerprint and cache file there, and no clip is decoded."""
    source = folder(tmp_path, **{"jazz/bad.wav": b"x"})
    here = load_gtzan(source, cache_dir=cache)
    code = (
        "import json, sys\nfrom mgc_hf.data import arrow\n"
        "arrow.verify = lambda *_: sys.exit('decoded again')\n"
        "from mgc_hf.data.sources import load_gtzan\n"
        "data = load_gtzan(sys.argv[1], cache_dir=sys.argv[2])\n"
        "print(json.dumps([data._fingerprint, data.cache_files, list(data['track_id'])]))\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, source, cache],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"},
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [here._fingerprint, here.cache_files, list(here["track_id"])]


def test_a_split_of_the_source(tmp_path: Path, cache: str) -> None:
    source = write_tree(tmp_path / "x", {"train/rock/a.wav": 220, "valid/rock/b.wav": 330, "test/jazz/c.wav": 440})
    corpus = read_corpus(source, cache_dir=cache)
    assert corpus.has_parts
    assert corpus.dataset.column_names == ["audio", "genre", "track_id", "artist", "part"]
    assert dict(zip(corpus.dataset["track_id"], corpus.dataset["part"], strict=True)) == {
        "train/rock/a": "train",
        "valid/rock/b": "validation",
        "test/jazz/c": "test",
    }


def test_a_csv(tmp_path: Path, cache: str) -> None:
    source = folder(tmp_path)
    (source / "list.csv").write_text("path,genre,split\nblues/a.wav,soul,train\njazz/b.flac,swing,test\n")
    corpus = read_corpus(source / "list.csv", cache_dir=cache)
    assert (corpus.name, genres_of(corpus), list(corpus.dataset["part"])) == (
        "list.csv",
        ["soul", "swing"],
        ["train", "test"],
    )


def test_an_archive(tmp_path: Path, cache: str) -> None:
    import tarfile

    path = tmp_path / "genres.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder(tmp_path), "genres")
    corpus = read_corpus(path, cache_dir=cache)
    assert (corpus.name, list(corpus.dataset["track_id"])) == ("genres.tar.gz", ["blues/a", "jazz/b", "jazz/c"])
    assert all(row["path"].startswith(cache) for row in corpus.dataset["audio"])
    assert load_gtzan(path, cache_dir=cache)._fingerprint == corpus.dataset._fingerprint


def test_parquet_audio_stays_with_its_label(tmp_path: Path, cache: str) -> None:
    """Names that sort otherwise than rows, a bad row and rows left out must not shift the audio."""
    frequencies = (200, 250, 300, 350, 400, 450)
    sounds: list[bytes | None] = [encode(tone(frequency)) for frequency in frequencies]
    sounds[2], sounds[4] = b"bad", None
    labels = ["g200", None, "g300", "g350", "g400", "g450"]
    path = tmp_path / "x.parquet"
    path.write_bytes(parquet(sounds, labels, paths=[f"{9 - number}.wav" for number in range(6)]))
    clips, faults = sources.list_parquet("x", [(path, None)], None)
    corpus = sources._to_corpus(
        sources.finish(Listing("x", clips, faults)), sources._Cache(cache), 0.5, "skip", "audio"
    )
    assert genres_of(corpus) == ["g200", "g350", "g450"]
    for row, genre in zip(corpus.dataset, genres_of(corpus), strict=True):
        audio = decode(row["audio"]["bytes"])
        assert loudest_frequency(audio.samples, 8000) == pytest.approx(float(genre[1:]), abs=1)
    assert [(file.file, file.reason.split(" (")[0]) for file in corpus.skipped] == [
        ("8.wav", "has no genre"),
        ("7.wav", "not readable as audio"),
        ("5.wav", "its audio is not in the Parquet file"),
    ]


def test_demo(cache: str) -> None:
    pytest.importorskip("mgc_hf.data.demo")
    options: dict[str, Any] = {"cache_dir": cache, "demo_clips_per_genre": 1, "demo_seconds": 2.0}
    corpus = read_corpus("demo", **options)
    assert (corpus.name, corpus.is_demo, corpus.revision, corpus.skipped) == ("demo", True, None, [])
    assert corpus.dataset.column_names == ["audio", "genre", "track_id", "artist"]
    assert corpus.dataset["track_id"] == [f"{genre}.00000" for genre in GTZAN_GENRES]
    assert set(corpus.dataset["artist"]) == {None}  # named like GTZAN's, and yet not by its artists
    audio = decode(corpus.dataset[0]["audio"]["bytes"])
    assert (audio.sampling_rate, audio.seconds) == (22050, 2.0)
    assert load_gtzan("demo", **options)._fingerprint == corpus.dataset._fingerprint
    assert load_gtzan("demo", demo_seed=1, **options)._fingerprint != corpus.dataset._fingerprint
    with pytest.raises(OptionError, match="demo corpus: clips_per_genre=0"):
        load_gtzan("demo", demo_clips_per_genre=0)


def test_paths_that_do_not_exist_are_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources.hub, "find_data", lambda *_: pytest.fail("asked the Hub"))
    (tmp_path / "data").mkdir()
    os.symlink("gone", tmp_path / "dead")
    paths = (
        "./x",
        "/nowhere/x",
        "x/y/z",
        "~/x",
        "x\\y",
        "mydata",
        "x/genres.tar.gz",
        "x/list.CSV",
        "x/a.wav",
        "",
        "../x",
    )
    for path in (*paths, Path("owner/name")):
        with pytest.raises(SourceError, match="no such file or folder; give a folder"):
            load_gtzan(path)
    with pytest.raises(
        SourceError, match=r"data/x: no such file or folder, though data exists; .*hf://datasets/data/x"
    ):
        load_gtzan("data/x")
    with pytest.raises(SourceError, match="dead: a link to nothing"):
        load_gtzan("dead")
    with pytest.raises(SourceError, match="not a Hub data set; hf://datasets/OWNER/NAME is one"):
        load_gtzan("hf://datasets/x")


def test_files_that_are_no_source(tmp_path: Path) -> None:
    files = {
        "a.wav": "one audio file is no data set",
        "a.tar.gz": "no tar archive, or a damaged one",
        "a.zip": "neither a folder, a tar archive nor a CSV",
    }
    for name, words in files.items():
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(SourceError, match=words):
            load_gtzan(tmp_path / name)


def test_options_out_of_range() -> None:
    for options, words in (
        ({"on_bad_audio": "ignore"}, "on_bad_audio='ignore'"),
        ({"min_seconds": -1}, "min_seconds=-1"),
    ):
        with pytest.raises(OptionError, match=words):
            read_corpus("demo", **options)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        load_gtzan("demo", min_second=1)


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(
        SourceError, match=r"cache: the dataset cannot be written here .*name another folder by cache_dir"
    ):
        load_gtzan(folder(tmp_path), cache_dir=tmp_path / "cache")


def test_without_a_decoder_nothing_is_skipped(tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AudioError("a.wav", "libsndfile does not load", "environment")

    monkeypatch.setattr(arrow, "verify", broken)
    with pytest.raises(AudioError, match="libsndfile does not load"):
        load_gtzan(folder(tmp_path), cache_dir=cache)


def test_a_bug_keeps_its_own_error(tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "verify", lambda *_: 1 / 0)
    with pytest.raises(Exception, match="generat") as caught:
        load_gtzan(folder(tmp_path), cache_dir=cache)
    assert not isinstance(caught.value, MgcHfError)


def test_clips_survive_the_specification() -> None:
    clip = Clip("a.wav", "rock", "a", None, "train", "/x/a.wav", None, (1, 2))
    rows = list(arrow._clip_items([json.loads(json.dumps(vars(clip)))], None))
    assert rows == [(clip, None)]


def test_warnings_come_from_our_loggers(tmp_path: Path, cache: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read_corpus(folder(tmp_path, **{"jazz/x.wav": b""}), cache_dir=cache)
    assert {record.name for record in caplog.records} == {"mgc_hf.data.sources"}
