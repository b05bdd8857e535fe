"""A small collection with known artists."""

import io

import pytest
import soundfile

from mgc_hf.data.demo import render_clip

GENRES = ("blues", "jazz", "metal")
SECONDS = 6.0


@pytest.fixture(scope="session")
def songs():
    """The content of a WAV for each of nine clips, by `genre/name`."""
    return {f"{genre}/song{index}": render_clip(genre, index, SECONDS) for genre in GENRES for index in range(3)}


@pytest.fixture(scope="session")
def samples(songs):
    """Their samples and rates."""
    return {name: soundfile.read(io.BytesIO(content), dtype="float32") for name, content in songs.items()}


@pytest.fixture
def collection(songs, tmp_path):
    """Write the clips, others besides, and a table of artists; `None` in place of one: every clip has its own."""

    def write(more=(), artists=None, name="music"):
        root = tmp_path / name
        files = {f"{path}.wav": content for path, content in songs.items()} | dict(more)
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        rows = [f"{path},{path.split('/')[0]},{(artists or {}).get(path, f'Artist of {path}')}" for path in files]
        (root / "metadata.csv").write_text("\n".join(["path,genre,artist", *rows]) + "\n")
        return root

    return write


#: A split of the clips that keeps everything apart.
PARTS = {
    "train": ["blues/song0", "blues/song1", "jazz/song0", "jazz/song1", "metal/song0", "metal/song1"],
    "test": ["blues/song2", "jazz/song2", "metal/song2"],
}


@pytest.fixture
def split_csv(tmp_path):
    """Write a CSV of parts, with more tracks in some of them."""

    def write(**more):
        rows = [(part, item) for part in ("train", "test") for item in (*PARTS[part], *more.get(part, ()))]
        path = tmp_path / "parts.csv"
        path.write_text("part,track_id\n" + "".join(f"{part},{item}\n" for part, item in rows))
        return path

    return write
