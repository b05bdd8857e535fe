"""The record: nothing goes in or comes out that its schema does not name, and its page names all of it."""

import dataclasses
import json
import re
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgc_hf.errors import RecordError
from mgc_hf.results import (
    SCHEMA_VERSION,
    AverageScores,
    Calibration,
    DataRecord,
    EnvironmentRecord,
    EpochRecord,
    FloorRecord,
    GenreScores,
    Interval,
    LeakRecord,
    LevelScores,
    ModelRecord,
    ReliabilityBin,
    RunResult,
    SkippedFile,
    SplitRecord,
    TrainingRecord,
    VerdictRecord,
    format_interval,
)

PAGE = Path(__file__).parents[1] / "docs" / "results.md"


def level(n=4):
    return LevelScores(
        n=n,
        accuracy=Interval(0.75, [0.5, 1.0]),
        macro_f1=Interval(0.7, None),
        loss=0.9,
        per_genre={
            "jazz": GenreScores(0.5, 1.0, 0.6667, n // 4, [0.2, 1.0]),
            "polka": GenreScores(1.0, 0.6667, 0.8, 3 * n // 4, None),
        },
        macro=AverageScores(0.75, 0.8333, 0.7333),
        weighted=AverageScores(0.875, 0.75, 0.7667),
        confusion_matrix=[[n // 4, 0], [n // 4, n // 2]],
        top2_accuracy=Interval(1.0, [0.5, 1.0]),
        accuracy_by_artist=Interval(0.75, [0.4, 1.0]),
        calibration=Calibration(
            0.05, 1.5, 0.02, [ReliabilityBin(0.0, 0.5, 0, None, None), ReliabilityBin(0.5, 1.0, n, 0.8, 0.75)]
        ),
    )


def result(**changes):
    values = {
        "name": "Ragtime – café",
        "protocol": "track",
        "leaky": False,
        "seed": 3,
        "track": level(),
        "segment": level(40),
        "data": DataRecord(
            source="owner/name",
            revision=None,
            is_demo=False,
            test_source=None,
            test_revision=None,
            genres=["jazz", "polka"],
            tracks={"test": {"jazz": 1, "polka": 3}},
            segments={"test": {"jazz": 10, "polka": 30}},
            skipped=[SkippedFile("jazz/\udce9.au", "empty")],
            segment_seconds=3.0,
            hop_seconds=3.0,
            sampling_rate=22050,
            faults_left_out=0,
        ),
        "split": SplitRecord(
            "track",
            3,
            "0" * 64,
            "By track.",
            VerdictRecord("leaks", [LeakRecord("artist", "ABBA", {"train": 3, "test": 1})], 40, 2),
            0,
            [{"jazz": 1, "polka": 3}],
        ),
        "model": ModelRecord(
            "mel_lstm", "MelLstmForAudioClassification", None, 1234, "LogMelFeatureExtractor", "its card names GTZAN"
        ),
        "training": TrainingRecord(
            recipe="lstm.py",
            epochs=2.0,
            steps=20,
            selected="best",
            selected_epoch=1.0,
            weight_averaging=True,
            history=[
                EpochRecord(1.0, 10, 2.0, 0.3, 1.9, 0.4, 0.5),
                EpochRecord(2.0, 20, None, None, None, None, None),
            ],
            options={"learning_rate": 1e-3, "report_to": ["tensorboard"], "split": None},
            resolved={"fp16": False, "warmup": {"steps": 3}},
            seconds=12.5,
            resumed=False,
        ),
        "environment": EnvironmentRecord("3.11.7", "Linux x86_64", {"torch": "2.13"}, "cpu", 1, 1, "float32"),
        "created": "2026-01-02T03:04:05+00:00",
        "mgc_hf_version": "0.1.0",
        "floor": FloorRecord(
            Interval(0.5, [0.2, 0.8]), Interval(0.5, None), Interval(0.25, [-0.1, 0.6]), 2, 1, 0.75, 1.5
        ),
        "inference_seconds": 0.25,
    }
    return RunResult(**{**values, **changes})


@pytest.mark.parametrize("value", [result(), result(training=None, seed=None, leaky=True)])
def test_round_trip(tmp_path, value):
    value.save(tmp_path / "results.json")
    assert RunResult.load(tmp_path / "results.json") == value
    assert RunResult.from_dict(value.to_dict()) == value
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_keys_that_others_rely_on():
    value = result().to_dict()
    assert {"protocol", "leaky", "seed", "track", "segment"} <= set(value)
    assert value["track"]["accuracy"] == {"value": 0.75, "ci95": [0.5, 1.0]}
    assert set(value["track"]["per_genre"]) == {"jazz", "polka"}
    assert value["track"]["confusion_matrix"] == [[1, 0], [1, 2]]
    assert value["schema_version"] == SCHEMA_VERSION == 2


# strict: every place of the record, found by walking it


def places(value, kind, path=()):
    """Yield `(path, annotation)` of every dataclass field, entry and element below a plain record."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is not None:
            yield from places(value, next(a for a in arguments if a is not type(None)), path)
    elif dataclasses.is_dataclass(kind):
        for name, hint in typing.get_type_hints(kind).items():
            yield (*path, name), hint
            yield from places(value[name], hint, (*path, name))
    elif origin is dict and arguments[1] is not Any:
        for key, item in value.items():
            yield (*path, key), arguments[1]
            yield from places(item, arguments[1], (*path, key))
    elif origin is list:
        for index, item in enumerate(value):
            yield (*path, index), arguments[0]
            yield from places(item, arguments[0], (*path, index))


PLACES = list(places(result().to_dict(), RunResult))


#: What version 2 added, below any object of these names.
ADDED = {
    *("recall_ci95", "top2_accuracy", "accuracy_by_artist", "calibration", "faults_left_out"),
    *("verdict", "fold", "folds", "contamination", "floor", "inference_seconds"),
}


def without_added(value):
    if isinstance(value, list):
        return [without_added(item) for item in value]
    if isinstance(value, dict):
        return {key: without_added(item) for key, item in value.items() if key not in ADDED}
    return value


def test_a_record_of_version_1_is_read_and_has_not_measured_what_version_2_added(tmp_path):
    old = {**without_added(result().to_dict()), "schema_version": 1}
    (tmp_path / "results.json").write_text(json.dumps(old), encoding="utf-8")
    read = RunResult.load(tmp_path / "results.json")
    new = read.to_dict()
    assert new["schema_version"] == 2
    assert {**without_added(new), "schema_version": 1} == old
    added = [(*path,) for path, _ in places(new, RunResult) if path[-1] in ADDED]
    assert {path[-1] for path in added} == ADDED
    assert all(at(new, path) is None for path in added)
    assert RunResult.from_dict(new) == read
    with pytest.raises(RecordError, match="missing key"):
        RunResult.from_dict({**old, "schema_version": 2})
    del old["track"]["loss"]  # a key that version 1 has
    with pytest.raises(RecordError, match=r"results\.track: missing key loss"):
        RunResult.from_dict(old)


def at(value, path):
    for key in path:
        value = value[key]
    return value


def test_the_walk_saw_the_whole_record():
    assert len(PLACES) > 150
    assert {path[-1] for path, _ in PLACES} >= {f.name for kind in kinds() for f in dataclasses.fields(kind)}


def test_a_value_of_another_type_is_refused_anywhere():
    value, tried = result().to_dict(), 0
    for path, hint in PLACES:
        holder, right = at(value, path[:-1]), at(value, path)
        for wrong in ("text", 7, 0.5, True, None, [], {}, ["x"], {"x": "y"}, float("inf")):
            if fits(wrong, hint):
                continue
            holder[path[-1]] = wrong
            with pytest.raises(RecordError) as error:
                RunResult.from_dict(value)
            tried += 1
            where = ".".join(key for key in path if isinstance(key, str))
            assert where in re.sub(r"\[\d+\]", "", str(error.value))
        holder[path[-1]] = right
    assert tried > 1000
    assert RunResult.from_dict(value) == result()


def fits(value, hint):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value is None or not (isinstance(value, float) and not np.isfinite(value))
    if origin in (types.UnionType, typing.Union):
        return any(fits(value, a) for a in arguments)
    if hint is type(None):
        return value is None
    if origin is list:
        return isinstance(value, list) and all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, arguments[1]) for item in value.values())
    if hint is float:
        return type(value) in (int, float) and np.isfinite(value)
    return type(value) is hint


def test_a_key_too_many_or_too_few_is_refused_anywhere():
    objects = [(), *(path for path, hint in PLACES if isinstance(at(result().to_dict(), path), dict))]
    strict = [path for path in objects if dataclasses.is_dataclass(hint_of(path))]
    assert len(strict) > 15
    for path in strict:
        extra = result().to_dict()
        at(extra, path)["colour"] = 1
        with pytest.raises(RecordError, match="unknown key colour"):
            RunResult.from_dict(extra)
        for name in at(result().to_dict(), path):
            if name == "schema_version":
                continue
            less = result().to_dict()
            del at(less, path)[name]
            with pytest.raises(RecordError, match=f"missing key {name}"):
                RunResult.from_dict(less)


def hint_of(path):
    if not path:
        return RunResult
    hint = dict(PLACES)[path]
    return typing.get_args(hint)[0] if typing.get_origin(hint) is types.UnionType else hint


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"seed": {3}}, "results.seed is a set, which is no plain JSON type"),
        ({"seed": np.float64(3)}, "results.seed must be of type int"),
        ({"track": dataclasses.replace(level(), loss=float("nan"))}, "results.track.loss is nan; .* must be None"),
        (
            {"track": dataclasses.replace(level(), loss=np.float32("inf"))},
            "results.track.loss is inf; .* must be None",
        ),
        ({"segment": dataclasses.replace(level(), confusion_matrix=np.eye(2))}, r"confusion_matrix\[0\]\[0\] must be"),
        ({"data": dataclasses.replace(result().data, tracks={1: {}})}, "results.data.tracks: key 1 is no string"),
        ({"seed": "3"}, "results.seed must be of type int, got '3'"),
        ({"track": dataclasses.replace(level(), n=4.0)}, "results.track.n must be of type int"),
        ({"segment": None}, "results.segment must be an object"),
        ({"track": None}, "results.track must be null where segments are split .* and split.unit is 'track'"),
        ({"split": SplitRecord("segment", 3, "0" * 64, "Leaky.")}, "split.unit is 'segment'"),
    ],
)
def test_writing_is_as_strict_as_reading(tmp_path, changes, text):
    with pytest.raises(RecordError, match=text):
        result(**changes).save(tmp_path / "results.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "schema_version is missing"),
        ("{}", "schema_version is missing"),
        ('{"schema_version": true}', "schema_version is missing"),
        ('{"schema_version": 3, "anything": 1}', "schema_version 3 is newer than this mgc_hf reads"),
        ('{"schema_version": NaN}', "NaN is not allowed"),
    ],
)
def test_files_that_are_refused_by_name(tmp_path, text, message):
    path = tmp_path / "results.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=re.escape(message)) as error:
        RunResult.load(path)
    assert str(error.value).startswith(f"{path}: ")


def test_numbers_too_large_for_a_float_are_refused(tmp_path):
    """JSON has no infinity, but Python reads 1e999 as one."""
    path = tmp_path / "results.json"
    for number in ("1e999", "9" * 400):
        path.write_text(json.dumps(result().to_dict()).replace('"loss": 0.9', f'"loss": {number}'), encoding="utf-8")
        with pytest.raises(RecordError, match=r"results\.track\.loss must be a finite number"):
            RunResult.load(path)


def test_a_whole_number_is_a_number():
    value = result().to_dict()
    value["track"]["loss"] = 1
    assert type(RunResult.from_dict(value).track.loss) is float


# text


def test_summary_and_interval_in_words():
    assert format_interval(Interval(0.5337, [0.471, 0.598])) == "53.4 % [47.1, 59.8]"
    assert format_interval(Interval(1.0, None)) == "100.0 % [not measured]"
    assert result().summary().splitlines() == [
        "track   accuracy 75.0 % [50.0, 100.0]  (n = 4)",
        "segment accuracy 75.0 % [50.0, 100.0]  (n = 40)",
        "floor: 50.0 % [20.0, 80.0] of tracks: the model is not better than it beyond chance (McNemar p = 0.750)",
        "protocol track (leak-free by track), seed 3",
    ]
    assert result(floor=None).summary().splitlines()[2] == "floor: not compared"
    leaky = result(leaky=True)
    assert leaky.summary().splitlines()[3:] == ["protocol track (leaky), seed 3", leaky.split.statement]


def test_leak_free_by_artist_is_said_as_far_as_it_is_known():
    def said(num_unknown, *leaks, protocol="artist"):
        verdict = VerdictRecord("not provable", list(leaks), 1000, num_unknown)
        one = result(protocol=protocol)
        return dataclasses.replace(one, split=dataclasses.replace(one.split, verdict=verdict)).leak

    assert said(0) == "leak-free by artist"
    assert said(81) == "leak-free by artist as far as known (81 tracks without one)"
    assert said(81, protocol="track") == "leak-free by track"
    assert said(0, LeakRecord("artist", "Queen", {"train": 1, "test": 1})) == "leak-free by track"


def test_pictures_that_belong_to_a_record():
    one_split = dataclasses.replace(result().split, folds=None)
    assert result(split=one_split).pictures[4:] == ["training_curves", "waveforms", "mel_spectrograms"]
    assert result().pictures == result(training=None).pictures  # all folds together have no curves
    assert result(training=None).pictures == [
        "confusion_matrix_track",
        "confusion_matrix_segment",
        "reliability",
        "class_distribution",
    ]
    assert "reliability" not in result(track=dataclasses.replace(level(), calibration=None)).pictures
    training = result().training
    assert result(training=dataclasses.replace(training, resolved={"pictures": False})).pictures == []
    assert (
        "training_curves" not in result(training=dataclasses.replace(training, history=training.history[1:])).pictures
    )


# the page


def kinds():
    """All dataclasses of the record."""
    found, waiting = [], [RunResult]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.append(kind)
            for hint in typing.get_type_hints(kind).values():
                waiting.extend(part for part in parts_of(hint) if dataclasses.is_dataclass(part))
    return found


def parts_of(hint):
    return [hint, *(part for argument in typing.get_args(hint) for part in parts_of(argument))]


def words(hint):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(words(a) for a in arguments)
    if origin is list:
        return f"list of {words(arguments[0])}"
    if origin is dict:
        return f"object of {words(arguments[1])}"
    if dataclasses.is_dataclass(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", Any: "any"}[hint]


def test_page_names_every_field_with_its_type_and_no_other():
    sections = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", section, re.MULTILINE)
        sections[section.split("\n")[0]] = {name: (kind, meaning) for name, kind, meaning in rows}
    assert sorted(sections) == sorted(kind.__name__ for kind in kinds())
    for kind in kinds():
        described = sections[kind.__name__]
        assert {name: text for name, (text, _) in described.items()} == {
            name: words(hint) for name, hint in typing.get_type_hints(kind).items()
        }
        assert all(len(meaning) > 5 for _, meaning in described.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value["track"]["accuracy"].update(value=1.5), "fractions from 0 to 1"),
        (lambda value: value["track"]["accuracy"].update(ci95=[0.9, 0.1]), r"\[low, high\]"),
        (lambda value: value["track"]["accuracy"].update(ci95=[0.1]), r"\[low, high\]"),
        (lambda value: value["track"].update(n=5), "do not fit together"),
        (lambda value: value["track"].update(confusion_matrix=[[4]]), "do not fit together"),
        (lambda value: value["track"].update(confusion_matrix=[[1, 0, 0], [1, 2, 0]]), "do not fit together"),
        (lambda value: value["data"].update(genres=["jazz"]), "data.genres"),
        (lambda value: value["segment"]["top2_accuracy"].update(value=-0.1), r"segment\.top2_accuracy: .* fractions"),
        (
            lambda value: value["track"]["accuracy_by_artist"].update(ci95=[0.5]),
            r"accuracy_by_artist: .*\[low, high\]",
        ),
        (lambda value: value["track"]["per_genre"]["jazz"].update(recall_ci95=[0.0, 1.1]), r"per_genre\.jazz: recall"),
        (lambda value: value["track"]["calibration"]["bins"].pop(), "bins do not hold the level's 4 items"),
    ],
)
def test_figures_that_cannot_be_true_are_refused(change, message):
    value = result().to_dict()
    change(value)
    with pytest.raises(RecordError, match=message):
        RunResult.from_dict(value)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_changed_record_is_read_whole_or_refused_by_name(tmp_path_factory, data):
    value = json.loads((Path(__file__).parent / "golden" / "results_track.json").read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        place = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            deeper = isinstance(place[key], dict | list) and len(place[key])
            if not deeper or data.draw(st.integers(0, 3)) == 0:
                break
            place = place[key]
        new = data.draw(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})
        )
        if data.draw(st.booleans()):
            place[key] = new
        else:
            del place[key]
        if not value:
            break
    file = tmp_path_factory.mktemp("record") / "results.json"
    file.write_text(json.dumps(value))
    try:
        result = RunResult.load(file)
    except RecordError as error:
        assert "results.json" in str(error)
        assert "\n" not in str(error)
        return
    result.save(file)
    assert RunResult.load(file) == result
