import dataclasses
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

import mgc_hf
from mgc_hf.cards.card import render_card
from mgc_hf.cards.companions import LICENCE_FILE, write_companions
from mgc_hf.data.audio import decode
from mgc_hf.results import EVAL_RESULTS_FILE, WIDGET_FILES
from tests.cards.test_card import changed, header, load

ROOT = Path(__file__).parents[2]


def test_a_run_on_local_data_has_licence_and_clips(tmp_path):
    write_companions(load("track"), tmp_path)
    assert (tmp_path / LICENCE_FILE).read_bytes() == (ROOT / "LICENSE").read_bytes()
    for path in WIDGET_FILES.values():
        clip = decode(tmp_path / path)
        assert 7 < clip.seconds < 9
        assert clip.samples.std() > 0.01
    assert not (tmp_path / EVAL_RESULTS_FILE).exists()


@pytest.mark.parametrize("base", ["microsoft/wavlm-base", "somebody/model"])
def test_no_licence_is_made_up(base, tmp_path):
    write_companions(changed(load("track"), "model", base_model=base), tmp_path)
    assert not (tmp_path / LICENCE_FILE).exists()


def test_somebodys_licence_stays_and_ours_goes_when_it_no_longer_holds(tmp_path):
    (tmp_path / LICENCE_FILE).write_text("All rights reserved.")
    for base in ("facebook/hubert-base-ls960", "microsoft/wavlm-base"):
        write_companions(changed(load("track"), "model", base_model=base), tmp_path)
        assert (tmp_path / LICENCE_FILE).read_text() == "All rights reserved."
    (tmp_path / LICENCE_FILE).unlink()
    write_companions(load("track"), tmp_path)
    write_companions(changed(load("track"), "model", base_model="microsoft/wavlm-base"), tmp_path)
    assert not (tmp_path / LICENCE_FILE).exists()


@pytest.mark.parametrize("in_test", [False, True])
def test_figures_on_hub_data_in_the_hubs_format(in_test, tmp_path):
    source = {"test_source": "owner/clips", "test_revision": "b" * 40} if in_test else {"source": "owner/clips"}
    result = changed(load("track"), "data", **source)
    if not in_test:
        result = changed(result, "data", revision="a" * 40)
    write_companions(result, tmp_path)
    entries = parse_eval_result_entries(yaml.safe_load((tmp_path / EVAL_RESULTS_FILE).read_text()))
    assert {entry.dataset_id for entry in entries} == {"owner/clips"}
    assert {entry.dataset_revision for entry in entries} == {"b" * 40 if in_test else "a" * 40}
    assert {entry.task_id: entry.value for entry in entries} == {
        "track_accuracy": 0.5,
        "track_macro_f1": round(result.track.macro_f1.value, 4),
        "segment_accuracy": round(result.segment.accuracy.value, 4),
        "segment_macro_f1": round(result.segment.macro_f1.value, 4),
    }
    notes = entries[0].notes
    assert "50.0 % [30.0, 70.0] (95 % interval" in notes
    assert "n = 20 tracks; protocol track, leak-free by track, split 5f1c3b" in notes


def test_an_evaluation_has_figures_alone(tmp_path):
    result = changed(dataclasses.replace(load("track"), training=None), "data", source="owner/clips")
    write_companions(result, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".eval_results"]


def test_the_card_of_an_evaluation_claims_no_licence():
    card = render_card(dataclasses.replace(load("track"), training=None))
    assert "license" not in header(card)
    assert "| Licence |" not in card


def test_the_licence_goes_with_the_package():
    assert (Path(mgc_hf.__file__).parent / "cards" / "apache-2.0.txt").read_bytes() == (ROOT / "LICENSE").read_bytes()
