"""Two runs compared from small files: what is told, in figures and in one sentence, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest

from mgc_hf.comparison.pair import compare
from mgc_hf.errors import CheckpointError, MgcHfError, RecordError
from mgc_hf.evaluation.intervals import wilson
from mgc_hf.evaluation.score import score
from mgc_hf.predictions import Predictions
from tests.cli.test_predict import mgc_hf  # noqa: F401 - a fixture
from tests.test_results import result

GENRES = ["jazz", "polka"]


def save_run(folder, right, *, tracks=None, label=None, segments=1, part="test", data=None, split=None, **values):
    """Write record and predictions of a run that has so many tracks right: `right` is one bool a segment."""
    n = len(right)
    number = np.arange(n) // segments
    tracks = [f"t{index:03d}" for index in range(n // segments)] if tracks is None else tracks
    label = number % 2 if label is None else np.asarray(label)
    predicted = np.where(right, label, 1 - label)
    rows = Predictions(
        track_id=[tracks[index] for index in number],
        segment=np.arange(n) % segments,
        start_s=3.0 * (np.arange(n) % segments),
        part=[part] * n,
        label=label,
        logits=np.eye(2)[predicted],
        genres=GENRES,
    )
    folder.mkdir(parents=True)
    rows.save(folder / "predictions.parquet")
    track, segment = score(rows, num_resamples=0) if part == "test" else (result().track, result().segment)
    by_segment = (split or {}).get("unit") == "segment"
    record = result(track=None if by_segment else track, segment=segment, **values)
    record = dataclasses.replace(
        record,
        data=dataclasses.replace(record.data, **(data or {})),
        split=dataclasses.replace(record.split, **(split or {})),
    )
    record.save(folder / "results.json")
    return folder


def pair(both, first_alone, second_alone, neither):
    counts = (both, first_alone, second_alone, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.fixture
def runs(tmp_path):
    first, second = pair(43, 9, 3, 15)
    return save_run(tmp_path / "lstm", first), save_run(tmp_path / "hubert", second)


def test_the_example_of_nine_against_three(runs):
    found = compare(*runs)
    assert found.sentence() == (
        "Of 70 common test tracks, A (lstm) is right on 9 where B (hubert) is wrong and B on 3 where A is wrong (exact "
        "McNemar test, p = 0.146): no difference beyond chance, and about 181 tracks would be needed to tell such "
        "systems apart (5 % two-sided, power 0.8)."
    )
    assert found.first.accuracy.value == pytest.approx(52 / 70)
    assert found.second.accuracy.value == pytest.approx(46 / 70)
    assert found.difference.value == pytest.approx(6 / 70)
    low, high = found.difference.ci95
    assert low < 0 < 6 / 70 < high
    # twelve discordant of 70: sqrt(12 / 70 - (6 / 70) ** 2) / sqrt(70), times 1.96 to either side
    assert (high - low) / 2 == pytest.approx(1.96 * ((12 / 70 - (6 / 70) ** 2) / 70) ** 0.5, rel=0.1)
    *table, last = found.summary().splitlines()
    assert last == found.sentence()
    assert table[1].startswith("A  lstm")
    assert "74.3 % [" in " ".join(table[1].split())
    assert "+8.6 points" in table[3]
    assert table[4] == "of 70 common test tracks: both right 43, A alone 9, B alone 3, neither 15"
    assert table[5:] == ["protocol track (leak-free by track)"]


def test_swapped_runs_say_the_same_of_each_other(runs):
    one, other = compare(*runs), compare(*reversed(runs))
    assert one.difference.value == -other.difference.value
    assert one.difference.ci95 == pytest.approx([-end for end in reversed(other.difference.ci95)])
    assert one.tracks.p_value == other.tracks.p_value


def test_equal_counts_and_a_clear_difference(tmp_path):
    first, second = pair(10, 4, 4, 2)
    found = compare(save_run(tmp_path / "a", first), save_run(tmp_path / "b", second))
    assert found.sentence().endswith("p = 1): with equal counts no number of tracks would tell them apart.")
    first, second = pair(10, 30, 2, 2)
    found = compare(save_run(tmp_path / "c", first), save_run(tmp_path / "d", second))
    assert "p < 0.001): a difference beyond chance, and about" in found.sentence()


def test_a_run_and_itself_leave_open_what_was_not_seen(runs):
    found = compare(runs[0], runs[0])
    assert (found.tracks.p_value, found.tracks.tracks_needed, found.difference.value) == (1, None, 0)
    end = wilson(0, 70)[1]
    assert found.difference.ci95 == pytest.approx([-end, end])
    assert str(runs[0]) not in str(found.to_dict())  # where they lie is nobody else's


def test_only_common_tracks_count_whatever_their_order(tmp_path):
    names = [f"t{index:03d}" for index in range(8)]
    label = np.arange(8) % 2
    right = np.array([1, 1, 0, 1, 0, 1, 1, 0], bool)
    order = np.array([7, 2, 5, 3, 0])
    a = save_run(tmp_path / "a", right, label=label)
    b = save_run(
        tmp_path / "b",
        right[order],
        tracks=[names[index] for index in order],
        label=label[order],
        split={"hash": "1" * 64},
    )
    found = compare(a, b)
    assert (found.tracks.both, found.tracks.neither, found.tracks.n) == (3, 2, 5)
    assert found.first.accuracy.value == found.second.accuracy.value == 3 / 5
    assert (found.first.num_tracks, found.second.num_tracks) == (8, 5)
    assert "5 are in both the 8 test tracks of A and the 5 of B; the rest is left out" in found.notes
    assert "the splits differ, so that the two may have been trained on other tracks" in found.notes


def test_segments_of_a_leaky_protocol_are_compared_by_track(tmp_path):
    of_segments = {"protocol": "segment", "leaky": True, "segments": 3, "split": {"unit": "segment"}}
    a = save_run(tmp_path / "a", [1, 1, 0] * 4 + [0, 0, 0] * 2, **of_segments)
    b = save_run(tmp_path / "b", [1, 0, 0] * 4 + [0, 0, 0] + [1, 1, 1], **of_segments)
    found = compare(a, b)
    assert (found.unit, found.first.accuracy.value, found.second.accuracy.value) == ("segment", 8 / 18, 7 / 18)
    assert (found.tracks.first_alone, found.tracks.second_alone, found.tracks.both) == (4, 1, 1)
    assert found.tracks.p_value == pytest.approx(2 * 6 / 2**5)
    assert "Of 6 common test tracks, A (a) has more segments right than B (b) on 4 and B more than A on 1" in (
        found.sentence()
    )
    assert "protocol segment (leaky)" in found.notes
    c = save_run(tmp_path / "c", [1, 1, 0] * 6, data={"segment_seconds": 1.0}, **of_segments)
    with pytest.raises(RecordError, match=r"windows of 3\.0 s every 3\.0 s .* windows of 1\.0 s every 3\.0 s"):
        compare(a, c)


def test_what_a_reader_must_know_is_noted(tmp_path):
    right = [True] * 6
    a = save_run(tmp_path / "a", right, leaky=None)
    b = save_run(tmp_path / "b", right, data={"test_source": "other/data", "is_demo": True})
    assert compare(a, b).notes == [
        "protocol track (A leak not known, B leak-free by track)",
        "A was tested on owner/name, B on other/data: tracks of one name are taken as the same",
        "the data is the synthetic demo corpus: these figures say nothing about real music",
    ]


def test_refusals(runs, tmp_path):
    lstm, hubert = runs
    right = [True] * 4
    other = save_run(tmp_path / "other", right, tracks=["x", "y", "z", "w"])
    with pytest.raises(RecordError, match=r"share no test track \(the one has t000, t001 and 68 more, the other w, x"):
        compare(lstm, other)
    leaky = save_run(tmp_path / "leaky", right, protocol="segment", leaky=True, split={"unit": "segment"})
    with pytest.raises(RecordError, match="of protocol track and .* of segment: .* give two runs of one protocol"):
        compare(lstm, leaky)
    swapped = save_run(tmp_path / "swapped", right, label=[1, 0, 0, 1])
    with pytest.raises(RecordError, match=r"about 2 of 4 common test tracks \(t000 is jazz and polka\)"):
        compare(lstm, swapped)
    with pytest.raises(RecordError, match=r"0 of 0 test tracks right .* they are not of one run"):
        compare(lstm, save_run(tmp_path / "untested", right, part="validation"))
    (hubert / "results.json").write_bytes((lstm / "results.json").read_bytes())
    with pytest.raises(RecordError, match=r"46 of 70 test tracks right .* 74\.3 % .* they are not of one run"):
        compare(lstm, hubert)
    (hubert / "predictions.parquet").unlink()
    with pytest.raises(CheckpointError, match=r"hubert: has no predictions\.parquet, .* mgc-hf evaluate"):
        compare(lstm, hubert)
    torn = save_run(tmp_path / "torn", [True] * 4, segments=2)
    rows = Predictions.load(torn / "predictions.parquet")
    dataclasses.replace(rows, label=np.array([0, 1, 1, 1])).save(torn / "predictions.parquet")
    with pytest.raises(RecordError, match="torn: predictions: track t000 has segments with different labels"):
        compare(lstm, torn)
    with pytest.raises(CheckpointError, match="gone: no such folder"):
        compare(tmp_path / "gone", lstm)
    for wrong in (other, leaky, swapped, hubert, tmp_path / "gone@main"):
        with pytest.raises(MgcHfError) as told:
            compare(lstm, wrong)
        assert "\n" not in str(told.value)


def test_the_command_prints_text_or_json_and_its_status(mgc_hf, runs, tmp_path):  # noqa: F811
    found = compare(*runs)
    assert mgc_hf("compare", *runs) == (0, found.summary() + "\n", "")
    status, out, _ = mgc_hf("compare", *runs, "--json")
    assert status == 0
    value = json.loads(out)
    assert value["tracks"] == {
        **dataclasses.asdict(found.tracks),
        "n": 70,
        "p_value": found.tracks.p_value,
        "tracks_needed": 181,
        "alpha": 0.05,
        "power": 0.8,
    }
    assert value["sentence"] == found.sentence()
    assert value["first"]["accuracy"] == {"value": 52 / 70, "ci95": found.first.accuracy.ci95}
    assert value["difference"]["ci95"] == found.difference.ci95
    other = save_run(tmp_path / "other", [True], tracks=["x"])
    status, out, err = mgc_hf("compare", runs[0], other)
    assert (status, out) == (1, "")
    assert len(err.strip().splitlines()) == 1
    assert mgc_hf("compare", runs[0])[0] == 2
    assert mgc_hf("compare", *runs, "--nonsense")[0] == 2
