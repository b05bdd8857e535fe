import pytest

from mgc_hf.data.segments import assign_parts, cut_segments
from mgc_hf.data.sources import load_gtzan
from mgc_hf.features import TrackReader, decode_tracks
from tests.features.corpus import RATE, write_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = write_corpus(tmp_path_factory.mktemp("corpus") / "genres")
    return load_gtzan(folder, cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tracks(corpus):
    return decode_tracks(corpus, RATE)


@pytest.fixture(scope="session")
def rows(tracks):
    table = cut_segments(
        tracks["track_id"],
        tracks["genre"],
        TrackReader(tracks).num_samples,
        RATE,
        segment_seconds=1.0,
        hop_seconds=0.5,
    )
    return assign_parts(table, "train")


@pytest.fixture(scope="session")
def whole_rows(rows):
    return rows.take(rows.num_samples == RATE)
