"""Two processes: outcomes, errors, order, time-outs, counts."""

import json

import pytest

SCENARIO = "tests.distributed.scenarios:{}"
pytestmark = pytest.mark.timeout(180)


def _both(forked, folder, name, **options):
    ended = forked(folder, processes=2, scenario=SCENARIO.format(name), **options)
    assert ended.status == 0, ended.log
    [(status, second)] = ended.others
    assert status == 0, ended.log
    assert ended.record["processes"] == second["processes"] == 2
    return ended.record, second


def test_outcomes_and_errors_are_shared(forked, tmp_path):
    first, second = _both(forked, tmp_path, "together")
    assert first["result"] == second["result"] == ["ok", {"rank": 0, "path": "x"}]
    assert first["ours"] == second["ours"] == ["LabelError", "other labels", True, ["polka"]]
    assert first["bug"] == ["ValueError", "a bug"]
    assert second["bug"][:2] == ["DistributedError", "process 0 failed: ValueError: a bug; its traceback says where"]
    assert first["turn"][1] <= second["turn"][1]
    assert first["fails_in_0"] == second["fails_in_0"] == ["LabelError", "of 0", True, ["polka"]]
    assert first["fails_in_1"] == second["fails_in_1"] == ["LabelError", "of 1", True, ["polka"]]
    assert first["same"] == second["same"] == ["ok", None]
    for told in (first["other"], second["other"]):
        assert told[0] == "DistributedError"
        assert "differ in the split: process 0 has a, process 1 has b" in told[1]
    assert first["after"] == second["after"] == ["ok", "still in step"]


def test_a_silent_process_is_given_up_after_ddp_timeout(forked, tmp_path):
    ended = forked(tmp_path, processes=2, scenario=SCENARIO.format("silent"), seconds=4)
    assert ended.status == 0, ended.log
    assert ended.record["processes"] == 2
    assert 3 <= ended.record["seconds"] < 20
    assert "lost contact with the others at step 7" in ended.record["error"]
    assert "--resume" in ended.record["error"]


def test_every_row_is_evaluated_once_and_in_order(forked, tmp_path):
    for record in _both(forked, tmp_path, "count"):
        assert len(record["sizes"]) == 9
        for size, found in record["sizes"].items():
            assert found["rows"] == int(size)
            assert found["order"], size
            assert found["loss"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("rows", "accumulate"), [(17, 1), (19, 1), (22, 1), (3, 1), (19, 2)])
def test_every_row_is_trained_on_once_an_epoch(forked, tmp_path, rows, accumulate):
    """Batches of 8, or two of 4, whose last has 1, 3 or 6 rows: one of both has some to spare, or none at all."""
    options = {"rows": rows, "accumulate": accumulate}
    first, second = _both(forked, tmp_path / "two", "steps", batch=4, **options)
    alone = forked(tmp_path / "one", scenario=SCENARIO.format("steps"), batch=8, **options)
    assert alone.status == 0, alone.log
    assert first["steps"] == alone.record["steps"]
    assert first["weights"] == second["weights"]
    for name, value in alone.record["weights"].items():
        assert first["weights"][name] == _about(value), name
    for ours, theirs in zip(first["history"], alone.record["history"], strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], abs=1e-5)
        assert ours["train_accuracy"] == pytest.approx(theirs["train_accuracy"])


def _about(value):
    return [_about(one) if isinstance(one, list) else pytest.approx(one, abs=2e-5) for one in value]


def test_a_loss_that_is_not_finite_in_one_process_stops_both_at_that_step(forked, tmp_path):
    first, second = _both(forked, tmp_path, "not_finite")
    assert first["told"] == second["told"]
    assert first["told"][0] == "NonFiniteLossError"
    assert "the loss of step 2 is not finite" in first["told"][1]
    assert first["steps"] == second["steps"] == 2


@pytest.mark.parametrize("drifts", [False, True])
def test_processes_that_trained_other_weights_are_named(forked, tmp_path, drifts):
    ended = forked(tmp_path, processes=2, scenario=SCENARIO.format("drift"), drifts=drifts)
    assert (ended.status, ended.others[0][0]) == (0, 0), ended.log
    assert ended.record["processes"] == ended.others[0][1]["processes"] == 2
    assert ("the processes [1] ended with other weights than process 0" in ended.log) == drifts
    assert ended.record["selected"] == "best"
    assert ended.record["weights"] == ended.others[0][1]["weights"]


def test_a_checkpoint_reaches_a_machine_without_the_disk(forked, tmp_path):
    (tmp_path / "checkpoint-4" / "folder").mkdir(parents=True)
    folder = tmp_path / "checkpoint-4"
    sizes = {"manifest.json": 20, "weights.safetensors": 3_000_000, "empty.pt": 0, "folder/part.json": 5}
    for name, size in sizes.items():
        (folder / name).write_bytes(b"x" * size)
    (folder / "manifest.json").write_text(json.dumps({"id": "abcdefgh"}))
    first, second = _both(forked, folder, "mirror")
    assert first["own"]
    assert not second["own"]
    assert second["content"] == first["content"]
    assert second["part"] == ["manifest.json", "part.json"]
    assert not second["left"]
    assert not first["left"]
