"""What a report reads: which runs stand for which system, and what is refused."""

import dataclasses
import shutil
from dataclasses import replace

import pytest

from mgc_hf.comparison.material import identify, read_material
from mgc_hf.errors import CheckpointError, RecordError
from mgc_hf.results import RunResult
from tests.comparison.runs import SPEECH, change, run, shares, study
from tests.test_results import result


@pytest.mark.parametrize(
    ("model", "size", "title", "paper", "faithful"),
    [
        ({}, None, "LSTM", "lstm", True),
        (SPEECH, "tiny", "HuBERT (tiny, from scratch)", "hubert", False),
        (SPEECH, None, "HuBERT (full size, from scratch)", "hubert", False),
        ({**SPEECH, "base_model": "facebook/hubert-base-ls960"}, None, "HuBERT (hubert-base-ls960)", "hubert", True),
        (
            {**SPEECH, "base_model": "facebook/hubert-large-ll60k"},
            None,
            "HuBERT (hubert-large-ll60k)",
            "hubert",
            False,
        ),
        ({**SPEECH, "base_model": "my-hubert"}, None, "HuBERT (my-hubert)", "hubert", False),
        (
            {"model_type": "whisper", "base_model": "whisper-tiny.en"},
            None,
            "Whisper encoder (whisper-tiny.en)",
            None,
            False,
        ),
        ({"model_type": "stats_floor"}, None, "Linear floor", None, False),
        ({"model_type": "new_thing"}, None, "new_thing (full size, from scratch)", None, False),
    ],
)
def test_a_system_is_told_from_its_record(model, size, title, paper, faithful):
    record = result()
    record = dataclasses.replace(
        record,
        model=dataclasses.replace(record.model, **model),
        training=dataclasses.replace(record.training, resolved={"size": size}),
    )
    system = identify(record)
    assert (system.title, system.paper, system.faithful) == (title, paper, faithful)
    assert system.is_floor == (title == "Linear floor")


def test_runs_are_grouped_whatever_their_order(tmp_path):
    folders = study(tmp_path)
    material = read_material([str(folder) for folder in reversed(folders)])
    assert [entry.key for entry in material.runs] == [
        "lstm-segment-0",
        "lstm-segment-1",
        "lstm-track-0",
        "lstm-track-1",
        "hubert-tiny-scratch-track-0",
    ]
    assert material.protocols == ["segment", "track"]
    assert [system.title for system in material.systems] == ["LSTM", "HuBERT (tiny, from scratch)"]
    lstm, hubert = material.systems
    assert material.best_shown(lstm, "track").seed == 0
    assert material.best_shown(hubert, "segment") is None
    first = material.of(lstm, "segment")[0]
    assert (first.unit, first.scores) == ("segment", first.result.segment)
    assert material.of(lstm, "track")[0].floor is not None


def test_two_runs_of_one_place_need_names(tmp_path):
    one, other = (run(tmp_path / name, shares(5, 4)) for name in ("a", "b"))
    with pytest.raises(
        RecordError, match=r"both of LSTM, protocol track, seed 3|both of LSTM, protocol track, seed 0"
    ):
        read_material([str(one), str(other)])
    material = read_material([str(one), f"LSTM (wide)={other}"])
    assert [system.title for system in material.systems] == ["LSTM", "LSTM (wide)"]
    assert material.runs[1].system.key == "lstm-wide"
    assert material.runs[1].system.about == (
        "LSTM: trained from scratch on mel-spectrograms (the architecture is ours, the paper gives none)"
    )
    with pytest.raises(RecordError, match="has the name of another"):
        read_material([str(one), f"LSTM={other}"])


def test_folds_are_read_with_their_run_and_not_for_it(tmp_path):
    folder = run(tmp_path / "cv", shares(8, 2), protocol="kfold", split={"folds": [{"blues": 5}, {"blues": 5}]})
    for fold in (1, 0):
        run(folder / f"fold-{fold}", shares(4, 1), protocol="kfold", split={"fold": fold})
    (entry,) = read_material([str(folder)]).runs
    assert [one.split.fold for one in entry.folds] == [0, 1]
    assert len(entry.trained) == 2
    record = folder / "fold-1" / "results.json"
    record.rename(folder / "kept.json")  # half of the folds is not the run
    (entry,) = read_material([str(folder)]).runs
    assert (entry.folds, entry.trained) == ((), (entry.result,))
    (folder / "kept.json").rename(record)
    with pytest.raises(RecordError, match="is one fold of a cross-validation"):
        read_material([str(folder / "fold-0")])
    judged = run(tmp_path / "judged", shares(4, 1), protocol="kfold")
    replace(RunResult.load(judged / "results.json"), training=None).save(judged / "results.json")
    with pytest.raises(RecordError, match="one fold of a cross-validation alone.*without --split"):
        read_material([str(judged)])


def test_what_is_not_of_one_run_is_refused(tmp_path):
    folder = run(tmp_path / "a", shares(5, 4), floor=shares(4, 5))
    shorter = run(tmp_path / "b", shares(3, 3), floor=shares(3, 3))
    shutil.copy(shorter / "floor.parquet", folder / "floor.parquet")
    with pytest.raises(RecordError, match=r"floor\.parquet: is of other test tracks"):
        read_material([str(folder)])
    (folder / "floor.parquet").unlink()
    (folder / "audit.json").write_text("[]")
    with pytest.raises(RecordError, match=r"audit\.json: must be an object"):
        read_material([str(folder)])
    (folder / "audit.json").unlink()
    (folder / "predictions.parquet").unlink()
    with pytest.raises(CheckpointError, match="has no predictions.parquet"):
        read_material([str(folder)])


def test_a_finished_model_without_a_seed_is_taken(tmp_path):
    folder = change(run(tmp_path / "a", shares(5, 4)), seed=None, training=None)
    (entry,) = read_material([str(folder)]).runs
    assert (entry.seed, entry.key, entry.trained) == (-1, "lstm-track-x", ())
    assert RunResult.load(folder / "results.json").seed is None
