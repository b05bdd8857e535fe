"""CSV lists of clips, as Windows, Excel and the Hub write them."""

from pathlib import Path

import pytest

from mgc_hf.data.listing import Listing
from mgc_hf.data.tables import list_csv
from mgc_hf.errors import SourceError
from tests.data.waves import encode, tone, write_tree

SOUND = encode(tone(seconds=0.1))


def listed(tmp_path: Path, content: str | bytes) -> Listing:
    write_tree(tmp_path, {"genres/blues/a.wav": SOUND, "genres/rock/b.wav": SOUND})
    path = tmp_path / "tracks.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list_csv(path)


@pytest.mark.parametrize(
    "content",
    [
        "path,genre\ngenres/blues/a.wav,blues\ngenres/rock/b.wav,rock\n",
        "\ufefffilename;genre\r\ngenres\\blues\\a.wav;blues\r\ngenres\\rock\\b.wav;rock\r\n",
        "genre\tFile Name\nblues\t./genres/blues/a.wav\nrock\t ./genres/rock/b.wav \n\n\n",
        'Audio|Label|x\n"genres/blues/a.wav"|blues|"1|2"\ngenres/rock/b.wav|rock|\n',
        "path,genre\ngenres/blues/a.wav,blues\ngenres/rock/b.wav,rock\n".encode("utf-16"),
        "path,genre,café\ngenres/blues/a.wav,blues,é\ngenres/rock/b.wav,rock,\n".encode("cp1252"),
    ],
)
def test_dialects(tmp_path: Path, content: str | bytes) -> None:
    listing = listed(tmp_path, content)
    assert [(clip.name, clip.genre) for clip in listing.clips] == [
        ("genres/blues/a.wav", "blues"),
        ("genres/rock/b.wav", "rock"),
    ]
    assert listing.faults == []
    assert listing.name == "tracks.csv"


def test_all_columns(tmp_path: Path) -> None:
    rows = "path,genre,split,artist,track_id\ngenres/blues/a.wav,Jazz,valid,Ella,one\ngenres/rock/b.wav,rock,,,\n"
    first, second = listed(tmp_path, rows).clips
    assert (first.genre, first.part, first.artist, first.track_id) == ("Jazz", "validation", "Ella", "one")
    assert (second.genre, second.part, second.artist, second.track_id) == ("rock", None, None, None)


def test_files_elsewhere_are_named_without_the_way_there(tmp_path: Path) -> None:
    other = write_tree(tmp_path / "other", {"rock/c.wav": SOUND, "blues/c.wav": SOUND})
    listing = listed(tmp_path / "list", f"path,genre\n{other / 'rock/c.wav'},rock\n../other/blues/c.wav,blues\n")
    assert [(clip.name, clip.genre) for clip in listing.clips] == [("rock/c.wav", "rock"), ("blues/c.wav", "blues")]
    assert [clip.path for clip in listing.clips] == [str(other / "rock/c.wav"), str(other / "blues/c.wav")]


def test_paths_relative_to_the_genre_folder(tmp_path: Path) -> None:
    write_tree(tmp_path, {"blues/a.wav": SOUND})
    assert listed(tmp_path, "filename,label\na.wav,blues\n").clips[0].name == "blues/a.wav"


def test_rows_that_give_no_clip(tmp_path: Path) -> None:
    rows = "path,genre\ngenres/blues/a.wav,blues\n,rock\ngenres/rock/b.wav,\ngone.wav,rock\nshort\n"
    listing = listed(tmp_path, rows)
    assert len(listing.clips) == 1
    assert [(fault.file, fault.reason, fault.kind) for fault in listing.faults] == [
        ("tracks.csv, line 3", "has no path", "left_out"),
        ("genres/rock/b.wav", "has no genre in tracks.csv", "left_out"),
        ("gone.wav", "listed in tracks.csv, but there is no such file", "unreadable"),
        ("short", "listed in tracks.csv, but there is no such file", "unreadable"),
    ]


def test_a_row_given_twice(tmp_path: Path) -> None:
    row = "genres/blues/a.wav,blues,train\n"
    assert len(listed(tmp_path, f"path,genre,split\n{row}{row}").clips) == 1
    with pytest.raises(SourceError, match=r"line 3: genres/blues/a\.wav is listed twice, with different values"):
        listed(tmp_path, f"path,genre,split\n{row}genres/blues/a.wav,blues,test\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "this table is empty"),
        ("a,b\n1,2\n", r"no column with paths; its columns are a, b, wanted is one of path, file_name"),
        ("path,x\ngenres/blues/a.wav,2\n", "no genre column; its columns are path, x"),
        ("path,genre\nnone.wav,rock\n", r"none of its 1 rows gives a clip \(first: none\.wav"),
        ("path,genre\n", "none of its 0 rows gives a clip"),
        ("path,genre,split\ngenres/blues/a.wav,blues,fold1\n", "line 2: 'fold1' in column split is no part"),
        ("filename,length,chroma_stft_mean,label\nblues.00000.wav,1,0.3,blues\n", "features table, not audio"),
        (b"\x89PNG\0\0", "no text file"),
        ("path,genre\n" + "x" * 200_000 + ",rock\n", "line .* is no valid CSV"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        listed(tmp_path, content)
    assert "tracks.csv" in str(caught.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        list_csv(tmp_path / "none.csv")
