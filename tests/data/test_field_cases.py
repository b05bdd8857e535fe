"""Small copies of faults that people met in public (`../shared/field-cases`), read by the decoder and the sources."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgc_hf.data.audio import decode, verify
from mgc_hf.data.folder import audio_files
from mgc_hf.data.sources import read_corpus
from mgc_hf.errors import AudioError, SourceError
from tests.data.waves import loudest_frequency

FOLDERS = [
    ("FC01", ""),
    ("FC02", ""),
    ("FC11", ""),
    ("FC23", ""),
    ("FC25", ""),
    ("FC25", "Data"),
    ("FC25", "Data/genres_original"),
    ("FC26", ""),
    ("FC28", ""),
    ("FC29", ""),
    ("FC31", ""),
    ("FC34", ""),
    ("FC34", "metadata.csv"),
    ("FC35", ""),
    ("FC35", "tracks.csv"),
    ("FC37", "genres.tar.gz"),
]


@pytest.fixture(scope="module")
def cases(field_cases: Path) -> Path:
    return field_cases


@pytest.fixture(scope="module")
def expected(cases: Path) -> dict[str, Any]:
    return json.loads((cases / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("case", "source"), FOLDERS)
def test_folders(case: str, source: str, cases: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    corpus = read_corpus(cases / case / source, cache_dir=tmp_path, min_seconds=0.2)
    facts = expected[case]
    assert corpus.dataset.features["genre"].names == facts.get("classes", ["pop"])
    assert len(corpus.dataset) == facts.get("good", 5)  # FC31 does not state its four blues and one polka
    skipped = facts.get("skipped", []) + facts.get("missing", []) + facts.get("never_written", [])
    skipped += ["genres/jazz/link.au"] if case == "FC37" else []
    assert sorted(file.file for file in corpus.skipped) == sorted(skipped)
    assert len(set(corpus.dataset["track_id"])) == len(corpus.dataset)
    assert not Path("/tmp/field_case_escape.au").exists()


def test_spellings_of_gtzans_genres(cases: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    corpus = read_corpus(cases / "FC32/gtzan_like", cache_dir=tmp_path, min_seconds=0.2)
    names = corpus.dataset.features["genre"].names
    assert names == expected["FC32"]["classes_gtzan"]
    assert list(corpus.dataset["genre"]).count(names.index("hiphop")) == 3


def test_a_features_table_is_no_audio(cases: Path) -> None:
    with pytest.raises(SourceError, match="features table, not audio"):
        read_corpus(cases / "FC25/Data/features_30_sec.csv")


def test_files_in_any_spelling_are_found(cases: Path) -> None:
    assert len(audio_files(cases / "FC28")) == 7
    assert len(audio_files(cases / "FC29")) == 9


@pytest.mark.parametrize(
    ("file", "samples", "frequency", "note"),
    [
        ("FC04/streamed_zero_size.wav", 6000, 500, "repaired"),
        ("FC05/cut_download.wav", 12000, 500, "truncated: 1.5 of 30.0 s"),
        ("FC07/field_recorder_96k24.wav", 9600, 1000, ""),
        ("FC08/loud_float64.wav", 4000, 440, "over full scale: peak 2.5"),
        ("FC10/country.00003.au", 8000, 600, ""),
        ("FC11/pop/really_mp3.wav", 22050, 440, "the content is MP3"),
        ("FC11/pop/really_wav.mp3", 22050, 880, "the content is WAV"),
        ("FC11/pop/really_flac.au", 22050, 660, "the content is FLAC"),
        ("FC13/id3_art.mp3", 22050, 440, ""),
        ("FC13/id3_art_then_zeros.mp3", 22050, 440, ""),
        ("FC13/id3v1_tail.mp3", 22050, 440, ""),
        ("FC16/inverted.wav", 8000, 440, "cancel"),
        ("FC22/burst.wav", 22050, 440, ""),
        ("FC22/burst.mp3", 22050, 440, ""),
    ],
)
def test_files(file: str, samples: int, frequency: float, note: str, cases: Path) -> None:
    audio = decode(cases / file)
    assert len(audio.samples) == samples
    assert loudest_frequency(audio.samples, audio.sampling_rate) == pytest.approx(frequency, abs=10)
    assert note in " ".join(audio.notes)
    assert bool(note) == bool(audio.notes)
    if "FC10" in file:
        assert np.abs(audio.samples[:20]).max() < 0.6


def test_levels_and_lengths(cases: Path) -> None:
    wide = decode(cases / "FC07/field_recorder_96k24.wav", 16000)
    assert len(wide.samples) == 1600
    assert np.abs(wide.samples).max() == pytest.approx(0.375, abs=0.005)
    loud, quiet = (decode(cases / "FC08" / name) for name in ("loud_float64.wav", "same_at_half.wav"))
    assert np.abs(loud.samples).max() / np.abs(quiet.samples).max() == pytest.approx(5.0, abs=0.1)
    inverted, reference = (decode(cases / "FC16" / name) for name in ("inverted.wav", "left_only_reference.wav"))
    assert np.array_equal(inverted.samples, reference.samples)
    dead, mono = (decode(cases / "FC17" / name) for name in ("left_live_right_dead.wav", "mono.wav"))
    assert np.array_equal(dead.samples, mono.samples)
    assert dead.notes == ("silent channel left out of the mix: right",)
    for length in (1, 100, 399, 400):
        assert len(decode(cases / f"FC20/n{length}.wav").samples) == length
    assert 1.0 <= decode(cases / "FC22/burst_no_info_frame.mp3").seconds <= 1.11


@pytest.mark.parametrize(
    ("file", "kind", "words"),
    [
        ("FC01/Data/genres_original/jazz/jazz.00054.wav", "unreadable", "not readable"),
        ("FC02/rock/b.wav", "empty", "0 bytes"),
        ("FC05/cut_download.wav", "truncated", "1.5 of 30.0 s"),
        ("FC14/song.m4a", "unsupported", "AAC/M4A"),
        ("FC14/song.aac", "unsupported", "AAC"),
        ("FC14/song.wma", "unsupported", "WMA"),
        ("FC19/zeros.wav", "silent", "silent"),
        ("FC19/one_lsb.wav", "silent", "silent"),
        ("FC19/dc.wav", "silent", "a constant of 0.25"),
        ("FC20/n400.wav", "too_short", "too short"),
    ],
)
def test_files_that_are_left_out(
    file: str, kind: str, words: str, cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # no ffmpeg
    with pytest.raises(AudioError, match=words) as caught:
        verify(cases / file, 0.5)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)
