"""From files to clips: ids, genres and artists."""

import logging
import os
from pathlib import Path

import pytest

from mgc_hf.data.facts import gtzan_artists
from mgc_hf.data.listing import (
    Clip,
    Fault,
    Listing,
    default_track_id,
    finish,
    is_audio_name,
    is_gtzan,
    is_ignored,
    make_clip,
    part_name,
    unique_track_ids,
)
from mgc_hf.errors import SourceError


def ids_of(*names: str) -> list[str]:
    return unique_track_ids([Clip(name, "x") for name in names])


def gtzan(genre: str, number: int, **values: str) -> Clip:
    return Clip(f"{genre}/{genre}.{number:05d}.wav", genre, **values)


def test_track_ids() -> None:
    assert default_track_id("genres/blues/blues.00012.au") == "blues.00012"
    assert default_track_id("rock/album/01.first.wav") == "rock/album/01.first"
    assert ids_of("a/1.wav", "b/1.wav", "b/1.flac") == ["a/1", "b/1.wav", "b/1.flac"]
    assert ids_of("a/blues.00000.wav", "b/blues.00000.wav") == ["a/blues.00000.wav", "b/blues.00000.wav"]
    assert ids_of("a.wav", "a.flac", "a.wav.mp3") == ["a.wav", "a.flac", "a.wav.mp3"]
    with pytest.raises(SourceError, match=r"a\.wav: listed more than once"):
        ids_of("a.wav", "a.wav")


def test_finish_sorts_and_names() -> None:
    clips = [Clip("Hip Hop/b.wav", "Hip Hop"), Clip("Blues/a.wav", "Blues")]
    done = finish(Listing("x", clips))
    assert [(clip.track_id, clip.genre) for clip in done.clips] == [("Blues/a", "blues"), ("Hip Hop/b", "hiphop")]
    assert done.genres == ["blues", "hiphop"]
    other = finish(Listing("x", [*clips, Clip("Polka/c.wav", "Polka")]))
    assert other.genres == ["Blues", "Hip Hop", "Polka"]


def test_merged_spellings_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    names = ("Hip-Hop", "hip hop", "hiphop", "rock")
    with caplog.at_level(logging.WARNING):
        done = finish(Listing("x", [Clip(f"{name}/a.wav", name) for name in names]))
    assert done.genres == ["hiphop", "rock"]
    assert [record.getMessage() for record in caplog.records] == [
        "genres Hip-Hop, hip hop, hiphop are read as one: hiphop"
    ]


def test_nothing_found_is_an_error_with_the_faults() -> None:
    with pytest.raises(SourceError, match=r"x: no audio found; a\.wav: broken"):
        finish(Listing("x", [], [Fault("a.wav", "broken")]))


def test_artists_are_of_gtzan_alone() -> None:
    real = finish(Listing("x", [gtzan("blues", 0), gtzan("country", 2), gtzan("rock", 1)]))
    assert real.clips[0].artist == "John Lee Hooker"
    assert real.clips[1].artist is None
    pieces = finish(Listing("x", [Clip("blues/blues.00000.3.wav", "blues")]))
    assert (pieces.clips[0].track_id, pieces.clips[0].artist) == ("blues.00000.3", "John Lee Hooker")
    own = finish(Listing("x", [gtzan("blues", 0, artist="Someone"), gtzan("rock", 1)]))
    assert own.clips[0].artist == "Someone"
    wrong = [Clip(f"rock/blues.{n:05d}.wav", "rock") for n in range(5)]
    assert {clip.artist for clip in finish(Listing("x", wrong)).clips} == {None}
    mixed = [gtzan("blues", 0), Clip("blues/mine.wav", "blues"), Clip("rock/mine.wav", "rock")]
    assert {clip.artist for clip in finish(Listing("x", mixed)).clips} == {None}
    shuffled = [gtzan("blues", 0), gtzan("rock", 1), Clip("rock/blues.00002.wav", "rock")]
    assert {clip.artist for clip in finish(Listing("x", shuffled)).clips} == {None}
    foreign = [gtzan("blues", 0), Clip("polka/a.wav", "polka")]
    assert {clip.artist for clip in finish(Listing("x", foreign)).clips} == {None}


def test_two_files_of_an_id_are_gtzans_track() -> None:
    clips = [Clip(f"{part}/blues/blues.0000{number}.wav", "blues") for part in ("a", "b") for number in range(3)]
    found = finish(Listing("twice", clips)).clips
    assert len({clip.track_id for clip in found}) == 6
    assert is_gtzan(found)
    artists = gtzan_artists()
    assert [clip.artist for clip in found] == [artists.get(f"blues.0000{number}") for number in range(3)] * 2


def test_one_relabelled_track_keeps_the_others_artists() -> None:
    clips = [gtzan("blues", number) for number in range(20)] + [Clip("rock/pop.00037.wav", "rock")]
    done = finish(Listing("x", clips))
    assert is_gtzan(done.clips)
    assert done.clips[0].artist == "John Lee Hooker"
    assert (done.clips[-1].track_id, done.clips[-1].artist) == ("pop.00037", None)


def test_parts_of_a_listing() -> None:
    assert not Listing("x", [gtzan("blues", 0), gtzan("blues", 1, part="train")]).has_parts
    assert Listing("x", [gtzan("blues", 0, part="test"), gtzan("blues", 1, part="train")]).has_parts
    assert [part_name(name) for name in ("Train", " valid ", "val", "dev", "TESTING", "rock")] == [
        "train",
        "validation",
        "validation",
        "validation",
        "test",
        None,
    ]


def test_names_that_are_audio_and_names_that_are_not() -> None:
    assert all(map(is_audio_name, ("a.WAV", "b.Mp3", "c.d.flac", "x.au", "song.m4a")))
    assert not any(map(is_audio_name, ("a.csv", "wav", "a.png", "a.wav.txt")))
    assert all(map(is_ignored, (".hidden.wav", "._a.wav", "__MACOSX", "Thumbs.db", "Desktop.ini")))
    assert not any(map(is_ignored, ("a.wav", "-rf.wav", " lead.wav")))


def test_files_that_cannot_be_clips(tmp_path: Path) -> None:
    (tmp_path / "good.wav").write_bytes(b"x")
    good = make_clip(tmp_path / "good.wav", "good.wav", "rock")
    assert isinstance(good, Clip)
    assert good.stamp == (1, (tmp_path / "good.wav").stat().st_mtime_ns)
    os.symlink("nowhere", tmp_path / "link.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    reasons = {
        "link.wav": "cannot be read",
        "pipe.wav": "not a regular file",
        os.fsdecode(b"\xff.wav"): "not valid UTF-8",
    }
    for name, reason in reasons.items():
        fault = make_clip(tmp_path / name, name, "rock")
        assert isinstance(fault, Fault)
        assert reason in fault.reason
        fault.file.encode()
