"""Known faults of GTZAN: the table is that of the published lists, and what it names can be left out."""

from collections import Counter
from pathlib import Path

import pytest

from mgc_hf.data.facts import gtzan_artists, gtzan_fault_filtered, gtzan_faults, gtzan_same_titles
from mgc_hf.data.faults import leave_out_faults
from mgc_hf.data.listing import Clip, Listing, finish
from mgc_hf.data.sources import read_corpus
from mgc_hf.division import check_left_out
from mgc_hf.errors import OptionError, SourceError
from mgc_hf.labels import GTZAN_GENRES
from tests.data.waves import write_tree

SHARED = Path(__file__).parents[2] / ".." / "shared" / "gtzan-lists"
GTZAN = [f"{genre}.{number:05d}" for genre in GTZAN_GENRES for number in range(100)]


def listing(ids, **values):
    return finish(Listing("gtzan", [Clip(f"{i.split('.')[0]}/{i}.wav", i.split(".")[0]) for i in ids], **values))


def test_the_table():
    faults = gtzan_faults()
    assert set(faults) < set(GTZAN)
    kinds = Counter(fault.kind for its in faults.values() for fault in its)
    assert kinds == {"exact repeat": 50, "distorted": 2, "broken": 1, "fault filter": 70}
    assert [fault.kind for fault in faults["jazz.00054"]] == ["broken"]
    filtered = {item for item, its in faults.items() if any(fault.kind == "fault filter" for fault in its)}
    assert filtered == {item for item, part in gtzan_fault_filtered().items() if part == "unused"}
    for item, its in faults.items():
        for fault in its:
            assert fault.others == (gtzan_same_titles().get(item, ()) if fault.kind == "exact repeat" else ())
    assert str(faults["disco.00074"][0]) == "exact repeat of disco.00071 (foleis2020)"
    assert "rock.00016" in faults["metal.00058"][1].others  # under two genres
    assert gtzan_artists()["rock.00016"] == gtzan_artists()["metal.00058"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("removed_repeats_and_distorted_foleiss2020", "foleis2020"),
        ("excluded_by_fault_filter_kereliuk2015", "kereliuk2015"),
    ],
)
def test_the_table_is_that_of_the_lists(name, source):
    path = SHARED / f"{name}.txt"
    if not path.is_file():
        pytest.skip("the published lists (../shared/gtzan-lists) are not at hand")
    listed = sorted(path.read_text(encoding="utf-8").split())
    assert listed == sorted(i for i, its in gtzan_faults().items() if any(fault.source == source for fault in its))


def test_repeats_distorted_and_broken_tracks_are_left_out_by_name():
    left, count = leave_out_faults(listing(GTZAN))
    assert count == 53 == len(left.faults)
    assert len(left.clips) == 947
    reasons = {fault.file: fault.reason for fault in left.faults}
    assert reasons["jazz/jazz.00054.wav"] == "known fault of GTZAN: broken (marsyas/gtzan)"
    assert reasons["pop/pop.00037.wav"] == "known fault of GTZAN: distorted (foleis2020)"
    assert {fault.kind for fault in left.faults} == {"left_out"}
    kept = {clip.track_id for clip in left.clips}
    assert "disco.00050" in kept  # left out by the fault-filtered split, and here the one that its repeats are of
    assert not kept & {"disco.00051", "disco.00070"}


def test_pieces_of_a_track_share_its_faults():
    left, count = leave_out_faults(listing(["disco.00051.0", "disco.00051.1", "disco.00052.0"]))
    assert (count, [clip.track_id for clip in left.clips]) == (2, ["disco.00052.0"])


def test_a_genre_of_which_nothing_is_left_is_named():
    with pytest.raises(SourceError, match="all clips of disco are known faults"):
        leave_out_faults(listing(["disco.00051", "rock.00001"]))


def test_other_data_have_no_known_faults(tmp_path):
    assert leave_out_faults(listing(GTZAN, is_demo=True))[1] is None
    folder = write_tree(tmp_path / "music", {"disco/a.wav": 300.0, "rock/b.wav": 400.0})
    corpus = read_corpus(str(folder), cache_dir=str(tmp_path / "cache"), leave_out_faults=True)
    assert (corpus.faults_left_out, corpus.skipped) == (None, [])
    with pytest.raises(OptionError, match="--leave_out_faults: .* clips of music are not named and sorted"):
        check_left_out(corpus, None)


def test_what_is_left_out_is_told_and_counted(tmp_path):
    files = {f"{item.split('.')[0]}/{item}.wav": 300.0 for item in ("disco.00050", "disco.00051", "rock.00001")}
    folder = write_tree(tmp_path / "genres", {**files, "rock/rock.00002.wav": b"no audio"})
    options = {"cache_dir": str(tmp_path / "cache")}
    corpus = read_corpus(str(folder), leave_out_faults=True, on_bad_audio="skip", **options)
    assert corpus.dataset["track_id"][:] == ["disco.00050", "rock.00001"]
    assert corpus.faults_left_out == 1
    assert [file.file for file in corpus.skipped] == ["disco/disco.00051.wav", "rock/rock.00002.wav"]
    assert "exact repeat of disco.00050 or disco.00070" in corpus.skipped[0].reason
    assert [clip.track_id for clip, _ in corpus.unusable] == ["rock.00002"]
    assert read_corpus(str(folder), **options).faults_left_out is None
    check_left_out(corpus)
