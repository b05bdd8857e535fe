"""Scores of a case small enough to do by hand, every number of it; and what must not change them."""

import math

import numpy as np
import pytest
from sklearn.metrics import log_loss

from mgc_hf.errors import OptionError, RecordError
from mgc_hf.evaluation.calibration import expected_calibration_error, fit_temperature
from mgc_hf.evaluation.intervals import accuracy_interval, wilson
from mgc_hf.evaluation.score import score
from mgc_hf.predictions import Predictions, softmax
from mgc_hf.results import AverageScores, Calibration, GenreScores, Interval, LevelScores, ReliabilityBin

GENRES = ("blues", "jazz", "rock")
# Three tracks. t1 is a tie of blues and jazz (0.45 each), which goes to blues; nothing is rock.
PROBABILITIES = [
    ("t1", 0, [0.6, 0.3, 0.1]),  # says blues
    ("t1", 0, [0.3, 0.6, 0.1]),  # says jazz
    ("t2", 1, [0.2, 0.5, 0.3]),  # says jazz
    ("t3", 1, [0.1, 0.3, 0.6]),  # says rock; the mean of the three is 0.1333, 0.4, 0.4667: rock
    ("t3", 1, [0.1, 0.2, 0.7]),  # says rock
    ("t3", 1, [0.2, 0.7, 0.1]),  # says jazz
]


def predictions(rows=PROBABILITIES, part="test"):
    track_id, label, probabilities = zip(*rows, strict=True)
    return Predictions(
        track_id=track_id,
        segment=np.arange(len(rows)),
        start_s=3.0 * np.arange(len(rows)),
        part=[part] * len(rows),
        label=label,
        logits=np.log(probabilities),
        genres=GENRES,
    )


def bins(**filled):
    """15 bins, of which some have items: `b6=(n, confidence, accuracy)`, the others none."""
    return [
        ReliabilityBin(near(index / 15), near((index + 1) / 15), *filled.get(f"b{index}", (0, None, None)))
        for index in range(15)
    ]


def near(value):
    return pytest.approx(value, abs=1e-7)


def random_predictions(num_tracks=40, seed=0, num_labels=5):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 8, size=num_tracks)
    label = np.repeat(rng.integers(0, num_labels, size=num_tracks), sizes)
    logits = rng.normal(size=(len(label), num_labels)) + np.eye(num_labels)[label]
    return Predictions(
        track_id=np.repeat([f"t{number:03d}" for number in range(num_tracks)], sizes),
        segment=np.concatenate([np.arange(size) for size in sizes]),
        start_s=np.zeros(len(label)),
        part=["test"] * len(label),
        label=label,
        logits=logits,
        genres=tuple("abcde")[:num_labels],
    )


def test_every_number_of_a_case_done_by_hand():
    track, segment = score(predictions(), seed=0)
    # Tracks: blues -> blues, jazz -> jazz, jazz -> rock. Drawing 3 of 3 with replacement, the wrong track comes three
    # times in 1/27 = 3.7 % of draws, never in 8/27: the 2.5 % and 97.5 % points of F1 are 0 and 1. Of three tracks one is
    # wrong, so that the accuracy has Wilson's interval.
    assert track == LevelScores(
        n=3,
        accuracy=Interval(near(2 / 3), near(wilson(2, 3))),
        macro_f1=Interval(near(5 / 6), [0.0, 1.0]),
        loss=near(-(math.log(0.45) + math.log(0.5) + math.log(0.4)) / 3),
        per_genre={
            "blues": GenreScores(1.0, 1.0, 1.0, 1, near(wilson(1, 1))),
            "jazz": GenreScores(1.0, 0.5, near(2 / 3), 2, near(wilson(1, 2))),
            "rock": GenreScores(0.0, 0.0, 0.0, 0),
        },
        macro=AverageScores(1.0, 0.75, near(5 / 6)),  # over blues and jazz; rock has no support
        weighted=AverageScores(1.0, near(2 / 3), near(7 / 9)),
        confusion_matrix=[[1, 0, 0], [0, 1, 1], [0, 0, 0]],
        top2_accuracy=Interval(1.0, near(wilson(3, 3))),
        # highest means: 0.45, 0.5 and 0.4667, the last one wrong and, as float32, above 7/15
        calibration=Calibration(
            near((0.55 + 1 / 30) / 3), None, None, bins(b6=(1, near(0.45), 1.0), b7=(2, near(29 / 60), 0.5))
        ),
    )
    # Segments: t1 has 1 of 2 right, t2 1 of 1, t3 1 of 3. Each of "t3 three times" and "t2 three times" is 3.7 %.
    assert segment == LevelScores(
        n=6,
        accuracy=Interval(0.5, near(wilson(1.5, 3))),
        macro_f1=Interval(near(13 / 21), [near(0.5), 1.0]),
        loss=near(-sum(map(math.log, (0.6, 0.3, 0.5, 0.3, 0.2, 0.7))) / 6),
        per_genre={
            "blues": GenreScores(1.0, 0.5, near(2 / 3), 2, near(wilson(0.5, 1))),  # segments of one track
            "jazz": GenreScores(near(2 / 3), 0.5, near(4 / 7), 4, near(wilson(1, 2))),  # and of two
            "rock": GenreScores(0.0, 0.0, 0.0, 0),
        },
        macro=AverageScores(near(5 / 6), 0.5, near(13 / 21)),
        weighted=AverageScores(near(7 / 9), 0.5, near(38 / 63)),
        confusion_matrix=[[1, 1, 0], [0, 2, 2], [0, 0, 0]],
        top2_accuracy=Interval(1.0, near(wilson(3, 3))),
        calibration=Calibration(
            near((0.5 + abs(1.8 - 1) + abs(1.4 - 1)) / 6),
            None,
            None,
            bins(b7=(1, near(0.5), 1.0), b9=(3, near(0.6), near(1 / 3)), b10=(2, near(0.7), 0.5)),
        ),
    )


def plain(value):
    if isinstance(value, dict):
        return all(type(key) is str and plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    return (
        value is None or type(value) in (int, float) or (hasattr(value, "__dataclass_fields__") and plain(vars(value)))
    )


def test_numbers_are_plain_python():
    for level in score(random_predictions()):
        assert plain(level)
        assert type(level.n) is int
        assert type(level.loss) is float
        assert type(level.confusion_matrix[0][0]) is int
        assert type(level.per_genre["a"].support) is int


def test_levels_agree_with_themselves_and_with_scikit_learn():
    rows = random_predictions()
    track, segment = score(rows)
    tracks = rows.to_tracks()
    assert segment.loss == pytest.approx(log_loss(rows.label, rows.probabilities, labels=range(5)))
    assert track.loss == pytest.approx(log_loss(tracks.label, tracks.probabilities, labels=range(5)))
    for level, count in ((track, len(tracks.label)), (segment, len(rows))):
        matrix = np.array(level.confusion_matrix)
        assert level.n == matrix.sum() == count
        assert matrix.sum(axis=1).tolist() == [scores.support for scores in level.per_genre.values()]
        assert level.accuracy.value == pytest.approx(np.trace(matrix) / count)
        assert level.macro_f1.value == level.macro.f1
        for interval in (level.accuracy, level.macro_f1):
            assert interval.ci95[0] < interval.value < interval.ci95[1]


def test_row_order_changes_nothing():
    rows = random_predictions()
    order = np.random.default_rng(1).permutation(len(rows))
    columns = {
        name: getattr(rows, name)[order] for name in ("track_id", "segment", "start_s", "part", "label", "logits")
    }
    for level, shuffled in zip(score(rows), score(Predictions(**columns, genres=rows.genres)), strict=True):
        assert level.loss == pytest.approx(shuffled.loss, rel=1e-12)
        assert level.calibration.ece == pytest.approx(shuffled.calibration.ece, rel=1e-12)
        unsummed = {"loss": 0, "calibration": None}
        assert {**vars(level), **unsummed} == {**vars(shuffled), **unsummed}


def test_seed_moves_intervals_only():
    first, second = score(random_predictions(), seed=0)[1], score(random_predictions(), seed=1)[1]
    assert first.accuracy.ci95 != second.accuracy.ci95
    assert first.accuracy.value == second.accuracy.value
    assert score(random_predictions(), seed=0)[1] == first


def test_intervals_at_segment_level_are_by_track():
    """40 tracks, each all right or all wrong: the interval is as wide as that of 40 items, not of 400."""
    rows = [(f"t{t:02d}", 0, [0.9, 0.05, 0.05] if t % 2 else [0.05, 0.9, 0.05]) for t in range(40) for _ in range(10)]
    track, segment = score(predictions(rows))
    assert segment.accuracy.ci95 == pytest.approx(track.accuracy.ci95)
    assert segment.accuracy.ci95[1] - segment.accuracy.ci95[0] > 0.25


def test_temperatures_come_from_the_validation_part_at_either_level():
    """Of tracks the logarithms of the mean probabilities are tempered, so that no track's class changes."""
    test, validation = random_predictions(seed=0), random_predictions(seed=1)
    fitted = Predictions(**{**vars(validation), "part": ["validation"] * len(validation)})
    levels = score(test, validation=fitted)
    tracks = fitted.to_tracks()
    assert levels[0].calibration.temperature == fit_temperature(np.log(tracks.probabilities), tracks.label)
    assert levels[1].calibration.temperature == pytest.approx(fit_temperature(fitted.logits, fitted.label))
    of_tracks = test.to_tracks()
    tempered = np.log(of_tracks.probabilities) / levels[0].calibration.temperature
    assert levels[0].calibration.ece_at_temperature == pytest.approx(
        expected_calibration_error(softmax(tempered), of_tracks.label)
    )
    for level, alone in zip(levels, score(test, validation=fitted.of_part("test")), strict=True):
        assert (alone.calibration.temperature, alone.calibration.ece_at_temperature) == (None, None)
        assert alone.calibration.bins == level.calibration.bins


def test_an_interval_by_artist_draws_all_tracks_of_an_artist():
    """40 tracks of eight artists, each all right or all wrong, are eight trials."""
    rows = [(f"t{t:02d}", 0, [0.9, 0.05, 0.05] if t % 8 < 5 else [0.05, 0.9, 0.05]) for t in range(40)]
    artist_of = {f"t{t:02d}": f"a{t % 8}" for t in range(40)}
    for level in score(predictions(rows), artist_of=artist_of):
        assert level.accuracy_by_artist.value == level.accuracy.value == 0.625
        assert level.accuracy_by_artist.ci95 == pytest.approx(wilson(5, 8))
        assert level.accuracy.ci95[0] > level.accuracy_by_artist.ci95[0]
    rows = random_predictions(60)
    artist_of = {track: f"a{int(track[1:]) // 2}" for track in rows.track_id}
    groups = np.array([artist_of[track] for track in rows.track_id])
    segment = score(rows, artist_of=artist_of, seed=3)[1]
    expected = accuracy_interval(groups, rows.logits.argmax(axis=-1) == rows.label, seed=3)
    assert segment.accuracy_by_artist.ci95 == expected
    with pytest.raises(RecordError, match=r"no artist for 1 tracks, such as t059"):
        score(rows, artist_of={track: track for track in rows.track_id if track != "t059"})


def test_two_of_two_genres_are_no_figure():
    rows = random_predictions(num_labels=2)
    assert [level.top2_accuracy for level in score(rows)] == [None, None]


def test_losses_stay_finite_where_probabilities_vanish():
    rows = Predictions(["t"], [0], [0.0], ["test"], [1], [[1e4, 0.0]], ("a", "b"))
    track, segment = score(rows)
    assert segment.loss == 1e4
    assert track.loss == pytest.approx(-math.log(np.finfo(np.float64).eps))


def test_no_intervals_where_none_are_asked_for():
    for level in score(predictions(), num_resamples=0):
        assert level.accuracy.ci95 is None
        assert level.macro_f1.ci95 is None
        assert level.top2_accuracy.ci95 is None


def test_refusals():
    mixed = predictions()
    mixed = Predictions(**{**vars(mixed), "part": ["train", *["test"] * 5]})
    with pytest.raises(RecordError, match=r"are of test and train\. Choose one"):
        score(mixed)
    with pytest.raises(RecordError, match="given are none"):
        score(mixed.of_part("validation"))
    with pytest.raises(OptionError, match="num_resamples is 7"):
        score(predictions(), num_resamples=7)
