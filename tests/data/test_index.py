"""The index of a data set: hashes that survive lossless forms, and the join of rows to files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from mgc_hf.data.index import INDEX_COLUMNS, IndexRow, audio_digest, index_rows, is_index, join_audio, read_index
from mgc_hf.data.sources import read_corpus
from mgc_hf.errors import AudioError, OptionError, SourceError
from mgc_hf.options import DataOptions
from tests.data.waves import encode, tone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four clips of two genres."""
    for genre, base in (("polka", 200), ("ska", 300)):
        (tmp_path / "music" / genre).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "music" / genre / f"{number}.wav").write_bytes(encode(tone(base + 10 * number)))
    return tmp_path / "music"


@pytest.fixture
def rows(folder: Path, tmp_path: Path) -> list[IndexRow]:
    """Their rows."""
    return [row for row, _, _ in index_rows(read_corpus(folder, cache_dir=tmp_path / "cache"), None)]


@pytest.mark.parametrize("channels", [1, 2])
def test_samples_have_one_digest_in_every_lossless_form(tmp_path: Path, channels: int) -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, (5000, channels)).astype(np.int16)
    digests = set()
    for suffix in (".wav", ".au", ".flac", ".aiff"):
        soundfile.write(tmp_path / f"x{suffix}", samples, 22050, subtype="PCM_16")
        digests.add(audio_digest(str(tmp_path / f"x{suffix}")))
    soundfile.write(tmp_path / "x.wav", samples.astype(np.int32) << 16, 22050, subtype="PCM_24")
    digests.add(audio_digest((tmp_path / "x.wav").read_bytes()))
    soundfile.write(tmp_path / "x.wav", samples.astype(np.float32) / 2**15, 22050, subtype="FLOAT")
    digests.add(audio_digest(str(tmp_path / "x.wav")))
    assert len(digests) == 1
    soundfile.write(tmp_path / "x.wav", samples, 22051)
    samples[-1, -1] ^= 1
    digests.add(audio_digest(str(tmp_path / "x.wav")))
    soundfile.write(tmp_path / "x.wav", samples, 22050)
    digests.add(audio_digest(str(tmp_path / "x.wav")))
    assert len(digests) == 3


def test_full_scale_is_clipped_not_wrapped(tmp_path: Path) -> None:
    for name, value in (("over", 1.5), ("full", (2**15 - 1) / 2**15)):
        soundfile.write(tmp_path / f"{name}.wav", np.full(100, value), 8000, subtype="FLOAT")
    assert audio_digest(str(tmp_path / "over.wav")) == audio_digest(str(tmp_path / "full.wav"))


def test_rows_describe_what_is_usable_and_what_is_not(folder: Path, tmp_path: Path) -> None:
    (folder / "ska" / "bad.wav").write_bytes(b"no sound")
    corpus = read_corpus(folder, cache_dir=tmp_path / "cache")
    described = {row.track_id: (row, name, content) for row, name, content in index_rows(corpus, {"ska/0": "test"})}
    assert list(described) == ["polka/0", "polka/1", "ska/0", "ska/1", "ska/bad"]
    row, name, content = described["ska/0"]
    assert content == (folder / "ska" / "0.wav").read_bytes()
    assert (row.split, name, row.num_bytes) == ("test", "0.wav", len(content))
    assert described["ska/1"][0].split is None
    row, name, content = described["ska/bad"]
    assert (row.genre, row.num_bytes, row.audio_sha256, content) == ("ska", 8, None, None)
    assert row.fault is not None
    assert row.sha256 is not None
    (folder / "ska" / "0.wav").unlink()
    with pytest.raises(AudioError, match="ska/0.wav: cannot be read"):
        list(index_rows(corpus, None))


def test_gtzans_repeats_are_marked(tmp_path: Path) -> None:
    for name in ("blues.00024", "blues.00028", "jazz.00000"):
        target = tmp_path / "music" / name.split(".")[0] / f"{name}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(tone(100 + int(name[-2:]))))
    rows = {
        row.track_id: row for row, _, _ in index_rows(read_corpus(tmp_path / "music", cache_dir=tmp_path / "c"), None)
    }
    assert rows["blues.00024"].same_title_as == "blues.00028"
    assert rows["blues.00024"].artist == "Robert Johnson"
    assert rows["jazz.00000"].same_title_as is None


def test_one_file_may_serve_two_rows_and_the_first_of_two_files_is_taken(rows: list[IndexRow], folder: Path) -> None:
    twin = replace(rows[0], track_id="polka/twin")
    (folder / "a copy.wav").write_bytes((folder / "polka" / "0.wav").read_bytes())
    clips, faults = join_audio("alice/x", [*rows, twin], folder)
    assert faults == []
    found = {clip.track_id: Path(clip.path or "").relative_to(folder).as_posix() for clip in clips}
    assert found["polka/0"] == found["polka/twin"]
    assert found["ska/1"] == "ska/1.wav"


def test_what_the_index_leaves_out(rows: list[IndexRow], folder: Path) -> None:
    marked = [replace(rows[0], fault="silent"), replace(rows[1], split="train"), *rows[2:]]
    clips, faults = join_audio("alice/x", marked, folder)
    assert [(clip.track_id, clip.part) for clip in clips] == [("polka/1", "train")]
    assert [(fault.file, fault.reason) for fault in faults] == [
        ("polka/0", "marked in the index: silent"),
        ("ska/0", "in no part of the data set's split"),
        ("ska/1", "in no part of the data set's split"),
    ]


def test_nothing_found(rows: list[IndexRow], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="none of its 0 audio files is one of the 4 tracks that alice/x lists"):
        join_audio("alice/x", rows, tmp_path / "empty")


def test_a_table_that_is_no_index(tmp_path: Path) -> None:
    columns = {name: pa.array([None], pa.string()) for name in INDEX_COLUMNS}
    table = pa.table(columns | {"num_bytes": pa.array([1]), "track_id": pa.array(["x"])})
    pq.write_table(table, tmp_path / "x.parquet")
    assert is_index(table.schema)
    assert not is_index(table.schema.append(pa.field("audio", pa.binary())))
    assert not is_index(table.select(["genre"]).schema)
    with pytest.raises(SourceError, match=r"x\.parquet: a row without track_id or genre"):
        read_index([tmp_path / "x.parquet"])


@pytest.mark.parametrize("source", ["demo", "folder"])
def test_audio_is_for_an_index_alone(source: str, folder: Path) -> None:
    with pytest.raises(OptionError, match="is for an index on the Hub"):
        read_corpus(str(folder) if source == "folder" else source, audio=folder)
    with pytest.raises(OptionError, match="--test_audio"):
        DataOptions(test_audio="x")


def test_a_long_list_of_what_is_left_out_is_cut(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        (folder / "ska" / f"bad{number:02d}.wav").write_bytes(b"no sound")
    corpus = read_corpus(folder, cache_dir=tmp_path / "cache")
    assert len(corpus.skipped) == 30
    assert caplog.text.count("not readable as audio") == 20
    assert "... and 10 more" in caplog.text
