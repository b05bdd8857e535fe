"""Parquet files of audio: columns found, mapped or asked for; labels by name; audio by row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mgc_hf.data.listing import Clip, Fault
from mgc_hf.data.parquet import list_parquet, read_audio
from mgc_hf.errors import SourceError
from tests.data.parquet_files import parquet

SOUNDS = [f"sound {number}".encode() for number in range(20)]


def listed(
    tmp_path: Path, content: bytes, columns: dict[str, str] | None = None, split: str | None = "train"
) -> tuple[list[Clip], list[Fault]]:
    path = tmp_path / "data.parquet"
    path.write_bytes(content)
    return list_parquet("user/x", [(path, split)], columns)


def test_gtzans_own_layout(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = ["/root/cache/genres/blues/blues.00000.wav", "/root/cache/genres/rock/rock.00007.wav", None]
    clips, faults = listed(tmp_path, parquet(SOUNDS[:3], [0, 1, 1], paths=paths, names=["blues", "rock"]))
    assert [(clip.name, clip.genre, clip.row) for clip in clips] == [
        ("blues.00000.wav", "blues", 0),
        ("rock.00007.wav", "rock", 1),
        ("train/00002", "rock", 2),
    ]
    assert faults == []
    assert {clip.part for clip in clips} == {None}
    assert caplog.records == []


def test_columns_are_guessed_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = parquet(SOUNDS[:2], [1, 0], names=["jazz", "rock"], audio="sound", label="style")
    clips, _ = listed(tmp_path, content)
    assert [clip.genre for clip in clips] == ["rock", "jazz"]
    assert [record.getMessage() for record in caplog.records] == [
        "user/x: column 'sound' is read as audio",
        "user/x: column 'style' is read as genre",
    ]


def test_columns_are_mapped(tmp_path: Path) -> None:
    content = parquet(SOUNDS[:2], ["Rock", "Jazz"], label="mood", who=["A", ""], number=[7, 8], marked=False)
    columns = {"genre": "mood", "artist": "who", "track_id": "number"}
    clips, _ = listed(tmp_path, content, columns)
    assert [(clip.genre, clip.artist, clip.track_id) for clip in clips] == [("Rock", "A", "7"), ("Jazz", None, "8")]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (None, r"user/x: which column is genre\? Say it by columns=\{'genre': \.\.\.\}; its columns are: audio"),
        ({"genre": "nope"}, r"user/x: no column nope; its columns are: audio \(struct.*, mood \(string\)"),
        ({"label": "mood"}, "label is none of ours; allowed are audio, genre, track_id, artist"),
        ({"genre": "mood", "audio": "mood"}, "column 'mood' holds no audio files"),
    ],
)
def test_columns_that_cannot_be_told(tmp_path: Path, columns: dict[str, str] | None, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        listed(tmp_path, parquet(SOUNDS[:2], ["Rock", "Jazz"], label="mood"), columns)


def test_labels_that_are_missing(tmp_path: Path) -> None:
    clips, faults = listed(tmp_path, parquet(SOUNDS[:4], [0, None, -1, 5], names=["blues", "rock"]))
    assert [clip.name for clip in clips] == ["0.wav"]
    assert [(fault.file, fault.reason) for fault in faults] == [(f"{n}.wav", "has no genre") for n in (1, 2, 3)]


def parts_of(tmp_path: Path, splits: Sequence[str]) -> list[Any]:
    files = []
    for number, split in enumerate(splits):
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(parquet([b"x"], ["rock"], paths=["same.wav"]))
        files.append((path, split))
    return [(clip.name, clip.part) for clip in list_parquet("user/x", files, None)[0]]


def test_splits(tmp_path: Path) -> None:
    assert parts_of(tmp_path, ["train", "valid", "test"]) == [
        ("train/00000/same.wav", "train"),
        ("valid/00000/same.wav", "validation"),
        ("test/00000/same.wav", "test"),
    ]
    assert parts_of(tmp_path, ["train", "fold1"]) == [("train/00000/same.wav", None), ("fold1/00000/same.wav", None)]
    assert parts_of(tmp_path, ["train"]) == [("same.wav", None)]


def test_audio_by_row(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(parquet([*SOUNDS[:19], None], ["rock"] * 20))
    found = list(read_audio(str(path), [19, 0, 7, 8], "audio"))
    assert found == [*((number, SOUNDS[number]) for number in (0, 7, 8)), (19, None)]
    assert list(read_audio(str(path), [], "audio")) == []
