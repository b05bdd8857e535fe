"""Who plays, by the tags of files and by their folders, where no table says so."""

import io

import pytest
import soundfile

from mgc_hf.data.sources import load_gtzan, read_corpus
from mgc_hf.data.tags import artist_tag
from tests.data.waves import encode, tone, write_tree


def tagged(artist, kind="WAV", frequency=440.0):
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 8000, 1, format=kind) as file:
        file.artist = artist
        file.write(tone(frequency))
    return buffer.getvalue()


def id3(artist):
    """ID3v2.3 with one frame, TPE1, in UTF-16."""
    text = b"\x01" + artist.encode("utf-16")
    frame = b"TPE1" + len(text).to_bytes(4, "big") + b"\0\0" + text
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame


def id3_v1(artist):
    """ID3v1: 128 bytes at the end of the file."""
    return b"TAG" + b"title".ljust(30, b"\0") + artist.encode("latin-1").ljust(30, b"\0") + bytes(65)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_vorbis_comments_and_info_lists(kind, tmp_path):
    content = tagged("Björk  Guðmundsdóttir ", kind)
    assert artist_tag(content) == "Björk Guðmundsdóttir"
    (tmp_path / "file").write_bytes(content)
    assert artist_tag(tmp_path / "file") == "Björk Guðmundsdóttir"


def test_id3_of_mp3():
    sound = encode(tone(seconds=2.0, sampling_rate=16000), 16000, "MP3")
    assert artist_tag(sound) is None
    assert artist_tag(id3("Björk") + sound) == "Björk"
    assert artist_tag(sound + id3_v1("Nina Simone")) == "Nina Simone"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no audio",
        tagged("Unknown Artist"),
        tagged("  "),
        encode(tone()),
        id3("A")[:9] + b"\xff\xff\xff" + encode(tone()),
    ],
)
def test_what_names_nobody_or_cannot_be_read_is_no_artist(content, tmp_path):
    assert artist_tag(content) is None
    (tmp_path / "file.mp3").write_bytes(content)
    assert artist_tag(str(tmp_path / "file.mp3")) is None
    assert artist_tag(tmp_path / "absent.mp3") is None


def artists(folder, cache):
    dataset = load_gtzan(str(folder), cache_dir=str(cache))
    return dict(zip(dataset["track_id"], dataset["artist"], strict=True))


def test_tags_come_before_folders_and_a_table_before_both(tmp_path):
    folder = write_tree(
        tmp_path / "music",
        {
            "folk/Nick Drake/a.wav": tagged("Nick Drake (live)"),
            "folk/Nick Drake/Pink Moon/b.flac": 220.0,
            "folk/Fairport/c.ogg": tagged("Various Artists", "OGG"),
            "folk/d.wav": 330.0,
            "punk/Ramones/e.mp3": 440.0,
            "punk/Nick Drake/f.wav": 550.0,
            "punk/01/g.wav": 560.0,
            "punk/CD 2/h.wav": 570.0,
            "punk/MP3s/i.wav": 580.0,
        },
    )
    found = {
        "folk/Nick Drake/a": "Nick Drake (live)",
        "folk/Nick Drake/Pink Moon/b": None,
        "folk/Fairport/c": "Fairport",
        "folk/d": None,
        "punk/Ramones/e": "Ramones",
        "punk/Nick Drake/f": None,  # stands below every genre, as `audio` would
        "punk/01/g": None,
        "punk/CD 2/h": None,
        "punk/MP3s/i": None,
    }
    assert artists(folder, tmp_path / "cache") == found
    # and with a genre that he is not in, the folder is his
    write_tree(folder, {"rap/j.wav": 600.0})
    assert artists(folder, tmp_path / "cache")["folk/Nick Drake/Pink Moon/b"] == "Nick Drake"
    rows = ["folk/Nick Drake/a.wav,folk,N. Drake", "punk/Ramones/e.mp3,punk,", "folk/Fairport/c.ogg,folk,"]
    (folder / "metadata.csv").write_text("\n".join(["path,genre,artist", *rows]))
    by_table = artists(folder, tmp_path / "cache")
    assert by_table["folk/Nick Drake/a"] == "N. Drake"
    assert {artist for item, artist in by_table.items() if item != "folk/Nick Drake/a"} == {None}


def test_folders_below_the_parts_of_a_split(tmp_path):
    folder = write_tree(
        tmp_path / "music",
        {
            f"{where}/{number}.wav": 200.0 + 10 * number
            for number, where in enumerate(
                ["folk/train/Drake", "folk/test/Fairport", "punk/train/Ramones/Rocket to Russia", "punk/test/Clash"]
            )
        },
    )
    corpus = read_corpus(str(folder), cache_dir=str(tmp_path / "cache"))
    assert corpus.has_parts
    assert sorted(map(str, corpus.dataset["artist"])) == ["Clash", "Drake", "Fairport", "Ramones"]


def test_gtzan_is_known_by_its_table_alone(tmp_path):
    folder = write_tree(
        tmp_path / "genres", {"blues/blues.00000.wav": tagged("An encoder"), "rock/rock.00015.wav": 300.0}
    )
    found = artists(folder, tmp_path / "cache")
    assert found["blues.00000"] == "John Lee Hooker"


def test_tags_are_read_once_and_then_cached(tmp_path, monkeypatch):
    folder = write_tree(tmp_path / "music", {"folk/a.wav": tagged("Drake"), "punk/b.wav": tagged("Ramones")})
    before = artists(folder, tmp_path / "cache")
    monkeypatch.setattr("mgc_hf.data.arrow.artist_tag", lambda source: pytest.fail("read again"))
    assert artists(folder, tmp_path / "cache") == before == {"folk/a": "Drake", "punk/b": "Ramones"}
