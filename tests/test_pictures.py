"""Pictures: what they show comes from the record, nothing is cut off or overlaps, and the bytes are always the same."""

import dataclasses
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from mgc_hf import pictures
from mgc_hf.pictures import GenreClips, draw_all, sound
from mgc_hf.pictures.style import PART_COLOURS, SHARE_COLOURS, ink_on, shorten
from mgc_hf.results import PICTURE_FILES, EpochRecord, RunResult

GOLDEN = Path(__file__).parent / "golden"
RATE = 8000
ODD_NAMES = [
    "a|b",
    "<b>bold</b>",
    r"$\frac$ and 100 %",
    "Musique concrète et électroacoustique du vingtième siècle",
    "\n",
    "",
]
ODD_NAMES += ["ジャズ", "ジャズ!", "Hip-Hop / R&B", "жанр"]
MANY = ODD_NAMES + [f"Drum and bass, subgenre number {i:02d}" for i in range(20)]


def load(name):
    return RunResult.load(GOLDEN / f"results_{name}.json")


def changed(result, part=None, **values):
    if part is None:
        return dataclasses.replace(result, **values)
    return dataclasses.replace(result, **{part: dataclasses.replace(getattr(result, part), **values)})


def with_genres(result, genres):
    """Return a record of other genres: a diagonal of ones, and one confusion."""
    matrix = np.eye(len(genres), dtype=int)
    matrix[0, -1] = 12
    of_genre = next(iter(result.segment.per_genre.values()))

    def level(scores):
        return dataclasses.replace(
            scores, per_genre=dict.fromkeys(genres, of_genre), confusion_matrix=matrix.tolist(), n=int(matrix.sum())
        )

    counts = {
        "train": dict.fromkeys(genres, 1000),
        "validation": dict.fromkeys(genres, 3),
        "test": dict.fromkeys(genres, 1),
    }
    levels = {name: level(scores) for name, scores in result.levels.items()}
    result = dataclasses.replace(result, **levels)
    return changed(result, "data", genres=list(genres), tracks=counts, segments=counts)


def clips(genres, seconds=2.0):
    times = np.arange(round(seconds * RATE)) / RATE
    waves = {g: (np.sin(2 * np.pi * (200 + 50 * i) * times).astype(np.float32), RATE) for i, g in enumerate(genres)}
    rng = np.random.default_rng(0)
    mels = {g: rng.normal(-20, 10, (len(times) // 256 + 1, 40)).astype(np.float32) for g in genres}
    return GenreClips(waves, mels, hop_length=256, min_frequency=0.0, max_frequency=RATE / 2)


def drawn(builder, result, *arguments):
    """Return a figure as it is written, laid out and drawn."""
    with pictures.fixed_style([*result.data.genres, result.name]):
        figure = builder(result, *arguments)
        FigureCanvasAgg(figure).draw()
    return figure


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def assert_readable(figure):
    """Every text lies inside the picture; tick labels of one axis do not overlap."""
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            labels = [
                tick.label1
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high and tick.label1.get_visible() and axes.get_visible()
            ]
            for label in labels:
                box = label.get_window_extent(renderer)
                assert box.x0 >= -1, label
                assert box.y0 >= -1, label
                assert box.x1 <= width + 1, label
                assert box.y1 <= height + 1, label
            if any(label.get_rotation() % 90 for label in labels):
                continue  # boxes of slanted text overlap where the text does not
            boxes = [label.get_window_extent(renderer) for label in labels]
            for first, second in pairwise(boxes):
                assert not first.padded(-1).overlaps(second.padded(-1)), [label.get_text() for label in labels]
    title = figure._suptitle.get_window_extent(renderer)
    assert title.x0 >= 0
    assert title.x1 <= width


def all_builders(its_clips):
    return {
        "class_distribution": (pictures.class_distribution, ()),
        "waveforms": (pictures.waveforms, (its_clips,)),
        "mel_spectrograms": (pictures.mel_spectrograms, (its_clips,)),
        "training_curves": (pictures.training_curves, ()),
        "confusion_matrix_track": (pictures.confusion_matrix, ("track",)),
        "confusion_matrix_segment": (pictures.confusion_matrix, ("segment",)),
        "reliability": (pictures.reliability, ()),
    }


def test_draws_what_belongs_to_the_record(tmp_path):
    result = load("test_dataset")
    written = draw_all(result, clips(result.data.genres), tmp_path)
    assert written == [tmp_path / PICTURE_FILES[name] for name in result.pictures]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == sorted(path.name for path in written)
    assert len(written) == len(PICTURE_FILES) == 7
    for path in written:
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert 10_000 < path.stat().st_size < 3_000_000


def test_same_input_same_bytes_whatever_the_users_style(tmp_path):
    result = load("test_dataset")
    first = draw_all(result, clips(result.data.genres), tmp_path / "a")
    before = {"font.size": 23.0, "axes.facecolor": "red", "text.usetex": False, "savefig.dpi": 37.0}
    with matplotlib.rc_context(before):
        second = draw_all(result, clips(result.data.genres), tmp_path / "b")
        assert {key: matplotlib.rcParams[key] for key in before} == before
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"Matplotlib" not in first[0].read_bytes()


def test_neither_import_nor_drawing_touches_pyplot(tmp_path):
    code = (
        "import sys, mgc_hf.pictures as p; assert 'matplotlib' not in sys.modules;"
        "from mgc_hf.results import RunResult; r = RunResult.load(sys.argv[1]);"
        "import dataclasses; p.draw_all(dataclasses.replace(r, training=None), None, sys.argv[2]);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, GOLDEN / "results_test_dataset.json", tmp_path], check=True)


def test_evaluation_alone_draws_neither_curves_nor_clips(tmp_path):
    written = draw_all(changed(load("test_dataset"), training=None), None, tmp_path)
    assert {path.stem for path in written} == {
        "class_distribution",
        "confusion_matrix_track",
        "confusion_matrix_segment",
        "reliability",
    }


def test_pictures_can_be_left_out(tmp_path):
    result = load("track")
    result = changed(result, "training", resolved={**result.training.resolved, "pictures": False})
    assert draw_all(result, None, tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_no_half_written_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "class_distribution", lambda result: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        draw_all(load("test_dataset"), None, tmp_path)
    assert {path.name for path in (tmp_path / "images").iterdir()} == {
        "confusion_matrix_track.png",
        "confusion_matrix_segment.png",
        "reliability.png",
    }


def test_training_record_without_clips_is_refused(tmp_path):
    with pytest.raises(ValueError, match="one clip per genre"):
        draw_all(load("test_dataset"), None, tmp_path)


def test_clips_are_checked():
    wave, mel = np.zeros(100, np.float32), np.zeros((5, 40), np.float32)
    with pytest.raises(ValueError, match=r"waveform of jazz has shape \(2, 50\)"):
        GenreClips({"jazz": (wave.reshape(2, 50), RATE)}, {}, 256, 0.0, 4000.0)
    with pytest.raises(ValueError, match=r"mel-spectrogram of jazz has shape \(40,\)"):
        GenreClips({"jazz": (wave, RATE)}, {"jazz": mel[0]}, 256, 0.0, 4000.0)
    with pytest.raises(ValueError, match="has no waveform"):
        GenreClips({}, {"jazz": mel}, 256, 0.0, 4000.0)


def test_titles_say_protocol_leak_and_synthetic():
    leaky, plain = load("segment_demo"), load("track")
    for result, present, absent in (
        (leaky, ["LEAKY", "Protocol segment", "(synthetic demo corpus)", "lstm-demo-segment"], ["leak-free"]),
        (plain, ["leak-free", "Protocol track", "lstm-track"], ["LEAKY", "synthetic"]),
    ):
        builders = all_builders(clips(result.data.genres))
        for builder, arguments in (builders[name] for name in result.pictures):
            title = drawn(builder, result, *arguments).get_suptitle()
            assert all(word in title for word in present), title
            assert not any(word in title for word in absent), title


def test_class_distribution_shows_the_counts():
    result = load("track")
    left, right = drawn(pictures.class_distribution, result).axes
    for axes, counts, unit in ((left, result.data.tracks, "tracks"), (right, result.data.segments, "segments")):
        parts = ("train", "validation", "test")
        widths = [[bar.get_width() for bar in container] for container in axes.containers]
        assert widths == [[counts[part][genre] for genre in result.data.genres] for part in parts]
        starts = [[bar.get_x() for bar in container] for container in axes.containers]
        assert starts[2] == [counts["train"][g] + counts["validation"][g] for g in result.data.genres]
        assert axes.get_xlabel() == f"Number of {unit}"
    assert [label.get_text() for label in left.get_yticklabels()] == result.data.genres


def test_class_distribution_does_not_add_up_tracks_that_are_in_several_parts():
    left, right = drawn(pictures.class_distribution, load("segment_demo")).axes
    assert {bar.get_x() for container in left.containers for bar in container} == {0}
    assert "every part that holds a segment" in left.get_title(loc="left")
    assert max(bar.get_x() for container in right.containers for bar in container) > 0


def test_class_distribution_writes_out_parts_too_narrow_for_a_figure():
    figure = drawn(pictures.class_distribution, with_genres(load("track"), ["jazz", "polka"]))
    assert words(figure).count("1,000 + 3 + 1") == 4


@pytest.mark.parametrize("level", ["track", "segment"])
def test_confusion_matrix_shows_counts_and_row_percentages(level):
    result = load("test_dataset")
    figure = drawn(pictures.confusion_matrix, result, level)
    axes = figure.axes[0]
    cells = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    matrix = np.array(getattr(result, level).confusion_matrix)
    assert len(cells) == (matrix > 0).sum()
    expected = {"track": {(0, 0): "3\n75 %", (3, 3): "2\n67 %"}, "segment": {(0, 0): "12\n60 %", (3, 0): "4\n20 %"}}
    for (column, row), text in expected[level].items():
        assert cells[(column, row)] == text
    shares = axes.images[0].get_array()
    assert shares[0, 0] == pytest.approx({"track": 75, "segment": 60}[level])
    assert not np.isnan(shares).any()  # pop has no test clip
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == {"track": "blues (4)", "segment": "blues (20)"}[level]
    accuracy = {
        "track": "10 test tracks, accuracy 80.0 % [49.0, 94.3]",
        "segment": "50 test segments, accuracy 70.0 %",
    }
    assert accuracy[level] in figure.get_suptitle()


def test_curves_show_the_history():
    result = load("track")
    accuracy, loss = drawn(pictures.training_curves, result).axes
    assert (accuracy.get_ylabel(), loss.get_ylabel()) == ("Accuracy (%)", "Loss (cross-entropy, nats)")
    history = result.training.history
    lines = {line.get_label(): line for axes in (accuracy,) for line in axes.get_lines()}
    assert lines["validation, tracks"].get_ydata() == pytest.approx(
        [100 * e.validation_track_accuracy for e in history]
    )
    assert lines["training, segments"].get_xdata() == pytest.approx([e.epoch for e in history])
    assert lines["weights used: epoch 17 (best on validation)"].get_xdata() == [17, 17]
    losses = {line.get_label(): line.get_ydata() for line in loss.get_lines()}
    assert losses["validation, segments"] == pytest.approx([e.validation_loss for e in history])
    assert losses["training, segments"] == pytest.approx([e.train_loss for e in history])


def test_curves_without_validation_show_what_there_is():
    result = load("test_dataset")
    figure = drawn(pictures.training_curves, result)
    assert not any("validation" in word for word in words(figure))
    assert any("epoch 12 (averaged)" in word for word in words(figure))
    history = [EpochRecord(1.0, 9, 2.1, None, None, None, None)]
    figure = drawn(pictures.training_curves, changed(result, "training", history=history, selected="last"))
    assert [axes.get_ylabel() for axes in figure.axes] == ["Loss (cross-entropy, nats)"]
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert "1" in ticks
    assert not any("." in tick for tick in ticks)


def test_history_without_a_value_has_no_curves():
    history = [EpochRecord(1.0, 9, None, None, None, None, None)]
    result = changed(load("track"), "training", history=history)
    assert "training_curves" not in result.pictures
    with pytest.raises(ValueError, match="no curves"):
        pictures.training_curves(result)


def test_reliability_shows_accuracy_against_confidence_and_the_numbers():
    result = load("track")
    figure = drawn(pictures.reliability, result)
    above, below = figure.axes[0], figure.axes[2]
    filled = [b for b in result.track.calibration.bins if b.n]
    (points,) = [found for found in above.collections if len(found.get_offsets()) == len(filled)]
    np.testing.assert_allclose(points.get_offsets(), [[100 * b.confidence, 100 * b.accuracy] for b in filled])
    assert [bar.get_height() for bar in below.patches] == [b.n for b in filled]
    assert [bar.get_x() for bar in below.patches] == pytest.approx([100 * b.low for b in filled])
    assert "Tracks (n = 20): ECE 8.4 %; 8.1 % at temperature 0.71" in words(figure)
    assert "Segments (n = 50): ECE 5.6 %" in words(drawn(pictures.reliability, load("test_dataset")))
    with pytest.raises(ValueError, match="no calibration"):
        pictures.reliability(load("segment_demo"))


def test_mel_axis_is_in_hertz_and_seconds():
    from librosa import mel_frequencies

    genres = ["jazz", "rock"]
    figure = drawn(pictures.mel_spectrograms, with_genres(load("track"), genres), clips(genres, seconds=2.0))
    panels = [axes for axes in figure.axes if axes.images]
    centres = mel_frequencies(n_mels=42, fmin=0.0, fmax=4000.0)[1:-1]
    for axes in panels:
        assert [axes.yaxis.get_major_formatter()(place) for place in axes.get_yticks()] == ["500", "2,000"]
        assert axes.get_xlim() == pytest.approx((0, 63 * 256 / RATE))
        assert list(axes.get_yticks()) == pytest.approx(
            [np.interp(f, centres, np.arange(40)) for f in (500, 2000)]  # 8 kHz lies outside
        )
    assert centres[round(panels[0].get_yticks()[0])] == pytest.approx(500, rel=0.1)
    assert "Frequency (Hz, mel scale)" in words(figure)
    assert "Time (s)" in words(figure)
    assert "Power (dB, reference 1.0)" in words(figure)


def test_clips_of_different_lengths_share_one_time_axis_and_one_scale():
    genres = ["long", "short"]
    long, short = clips(["long"], seconds=3.0), clips(["short"], seconds=1.0)
    both = GenreClips({**long.waveforms, **short.waveforms}, {**long.mels, **short.mels}, 256, 0.0, 4000.0)
    result = with_genres(load("track"), genres)
    figure = drawn(pictures.mel_spectrograms, result, both)
    panels = [axes for axes in figure.axes if axes.images]
    assert {axes.get_xlim() for axes in panels} == {(0.0, 94 * 256 / RATE)}
    assert panels[1].images[0].get_extent()[1] == pytest.approx(32 * 256 / RATE)
    loudest = max(mel.max() for mel in both.mels.values())
    assert all(axes.images[0].get_clim() == pytest.approx((loudest - 80, loudest)) for axes in panels)
    waves = drawn(pictures.waveforms, result, both)
    assert "Amplitude (fraction of full scale)" in words(waves)
    assert waves.axes[0].get_xlim()[1] == pytest.approx(3.0, abs=0.01)


def test_envelope_keeps_every_extreme():
    samples = np.zeros(50_000, np.float32)
    samples[[7, 12_345, 49_999]] = [0.5, -0.75, 1.0]
    seconds, low, high = sound._envelope(samples, RATE)
    assert len(seconds) == sound.ENVELOPE_COLUMNS
    assert (low.min(), high.max(), high[-1], high[0]) == (-0.75, 1.0, 1.0, 0.5)
    assert seconds[0] == 0
    assert seconds[-1] < len(samples) / RATE
    few = sound._envelope(samples[:10], RATE)
    assert len(few[0]) == 10


@pytest.mark.parametrize("picture", list(PICTURE_FILES))
@pytest.mark.parametrize("genres", [MANY, None, ["jazz", "rock"], ["polka"]], ids=["30", "10", "2", "1"])
def test_every_label_can_be_read(picture, genres):
    result = load("test_dataset" if picture == "confusion_matrix_track" else "segment_demo")
    result = result if genres is None else with_genres(result, genres)
    measured = load("track")
    calibrated = {
        level: dataclasses.replace(scores, calibration=measured.levels[level].calibration)
        for level, scores in result.levels.items()
    }
    result = dataclasses.replace(result, **calibrated)
    builder, arguments = all_builders(clips(result.data.genres, seconds=0.5))[picture]
    assert_readable(drawn(builder, result, *arguments))


def test_names_are_shown_as_they_are_or_told_apart():
    with pictures.fixed_style():
        labels = shorten(["$a$", "x\ny", "\u202ejazz", "", "word " * 30, "word " * 31, "plain"], width=20)
    assert labels[:4] == ["$a$", "x y", "jazz", "(blank)"]
    assert labels[4].startswith("5: word word")
    assert labels[5].startswith("6: word word")
    assert labels[4].endswith("…")
    assert all(len(line) <= 23 for label in labels for line in label.split("\n"))
    assert labels[6] == "plain"


def test_characters_without_a_font_become_boxes():
    with pictures.fixed_style():
        assert shorten(["\U000f0000", "\U000f0001"], width=20) == ["1: □", "2: □"]


@pytest.mark.parametrize("level", [0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0])
def test_figures_in_cells_have_contrast(level):
    from matplotlib.colors import LinearSegmentedColormap

    background = LinearSegmentedColormap.from_list("share", SHARE_COLOURS)(level)
    assert contrast(ink_on(background), background) >= 4


@pytest.mark.parametrize("colour", sorted(PART_COLOURS.values()))
def test_figures_on_bars_have_contrast(colour):
    assert contrast(ink_on(colour), colour) >= 4


def contrast(one, other):
    def luminance(colour):
        channels = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_every_picture_of_the_record_has_a_file_and_a_builder():
    names = {name for record in ("track", "segment_demo", "test_dataset") for name in load(record).pictures}
    assert names == set(PICTURE_FILES) == set(all_builders(None))
    assert len(set(PICTURE_FILES.values())) == len(PICTURE_FILES)
