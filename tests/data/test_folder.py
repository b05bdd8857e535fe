"""The folder walker: the known layouts, any other tree, its droppings, its splits and its odd names."""

import os
from pathlib import Path

import pytest

from mgc_hf.data.folder import audio_files, list_folder
from mgc_hf.data.listing import Listing, finish
from mgc_hf.errors import SourceError
from tests.data.waves import encode, tone, write_tree

SOUND = encode(tone(seconds=0.1))


def tree(root: Path, *names: str) -> Path:
    return write_tree(root, dict.fromkeys(names, SOUND))


def summary(listing: Listing) -> list[tuple[str, str]]:
    return [(clip.genre, clip.name) for clip in sorted(listing.clips, key=lambda clip: clip.name)]


def test_the_layouts_of_gtzan_agree_from_every_folder_above(tmp_path: Path) -> None:
    files = ("blues/blues.00000.au", "hiphop/hiphop.00000.au")
    tree(tmp_path / "marsyas", *(f"genres/{name}" for name in files))
    tree(tmp_path / "kaggle", *(f"Data/genres_original/{name}" for name in files))
    write_tree(
        tmp_path / "kaggle/Data",
        {
            "images_original/blues/blues00000.png": b"\x89PNG",
            "features_30_sec.csv": b"filename,length,chroma_stft_mean,label\nblues.00000.wav,661794,0.35,blues\n",
        },
    )
    tree(tmp_path / "plain", *files)
    roots = ("marsyas", "marsyas/genres", "kaggle", "kaggle/Data", "kaggle/Data/genres_original", "plain")
    for root in roots:
        listing = list_folder(tmp_path / root)
        assert summary(listing) == [("blues", files[0]), ("hiphop", files[1])], root
        assert listing.faults == []
        name = Path(root).name
        assert listing.name == {"genres": "marsyas", "genres_original": "Data"}.get(name, name)
        assert [clip.track_id for clip in finish(listing).clips] == ["blues.00000", "hiphop.00000"]


def test_the_name_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree(tmp_path / "mine", "blues/a.wav", "rock/a.wav"))
    listing = list_folder(".")
    assert listing.name == "mine"
    assert listing.clips[0].path == str(tmp_path / "mine/blues/a.wav")


def test_droppings_are_ignored_quietly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tree(tmp_path, "blues/a.wav", "rock/a.WAV", "blues/._a.wav", "._b.wav", "__MACOSX/blues/a.wav", ".git/x/a.wav")
    write_tree(tmp_path, {".DS_Store": b"x", "rock/Thumbs.db": b"x", "rock/desktop.ini": b"x", "rock/notes.txt": b"x"})
    listing = list_folder(tmp_path)
    assert summary(listing) == [("blues", "blues/a.wav"), ("rock", "rock/a.WAV")]
    assert listing.faults == []
    assert caplog.records == []


def test_albums_inside_genres(tmp_path: Path) -> None:
    names = ("blues/01.wav", "blues/live/01.wav", "rock/band_a/album/01.wav", "rock/band_b/01.wav")
    listing = finish(list_folder(tree(tmp_path, *names)))
    assert summary(listing) == [(name.split("/")[0], name) for name in names]
    assert [clip.track_id for clip in listing.clips] == [name[:-4] for name in names]


def test_one_genre_of_gtzan_with_albums_is_no_container(tmp_path: Path) -> None:
    assert summary(list_folder(tree(tmp_path, "Rock/band/1.wav", "Rock/duo/1.wav")))[0][0] == "Rock"


def test_empty_genres_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tree(tmp_path, "blues/a.wav", "polka/a.wav")
    write_tree(tmp_path, {"ska/.gitkeep": b"", "ska/cover.jpg": b"x"})
    assert {clip.genre for clip in list_folder(tmp_path).clips} == {"blues", "polka"}
    assert [record.getMessage() for record in caplog.records] == [f"{tmp_path}: no audio in the folder ska; left out"]


def test_loose_files_are_faults(tmp_path: Path) -> None:
    listing = list_folder(tree(tmp_path, "intro.wav", "genres/blues/a.wav", "genres/rock/a.wav", "genres/b.wav"))
    assert len(listing.clips) == 2
    assert [(fault.file, fault.kind) for fault in listing.faults] == [
        ("intro.wav", "left_out"),
        ("genres/b.wav", "left_out"),
    ]


def test_other_audio_beside_the_genres_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    listing = list_folder(tree(tmp_path, "genres/blues/a.wav", "genres/rock/a.wav", "stems/x.wav"))
    assert {clip.genre for clip in listing.clips} == {"blues", "rock"}
    assert "left out beside it: stems" in caplog.text


@pytest.mark.parametrize("names", [("train", "valid", "test"), ("Training", "val", "Testing")])
def test_a_split_by_folders(tmp_path: Path, names: tuple[str, ...]) -> None:
    listing = list_folder(tree(tmp_path / "x", *(f"{name}/blues/{name}.wav" for name in names)))
    assert {clip.name: clip.part for clip in listing.clips} == {
        f"{name}/blues/{name}.wav": part for name, part in zip(names, ("train", "validation", "test"), strict=True)
    }
    assert {clip.genre for clip in listing.clips} == {"blues"}
    assert listing.has_parts


def test_a_split_below_a_container_and_containers_below_a_split(tmp_path: Path) -> None:
    listing = list_folder(
        tree(tmp_path, "data/train/audio/rock/a.wav", "data/train/audio/jazz/a.wav", "data/test/rock/b.wav")
    )
    assert {(clip.genre, clip.part) for clip in listing.clips} == {
        ("rock", "train"),
        ("jazz", "train"),
        ("rock", "test"),
    }


def test_a_single_part_is_no_split(tmp_path: Path) -> None:
    listing = list_folder(tree(tmp_path, "train/rock/a.wav", "train/jazz/a.wav"))
    assert {clip.genre for clip in listing.clips} == {"rock", "jazz"}
    assert not listing.has_parts


def test_parts_beside_genres_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="test, train look like the parts of a split, but extra"):
        list_folder(tree(tmp_path, "train/rock/a.wav", "test/rock/a.wav", "extra/rock/a.wav"))
    with pytest.raises(SourceError, match="1 audio files lie in no genre folder"):
        list_folder(tree(tmp_path / "y", "train/rock/a.wav", "test/a.wav"))


def test_a_genre_may_be_called_test(tmp_path: Path) -> None:
    assert {clip.genre for clip in list_folder(tree(tmp_path, "test/a.wav", "rock/a.wav")).clips} == {"test", "rock"}


def test_odd_names_stay_as_they_are(tmp_path: Path) -> None:
    names = [
        "caf\u00e9 1.wav",
        "cafe\u0301 2.wav",
        "音楽 ♫ [1].wav",
        "a'b\"c $HOME;.wav",
        "-rf.wav",
        "x" * 240 + ".wav",
    ]
    names += [" lead.wav", "tab\there.wav", "~.wav", "line\nbreak.wav"]
    genre = "m\u00fasica pop"
    listing = finish(list_folder(tree(tmp_path, *(f"{genre}/{name}" for name in names), "rock/r.wav")))
    assert {clip.name for clip in listing.clips} == {*(f"{genre}/{name}" for name in names), "rock/r.wav"}
    assert listing.genres == [genre, "rock"]
    assert all(Path(clip.path or "").is_file() for clip in listing.clips)


def test_a_name_that_is_not_utf_8_is_a_fault(tmp_path: Path) -> None:
    tree(tmp_path, "rock/a.wav", "blues/a.wav")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/rock/\xff.wav")).write_bytes(SOUND)
    assert [fault.file for fault in list_folder(tmp_path).faults] == ["rock/\\xff.wav"]


def test_links_are_followed_by_their_own_names_and_loops_end(tmp_path: Path) -> None:
    tree(tmp_path, "store/1.wav", "store/2.wav", "lib/rock/a.wav")
    os.symlink(tmp_path / "store", tmp_path / "lib/blues")
    os.symlink(tmp_path / "lib", tmp_path / "lib/rock/loop")
    os.symlink("gone.wav", tmp_path / "lib/rock/dead.wav")
    listing = list_folder(tmp_path / "lib")
    assert summary(listing) == [("blues", "blues/1.wav"), ("blues", "blues/2.wav"), ("rock", "rock/a.wav")]
    assert listing.clips[0].path == str(tmp_path / "lib/blues/1.wav")
    assert [fault.file for fault in listing.faults] == ["rock/dead.wav"]


def test_folders_without_genres_are_explained(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no audio below this folder; wanted are genre folders"):
        list_folder(tmp_path)
    (tmp_path / "genres.tar.gz").write_bytes(b"")
    with pytest.raises(SourceError, match=r"genres\.tar\.gz: give that as the source"):
        list_folder(tmp_path)
    with pytest.raises(SourceError, match="2 audio files lie in no genre folder"):
        list_folder(tree(tmp_path, "a.wav", "b.wav"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "rock/a.wav", "blues/a.wav")
    (tmp_path / "rock").chmod(0)
    with pytest.raises(SourceError, match=r"rock: this folder cannot be read"):
        list_folder(tmp_path)


def test_a_csv_in_the_folder_gives_labels_and_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tree(tmp_path, "data/t1.wav", "data/t2.wav", "t3.wav", "data/more.wav")
    rows = (
        "file_name,genre,split\ndata/t1.wav,blues,train\n./data/t2.wav,blues,test\nt3.wav,rock,\ndata/gone.wav,rock,\n"
    )
    (tmp_path / "metadata.csv").write_text(rows)
    listing = list_folder(tmp_path)
    assert {clip.name: (clip.genre, clip.part) for clip in listing.clips} == {
        "data/t1.wav": ("blues", "train"),
        "data/t2.wav": ("blues", "test"),
        "t3.wav": ("rock", None),
    }
    assert [(fault.file, fault.kind) for fault in listing.faults] == [("data/gone.wav", "unreadable")]
    assert "audio files that metadata.csv does not list are left out, 1 in all: data/more.wav" in caplog.text


def test_a_csv_that_only_splits_takes_genres_from_the_folders(tmp_path: Path) -> None:
    tree(tmp_path, "genres/blues/blues.00000.wav", "genres/rock/rock.00000.wav")
    (tmp_path / "split.csv").write_text("path,split\nblues/blues.00000.wav,train\ngenres/rock/rock.00000.wav,test\n")
    listing = list_folder(tmp_path)
    assert {clip.genre: clip.part for clip in listing.clips} == {"blues": "train", "rock": "test"}


def test_which_csv_counts(tmp_path: Path) -> None:
    tree(tmp_path, "blues/a.wav", "rock/b.wav")
    write_tree(
        tmp_path,
        {"notes.csv": b"what,ever\n1,2\n", "binary.csv": b"\0\xff\xfe", "empty.csv": b"", ".x.csv": b"path,genre"},
    )
    assert len(list_folder(tmp_path).clips) == 2
    one = "path,genre\nblues/a.wav,jazz\n"
    (tmp_path / "one.csv").write_text(one)
    assert [clip.genre for clip in list_folder(tmp_path).clips] == ["jazz"]
    (tmp_path / "two.csv").write_text(one)
    with pytest.raises(SourceError, match=r"several tables list clips: .*one\.csv, .*two\.csv"):
        list_folder(tmp_path)
    (tmp_path / "metadata.csv").write_text("path,genre\nrock/b.wav,metal\n")
    assert [clip.genre for clip in list_folder(tmp_path).clips] == ["metal"]


def test_audio_files_of_a_folder(tmp_path: Path) -> None:
    tree(tmp_path, "b.wav", "a/c.MP3", "a/.d.wav", "a/b/e.au")
    assert audio_files(tmp_path) == [tmp_path / name for name in ("b.wav", "a/c.MP3", "a/b/e.au")]
    with pytest.raises(SourceError, match="cannot be read"):
        audio_files(tmp_path / "none")


def test_parts_inside_the_genres_are_a_split(tmp_path):
    for genre in ("blues", "jazz"):
        for part in ("train", "test"):
            tree(tmp_path, f"{genre}/{part}/a.wav")
    clips = list_folder(tmp_path).clips
    assert sorted((clip.genre, clip.part) for clip in clips) == [
        ("blues", "test"),
        ("blues", "train"),
        ("jazz", "test"),
        ("jazz", "train"),
    ]


def test_an_album_called_test_is_no_part(tmp_path):
    tree(tmp_path, "blues/test/a.wav", "jazz/live/a.wav")
    assert {clip.part for clip in list_folder(tmp_path).clips} == {None}


def test_a_stray_table_is_passed_over(tmp_path, caplog):
    for index in range(6):
        tree(tmp_path, f"blues/{index}.wav", f"jazz/{index}.wav")
    (tmp_path / "notes.csv").write_text("file,genre\nblues/0.wav,odd\ngone.wav,blues\n")
    listing = list_folder(tmp_path)
    assert len(listing.clips) == 12
    assert {clip.genre for clip in listing.clips} == {"blues", "jazz"}
    assert "notes.csv" in caplog.text
