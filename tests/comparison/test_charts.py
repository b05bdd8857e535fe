"""The report's charts: what they say is what the records say, and they can be read on a phone."""

import dataclasses
import re
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from mgc_hf.comparison import charts
from mgc_hf.comparison.drawing import save_png, to_svg
from mgc_hf.comparison.listening import wrong_tracks
from mgc_hf.comparison.material import Material, System
from mgc_hf.comparison.paper import paper_systems
from mgc_hf.comparison.ranking import standings
from mgc_hf.pictures import fixed_style
from tests.comparison.small_runs import HUBERT, LSTM, entry, made_up, small_material


@pytest.fixture(scope="module")
def material():
    return small_material()


def drawn(figure_of, *arguments, **options):
    with fixed_style():
        figure = figure_of(*arguments, **options)
        FigureCanvasAgg(figure).draw()
    return figure


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def assert_fits(figure):
    """No text is cut off, and no two row labels overlap."""
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    rows, unseen = [], set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            unseen |= {
                label for tick in ticks for label in (tick.label1, tick.label2) if not low <= tick.get_loc() <= high
            }
        rows.append([label for label in axes.get_yticklabels() if label not in unseen])
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text() and text not in unseen]
    assert len(texts) > 5
    for text in texts:
        box = text.get_window_extent(renderer)
        assert -2 <= box.x0 <= box.x1 <= width + 2, text
        assert -2 <= box.y0 <= box.y1 <= height + 2, text
    for labels in rows:
        boxes = [label.get_window_extent(renderer) for label in labels]
        for one, other in pairwise(boxes):
            assert not one.padded(-1).overlaps(other.padded(-1))


def test_accuracies_stand_beside_the_paper_and_the_way_from_leak_to_none_is_drawn(material):
    figure = drawn(charts.accuracy_by_protocol, material)
    said = words(figure)
    assert [one for one in said if one in ("paper", "segment", "track")] == [
        "paper",
        "segment",
        "track",
        "paper",
        "track",
    ]
    for protocol in ("segment", "track"):
        for standing in standings(material, protocol, unit="segment"):
            assert f"{100 * standing.accuracy.value:.0f}" in said
    for key in ("lstm", "hubert"):
        assert f"{100 * paper_systems()[key].accuracy:.0f}" in said
    arrows = [a for a in figure.axes[0].texts if getattr(a, "arrow_patch", None) is not None]
    assert len(arrows) == 1  # one system has both
    by_protocol = {p: standings(material, p, unit="segment")[0].accuracy.value for p in ("segment", "track")}
    assert arrows[0].xyann[0] == pytest.approx(100 * by_protocol["segment"])
    assert arrows[0].xy[0] == pytest.approx(100 * by_protocol["track"])
    assert_fits(figure)


def test_tracks_have_no_accuracy_where_segments_are_divided(material):
    said = words(drawn(charts.accuracy_by_protocol, material, level="track"))
    assert "segment" not in said
    assert said.count("track") == 2
    leaky = Material(material.of(protocol="segment"))
    with pytest.raises(ValueError, match="no run has an accuracy of tracks"):
        charts.accuracy_by_protocol(leaky, level="track")


def test_every_chart_fits_with_names_that_are_long():
    genres = ["Musique concrète et électroacoustique du vingtième siècle", "a|b", "<b>", "Hip-Hop / R&B"]
    long = System(4, "long", "A system whose name is much longer than what fits above a chart on any phone", "x")
    run = entry(long, predictions=made_up(genres, 0.3, per_genre=3))
    counts = {part: dict.fromkeys(genres, 40) for part in ("train", "validation", "test")}
    data = dataclasses.replace(run.result.data, tracks=counts, segments=counts)
    run = dataclasses.replace(run, result=dataclasses.replace(run.result, data=data))
    for figure_of, given in [
        (charts.accuracy_by_protocol, Material([run])),
        (charts.classes, run),
        (charts.confusion, run),
        (charts.reliability, [run, run, run]),
        (charts.genre_differences, run),
        (charts.along, wrong_tracks([run])[0]),
    ]:
        more = ({genres[0]: 0.5, genres[2]: 0.9},) if figure_of is charts.genre_differences else ()
        figure = drawn(figure_of, given, *more)
        assert figure.get_figwidth() <= charts.WIDTH
        assert_fits(figure)


def test_a_confusion_matrix_has_the_counts_of_the_level_that_is_divided(material):
    run = material.of(LSTM, "segment")[0]
    figure = drawn(charts.confusion, run)
    counts = np.array(run.result.segment.confusion_matrix)
    cells = {(int(t.get_position()[1]), int(t.get_position()[0])): int(t.get_text()) for t in figure.axes[0].texts}
    assert cells == {(int(r), int(c)): int(counts[r, c]) for r, c in np.argwhere(counts)}
    assert "Predicted genre of the segment" in words(figure)
    assert_fits(figure)


def test_differences_per_genre_are_points_less_the_papers(material):
    run = material.of(HUBERT)[0]
    paper = {genre: scores.f1 for genre, scores in paper_systems()["hubert"].genres.items()}
    figure = drawn(charts.genre_differences, run, paper)
    first = run.result.data.genres[0]
    difference = 100 * (run.scores.per_genre[first].f1 - paper[first])
    assert f"{difference:+.0f}".replace("-", "−") in words(figure)
    assert_fits(figure)
    with pytest.raises(ValueError, match="of a genre of the paper"):
        charts.genre_differences(run, {"polka": 0.5})


def test_curves_are_those_of_every_fold(material):
    run = material.of(LSTM, "track")[0]
    alone = drawn(charts.curves, run)
    assert any(text.startswith("weights used: epoch") for text in words(alone))
    assert_fits(alone)
    folded = dataclasses.replace(run, folds=(run.result, run.result))
    both = drawn(charts.curves, folded)
    assert len(both.axes[0].lines) == 2 * len(alone.axes[0].lines)
    untrained = dataclasses.replace(run, result=dataclasses.replace(run.result, training=None))
    with pytest.raises(ValueError, match="holds no curves"):
        charts.curves(untrained)


def test_reliability_is_the_records_or_that_of_the_predictions(material):
    run = material.of(LSTM, "track")[0]
    older = dataclasses.replace(run.result.track, calibration=None)
    older = dataclasses.replace(run, result=dataclasses.replace(run.result, track=older))
    computed = words(drawn(charts.reliability, [older]))
    bins = [{"low": 0.0, "high": 1.0, "n": 20, "confidence": 0.5, "accuracy": 0.08}]
    from mgc_hf.results import Calibration, ReliabilityBin

    known = Calibration(0.42, None, None, [ReliabilityBin(**one) for one in bins])
    track = dataclasses.replace(run.result.track, calibration=known)
    recorded = dataclasses.replace(run, result=dataclasses.replace(run.result, track=track))
    assert any("ECE 42 %" in text for text in words(drawn(charts.reliability, [recorded])))
    assert any(re.search(r"ECE \d+ %", text) for text in computed)


def test_lines_along_a_track_are_its_segments_probabilities(material):
    track = wrong_tracks(material.of(protocol="track"))[0]
    figure = drawn(charts.along, track)
    assert len(figure.axes) == len(track.heard)
    for axes, one in zip(figure.axes, track.heard, strict=True):
        blue = next(line for line in axes.lines if line.get_color() == charts.BLUE)
        assert blue.get_ydata()[1:-1] == pytest.approx(one.probabilities[:, one.label])
        assert blue.get_xdata()[1] == pytest.approx(one.start_s[0] + one.segment_seconds / 2)
        box = axes.get_position()  # the page lays the spectrogram above by these
        assert (box.x0, box.x1) == pytest.approx(charts.TIME_AXIS)


def test_svg_is_whole_and_says_the_same_each_time(material, tmp_path):
    def draw():
        return charts.confusion(material.runs[0])

    genres = material.runs[0].result.data.genres
    one, again, other = (to_svg(draw, genres, key, 'a "b" <c>') for key in ("a", "a", "b"))
    assert one == again
    assert one.startswith('<svg role="img" aria-label="a &quot;b&quot; &lt;c&gt;"')
    assert one.endswith("</svg>")
    assert "http" not in one
    assert ">blues</text>" in one  # text, not outlines
    names = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, other)]
    assert names[0]
    assert not names[0] & names[1]
    used = {name for pair in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', one) for name in pair if name}
    assert used == names[0]
    save_png(draw, genres, tmp_path / "a.png")
    save_png(draw, genres, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
