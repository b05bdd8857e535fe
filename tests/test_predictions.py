"""Predictions: pooled softmax first, ties to the lower index, and a file that is refused where it does not fit."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax as scipy_softmax

from mgc_hf.errors import RecordError
from mgc_hf.predictions import Predictions, most_probable, softmax

GENRES = ("blues", "jazz", "rock")
PAGE = Path(__file__).parents[1] / "docs" / "results.md"


def predictions(**changes):
    values = {
        "track_id": ["b", "a", "b"],
        "segment": [0, 0, 1],
        "start_s": [0.0, 0.0, 1.5],
        "part": ["test", "train", "test"],
        "label": [2, 1, 2],
        "logits": [[0.1, 0.2, 0.3], [0.0, 9.0, 0.0], [1.0, 0.0, -1.0]],
        "genres": GENRES,
    }
    return Predictions(**{**values, **changes})


def equal(one, other):
    return one.genres == other.genres and all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
    )


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False), min_size=3, max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_softmax_agrees_with_scipy_and_never_overflows(logits):
    got = softmax(np.array(logits, dtype=np.float32))
    assert got.dtype == np.float64
    assert np.allclose(got, scipy_softmax(np.array(logits, dtype=np.float32).astype(np.float64), axis=-1), atol=1e-12)
    assert np.allclose(got.sum(axis=-1), 1)


def test_columns_have_their_types():
    value = predictions()
    assert len(value) == 3
    assert value.label.dtype == value.segment.dtype == np.int64
    assert value.logits.dtype == np.float32
    assert value.start_s.dtype == np.float64
    assert np.allclose(value.probabilities.sum(axis=1), 1)


def test_of_part_keeps_order():
    test = predictions().of_part("test")
    assert test.track_id.tolist() == ["b", "b"]
    assert test.segment.tolist() == [0, 1]
    assert test.genres == GENRES
    assert len(predictions().of_part("validation")) == 0


def test_tracks_are_sorted_means_of_probabilities():
    tracks = predictions().to_tracks()
    assert tracks.track_id.tolist() == ["a", "b"]
    assert tracks.label.tolist() == [1, 2]
    assert tracks.num_segments.tolist() == [1, 2]
    expected = (scipy_softmax([0.1, 0.2, 0.3]) + scipy_softmax([1.0, 0.0, -1.0])) / 2
    assert np.allclose(tracks.probabilities[1], expected)
    assert tracks.predicted.tolist() == [1, 0]


def test_pooling_is_not_a_mean_of_logits():
    rows = predictions(
        track_id=["t"] * 3,
        label=[1] * 3,
        logits=[[9.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 2.0, 0.0]],
        part=["test"] * 3,
    )
    assert rows.logits.mean(axis=0).argmax() == 0
    assert rows.to_tracks().predicted.tolist() == [1]


@settings(deadline=None, max_examples=200)
@given(st.permutations([0, 1, 2]), st.lists(st.floats(-8, 8, width=32, allow_subnormal=False), min_size=3, max_size=3))
def test_exact_ties_go_to_the_lower_index_whatever_the_order_of_segments(order, logits):
    """Three segments whose logits are turns of each other: the means are equal, but float sums of them are not."""
    turned = np.stack([np.roll(np.array(logits, dtype=np.float32), shift) for shift in order])
    rows = predictions(track_id=["t"] * 3, label=[0] * 3, logits=turned)
    assert rows.to_tracks().predicted.tolist() == [0]


def test_a_lead_that_is_no_rounding_error_counts():
    assert most_probable(np.array([[0.3, 0.3 + 1e-9, 0.4 - 1e-9], [0.5, 0.5, 0.0]])).tolist() == [2, 0]
    assert most_probable(np.array([0.5 - 1e-9, 0.5 + 1e-9])) == 1


def test_segments_of_one_track_with_different_labels_are_refused():
    with pytest.raises(RecordError, match="track b has segments with different labels"):
        predictions(label=[2, 1, 0]).to_tracks()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"segment": [0, 1]}, r"segment has shape \(2,\), expected \(3,\)"),
        ({"logits": np.zeros((3, 2))}, r"logits have shape \(3, 2\), expected \(3, 3\)"),
        ({"logits": np.full((3, 3), np.nan)}, "NaN or infinite"),
        ({"logits": np.full((3, 3), 1e300)}, "NaN or infinite"),
        ({"part": ["test", "dev", "test"]}, r"unknown part \['dev'\]"),
        ({"label": [2, 1, 3]}, r"a label lies outside 0\.\.2"),
        ({"label": [2, -1, 2]}, r"a label lies outside 0\.\.2"),
        ({"label": [2.0, 0.7, 2.0]}, "label holds float64 values"),
        ({"segment": [0, 0, 0.5]}, "segment holds float64 values"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_rows_that_do_not_fit_together(changes, text):
    with pytest.raises(RecordError, match=text):
        predictions(**changes)


# the file


@pytest.mark.parametrize("rows", [3, 0])
def test_round_trip(tmp_path, rows):
    value = predictions(track_id=["ü/b", "a", "ü/b"])
    value = Predictions(
        **{f.name: getattr(value, f.name)[:rows] for f in fields(value) if f.name != "genres"}, genres=GENRES
    )
    value.save(tmp_path / "deep" / "predictions.parquet")
    assert equal(Predictions.load(tmp_path / "deep" / "predictions.parquet"), value)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["predictions.parquet"]


def test_columns_on_disk_are_those_of_the_page(tmp_path):
    predictions().save(tmp_path / "p.parquet")
    schema = pq.read_schema(tmp_path / "p.parquet")
    names = {"string": "string", "int64": "int64", "double": "double", "list<element: float>": "list of float"}
    page = re.sub(r"\s+", " ", PAGE.read_text(encoding="utf-8"))
    for column in schema:
        assert re.search(rf"`{column.name}` \({names[str(column.type)]}", page)
    assert schema.metadata[b"genres"] == b'["blues", "jazz", "rock"]'


def rewritten(tmp_path, change):
    path = tmp_path / "p.parquet"
    predictions().save(path)
    table = pq.read_table(path)
    pq.write_table(change(table), path)
    return path


def column(name, values, kind=None):
    return lambda table: table.set_column(table.column_names.index(name), name, pa.array(values, kind))


FLOATS = pa.list_(pa.float32())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda table: table.drop_columns(["start_s"]), "expected track_id (string)"),
        (lambda table: table.append_column("extra", pa.array([1, 2, 3])), "extra (int64); expected"),
        (column("label", ["a", "b", "c"]), "label (string)"),
        (column("label", [0.5, 1.0, 2.0]), "label (double)"),
        (column("label", [2, None, 2]), "nulls in label"),
        (column("track_id", [None, "a", "b"]), "nulls in track_id"),
        (column("label", [2, 1, 7]), "a label lies outside"),
        (column("part", ["test", "train", "tset"]), "unknown part"),
        (column("logits", [[0.0] * 3, [0.0] * 3, [0.0] * 2], FLOATS), "not a predictions file"),
        (column("logits", [[0.0] * 2] * 3, FLOATS), "logits have shape (2, 3)"),
        (column("logits", [[0.0] * 3, None, [0.0] * 3], FLOATS), "nulls in logits"),
        (column("logits", [[0.0] * 3, [0.0, None, 0.0], [0.0] * 3], FLOATS), "NaN"),
        (lambda table: table.replace_schema_metadata(None), "not a predictions file"),
        (lambda table: table.replace_schema_metadata({"genres": "["}), "not a predictions file"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(tmp_path, change, text):
    path = rewritten(tmp_path, change)
    with pytest.raises(RecordError) as error:
        Predictions.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert text in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"not parquet"])
def test_files_that_are_none(tmp_path, content):
    path = tmp_path / "p.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordError, match=re.escape(f"{path}: not a predictions file of mgc_hf")):
        Predictions.load(path)
