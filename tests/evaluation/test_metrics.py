"""Metrics as evaluate's classes: right, at both levels, and without network, files or code from the working folder."""

import os
import subprocess
import sys
from pathlib import Path

import evaluate
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgc_hf.errors import RecordError
from mgc_hf.evaluation.metrics import SegmentAccuracy, SegmentLabels, SegmentReport, TrackAccuracy, TrackReport

ROOT = Path(__file__).parents[2]
METRICS = (SegmentAccuracy, TrackAccuracy, SegmentReport, TrackReport)


def one_hot(classes, num_labels=3):
    return (5 * np.eye(num_labels)[classes]).tolist()


def test_softmax_comes_before_the_mean():
    """One very sure segment must not outvote two others, as it would if logits were averaged."""
    logits = [[9.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
    inputs = {"predictions": logits, "references": [1] * 4, "track_ids": ["t"] * 4}
    assert np.mean(logits, axis=0).argmax() == 0  # what the mean of logits would say
    assert TrackAccuracy().compute(**inputs) == {"accuracy": 1.0}
    assert SegmentAccuracy().compute(predictions=logits, references=[1] * 4) == {"accuracy": 0.75}


def test_ties_go_to_the_lower_index_at_both_levels():
    assert SegmentAccuracy().compute(predictions=[[1.0, 1.0, 0.0]], references=[0])["accuracy"] == 1
    assert SegmentAccuracy().compute(predictions=[[0.0, 1.0, 1.0]], references=[2])["accuracy"] == 0
    logits = np.array([0.3, 2.0, -1.7], dtype=np.float32)
    turned = [np.roll(logits, shift).tolist() for shift in range(3)]  # the means are equal but for rounding
    for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0]):
        inputs = {"predictions": [turned[i] for i in order], "references": [0] * 3, "track_ids": ["t"] * 3}
        assert TrackAccuracy().compute(**inputs)["accuracy"] == 1


def test_predicted_classes_give_what_their_logits_give():
    predicted, label = [0, 0, 1, 2, 1], [0, 1, 1, 1, 0]
    found = SegmentLabels().compute(predictions=predicted, references=label)
    logits = {"predictions": one_hot(predicted), "references": label}
    assert found == {
        "accuracy": SegmentAccuracy().compute(**logits)["accuracy"],
        "macro_f1": pytest.approx(SegmentReport().compute(**logits)["macro"]["f1"]),
    }


def test_report_names_missing_genres_and_leaves_them_out_of_the_macro_average():
    report = SegmentReport().compute(
        predictions=one_hot([0, 0, 1, 2]), references=[0, 1, 1, 1], genres=["blues", "jazz", "rock"]
    )
    assert report["per_genre"] == {
        "blues": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1},
        "jazz": {"precision": 1.0, "recall": pytest.approx(1 / 3), "f1": 0.5, "support": 3},
        "rock": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0},
    }
    assert report["missing"] == ["rock"]
    assert report["macro"] == pytest.approx({"precision": 0.75, "recall": 2 / 3, "f1": 7 / 12})
    assert report["weighted"] == pytest.approx({"precision": 0.875, "recall": 0.5, "f1": 13 / 24})


def test_genres_are_numbered_where_no_names_are_given():
    report = SegmentReport().compute(predictions=one_hot([0, 1]), references=[0, 1])
    assert list(report["per_genre"]) == ["0", "1", "2"]


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_reports_agree_with_counting(data):
    """An independent count of true and false positives, over tracks of one to three segments."""
    num_labels = data.draw(st.integers(2, 4))
    tracks = data.draw(st.lists(st.tuples(st.integers(0, num_labels - 1), st.integers(1, 3)), min_size=1, max_size=8))
    label = [genre for genre, size in tracks for _ in range(size)]
    track_ids = [f"t{number}" for number, (_, size) in enumerate(tracks) for _ in range(size)]
    logits = np.random.default_rng(data.draw(st.integers(0, 999))).normal(size=(len(label), num_labels))
    logits = logits.astype(np.float32)
    exponentials = np.exp(logits.astype(float))
    pooled = [
        np.mean([e / e.sum() for e, t in zip(exponentials, track_ids, strict=True) if t == f"t{number}"], axis=0)
        for number in range(len(tracks))
    ]
    segment = SegmentReport().compute(predictions=logits, references=label)
    track = TrackReport().compute(predictions=logits, references=label, track_ids=track_ids)
    for report, true, said in (
        (segment, label, logits.argmax(-1).tolist()),
        (track, [genre for genre, _ in tracks], [int(np.argmax(p)) for p in pooled]),
    ):
        for genre in range(num_labels):
            hits = sum(t == s == genre for t, s in zip(true, said, strict=True))
            row = report["per_genre"][str(genre)]
            assert row["support"] == true.count(genre)
            assert row["precision"] == pytest.approx(hits / max(said.count(genre), 1))
            assert row["recall"] == pytest.approx(hits / max(true.count(genre), 1))
            assert row["f1"] == pytest.approx(2 * hits / max(true.count(genre) + said.count(genre), 1))
        present = [row["f1"] for row in report["per_genre"].values() if row["support"]]
        assert report["macro"]["f1"] == pytest.approx(np.mean(present))
        supports = [row["support"] for row in report["per_genre"].values()]
        f1 = [row["f1"] for row in report["per_genre"].values()]
        assert report["weighted"]["f1"] == pytest.approx(np.average(f1, weights=supports))


def test_batches_added_one_by_one_are_computed_together():
    logits, label, ids = np.random.default_rng(0).normal(size=(9, 3)), [0, 1, 2] * 3, ["a", "b", "c"] * 3
    whole = TrackReport().compute(predictions=logits, references=label, track_ids=ids)
    metric = TrackReport()
    for rows in (slice(0, 4), slice(4, 9)):
        metric.add_batch(predictions=logits[rows], references=label[rows], track_ids=ids[rows])
    assert metric.compute() == whole


@pytest.mark.parametrize("kind", METRICS)
def test_metrics_are_evaluates_own_kind_and_describe_themselves(kind):
    metric = kind()
    level = "track" if kind.__name__.startswith("Track") else "segment"
    assert isinstance(metric, evaluate.Metric)
    assert f"at {level} level" in metric.description
    assert "@article" in metric.citation
    for name in metric.features:
        assert f"{name} (`list`" in metric.inputs_description
    assert metric.inputs_description in kind().compute.__doc__
    assert ("track_ids" in metric.features) == (level == "track")


def test_wrong_inputs_are_refused():
    with pytest.raises(ValueError, match="track_ids"):
        TrackAccuracy().compute(predictions=one_hot([0]), references=[0])
    with pytest.raises(RecordError, match="NaN or infinite"):
        SegmentAccuracy().compute(predictions=[[float("nan"), 0.0]], references=[0])
    with pytest.raises(RecordError, match=r"a label lies outside 0\.\.2"):
        SegmentAccuracy().compute(predictions=one_hot([0]), references=[3])
    with pytest.raises(RecordError, match="segments with different labels"):
        TrackAccuracy().compute(predictions=one_hot([0, 0]), references=[0, 1], track_ids=["t", "t"])
    with pytest.raises(ValueError, match="in memory only"):
        SegmentAccuracy(keep_in_memory=False)
    with pytest.raises(ValueError, match="distributed"):
        SegmentAccuracy(num_process=2, process_id=0)


PROGRAM = """
import socket, sys
sys.modules["transformers.pipelines"] = None  # wanted by evaluate alone, which does without; it takes seconds
def refuse(*args, **kwargs):
    raise AssertionError("the network was asked for")
socket.socket.connect = socket.getaddrinfo = refuse
from mgc_hf.evaluation import metrics
logits = [[2.0, 1.0], [0.0, 1.0], [0.0, 3.0]]
rows = {"predictions": logits, "references": [0, 0, 1]}
print(metrics.SegmentAccuracy().compute(**rows), metrics.SegmentReport().compute(**rows)["macro"]["f1"])
rows["track_ids"] = ["a", "a", "b"]
print(metrics.TrackAccuracy().compute(**rows), metrics.TrackReport().compute(**rows)["macro"]["f1"])
assert "torch" not in sys.modules
"""


def test_two_runs_at_once_use_no_network_no_files_and_no_code_of_the_working_folder(tmp_path):
    """Field case 67: `evaluate.load("accuracy")` would import ./accuracy/accuracy.py and lock files under HF_HOME."""
    for name in ("accuracy", "segment_accuracy", "f1"):
        (tmp_path / "cwd" / name).mkdir(parents=True)
        (tmp_path / "cwd" / name / f"{name}.py").write_text("raise SystemExit('code of the working folder ran')\n")
    home = tmp_path / "hf_home"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("HF_")},
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
    }
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=tmp_path / "cwd",
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for run in runs:
        out, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
        # segments: right, wrong, right; tracks: "a" is a tie, which goes to the lower index, the true one; "b" is right
        assert out.splitlines() == ["{'accuracy': 0.6666666666666666} 0.6666666666666666", "{'accuracy': 1.0} 1.0"]
    assert not (home / "metrics").exists()
    assert sorted(path.name for path in (tmp_path / "cwd").iterdir()) == ["accuracy", "f1", "segment_accuracy"]
