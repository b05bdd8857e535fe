"""Accuracies over seeds, paired differences, and what a leak is worth, from answers whose outcome is known."""

import numpy as np
import pytest

from mgc_hf.comparison.material import read_material
from mgc_hf.comparison.overview import ranking
from mgc_hf.comparison.ranking import doubted_systems, duels, is_leaky, leaks, mark_of, standings
from mgc_hf.evaluation.intervals import paired_difference
from mgc_hf.evaluation.paired import holm, mcnemar
from tests.comparison.runs import SPEECH, run, shares, study


def test_means_and_spread_over_seeds(tmp_path):
    material = read_material([str(folder) for folder in study(tmp_path)])
    found = standings(material, "track", 200)
    # the floor has no run of its own: it stands in the folder of an LSTM
    assert [one.system.title for one in found] == ["LSTM", "Linear floor", "HuBERT (tiny, from scratch)"]
    lstm, floor, hubert = found
    assert lstm.seeds == {0: 0.8, 1: 0.7}
    assert lstm.accuracy.value == pytest.approx(0.75)
    assert lstm.spread == pytest.approx(np.std([0.8, 0.7], ddof=1))
    assert (floor.from_runs, floor.accuracy.value, floor.spread) == (False, 0.5, None)
    assert hubert.accuracy.value == pytest.approx(0.3)
    for one in found:
        low, high = one.accuracy.ci95
        assert low < one.accuracy.value < high
    assert standings(material, "segment", 200)[0].unit == "segment"


def test_one_seed_is_the_plain_paired_comparison(tmp_path):
    one, other = shares(20, 10), shares(8, 4, 6, 12)
    folders = [run(tmp_path / "lstm", one), run(tmp_path / "hubert", other, model=SPEECH)]
    (duel,) = duels(read_material([str(folder) for folder in folders]), "track", 500)
    value, interval = paired_difference(np.array([f"t{i:03d}" for i in range(30)]), one, other, num_resamples=500)
    assert duel.difference.value == pytest.approx(value)
    assert duel.difference.ci95 == pytest.approx(interval)
    test = mcnemar(one, other)
    assert (duel.tracks.first_alone, duel.tracks.second_alone) == (test.first_alone, test.second_alone)
    assert duel.corrected_p == pytest.approx(test.p_value)  # one pair: nothing to correct
    assert duel.same_items


def test_a_track_counts_once_over_seeds_and_pairs_are_corrected(tmp_path):
    folders = []
    for seed in (0, 1):
        folders += [
            run(tmp_path / f"lstm-{seed}", shares(30), seed=seed),
            run(tmp_path / f"hubert-{seed}", shares(10 + 5 * seed, 20 - 5 * seed), seed=seed, model=SPEECH),
            run(tmp_path / f"wavlm-{seed}", shares(0, 30), seed=seed, model={"model_type": "wavlm"}),
        ]
    folders.append(run(tmp_path / "lstm-7", shares(0, 30), seed=7))  # a seed that the others lack is no part of a pair
    found = duels(read_material([str(folder) for folder in folders]), "track", 200)
    assert [duel.seeds for duel in found] == [(0, 1)] * 3
    first = found[0]
    assert (first.tracks.first_alone, first.tracks.second_alone, first.tracks.n) == (20, 0, 30)
    assert first.difference.value == pytest.approx(1 - 25 / 60)
    assert [duel.corrected_p for duel in found] == holm([duel.tracks.p_value for duel in found])
    assert found[1].difference.value == 1.0
    assert found[1].difference.ci95[0] < 1.0  # never of no width


def test_segments_of_another_length_are_compared_by_track(tmp_path):
    folders = [
        run(tmp_path / "lstm", shares(20, 10), protocol="segment", segments=4),
        run(tmp_path / "hubert", shares(10, 20), protocol="segment", segments=1, model=SPEECH),
    ]
    (duel,) = duels(read_material([str(folder) for folder in folders]), "segment", 200)
    assert not duel.same_items
    assert (duel.tracks.first_alone, duel.tracks.n) == (10, 30)
    assert duel.difference.value == pytest.approx(1 / 3)


def test_what_the_leak_is_worth(tmp_path):
    folders = study(tmp_path)
    (leak,) = leaks(read_material([str(folder) for folder in folders]), 500)
    assert (leak.system.title, leak.leaky, leak.honest, leak.shared_tracks) == ("LSTM", "segment", "track", 30)
    assert leak.leaky_accuracy.value == pytest.approx((29 / 30 + 1) / 2)
    assert leak.honest_accuracy.value == pytest.approx(0.75)
    assert leak.difference.value == pytest.approx(leak.leaky_accuracy.value - 0.75)
    low, high = leak.difference.ci95
    assert 0 < low < leak.difference.value < high
    assert leaks(read_material([str(folders[0])])) == []


CONTAMINATED = {**SPEECH, "base_model": "me/hubert-gtzan", "contamination": "its card names GTZAN"}


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        ({"leaky": True}, "leaky"),
        ({"leaky": None}, "warning"),
        ({"leaky": None, "model": CONTAMINATED}, "warning"),
        ({"leaky": False, "model": CONTAMINATED}, "warning"),
    ],
)
def test_one_doubtful_run_makes_no_protocol_leak_and_is_not_honest(tmp_path, values, mark):
    folders = [
        run(tmp_path / "lstm", shares(20, 10)),
        run(tmp_path / "hubert", shares(30), **{"model": SPEECH, **values}),
    ]
    material = read_material([str(folder) for folder in folders])
    lstm, hubert = material.systems
    assert not is_leaky(material, "track")
    assert doubted_systems(material, "track") == {hubert}
    assert [mark_of(material, "track", system) for system in (lstm, hubert)] == [None, mark]
    found = {"track": standings(material, "track", 100)}
    table = ranking(material, found, {"track": duels(material, "track", 100)}).tables[0]
    cells = {row[0].text: row for row in table.rows}
    assert (cells["LSTM"][3].text, cells[hubert.title][3].text) == ("1", "none")
    assert (cells["LSTM"][4].mark, cells[hubert.title][4].mark) == (None, mark)


def test_a_contaminated_run_is_no_honest_side_of_the_leak(tmp_path):
    folders = [
        run(tmp_path / "segment", shares(29, 1), protocol="segment", model=SPEECH),
        run(tmp_path / "track", shares(25, 5), model={**CONTAMINATED, "base_model": None}, leaky=None),
    ]
    assert leaks(read_material([str(folder) for folder in folders]), 100) == []
