"""The report's charts: several runs in one figure, and the pictures of a run so narrow that a phone can show them.

What they say comes from records; title and caption stand in the report, so that a figure has none of its own. Each is
as wide as `WIDTH`, and draws what it is given downwards.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.comparison.listening import WrongTrack
from mgc_hf.comparison.material import Material, RunEntry, System
from mgc_hf.comparison.paper import paper_systems
from mgc_hf.comparison.ranking import Standing, standings
from mgc_hf.evaluation.calibration import expected_calibration_error, reliability_bins
from mgc_hf.pictures.charts import (
    MOST_GENRES_WITH_FIGURES,
    drawn_curves,
    grouped_bars,
    plot_curves,
    stacked_bars,
    write_cells,
)
from mgc_hf.pictures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SHARE_COLOURS,
    VERMILION,
    integer_ticks,
    new_figure,
    shorten,
)
from mgc_hf.predictions import PARTS
from mgc_hf.results import TrainingRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches: on a phone of 390 pixels its letters of 11 points are 11 pixels high.
WIDTH = 5.0
PURPLE, SKY, BLACK = "#CC79A7", "#56B4E9", "#000000"
#: Colour and marker of each protocol; of any other, the last.
PROTOCOL_LOOKS = {
    "segment": (VERMILION, "s"),
    "course": (PURPLE, "P"),
    "track": (BLUE, "o"),
    "kfold": (GREEN, "^"),
    "artist": (ORANGE, "D"),
    "fault_filtered": (SKY, "v"),
}
_OTHER_LOOK = (GREY, "X")
_PAPER_LOOK: dict[str, Any] = {
    "marker": "D",
    "color": "white",
    "markeredgecolor": BLACK,
    "markeredgewidth": 1.4,
    "linestyle": "none",
}
_LIGHT = "#DDDDDD"
#: Where the time axis of `along` begins and ends, as parts of the figure's width: the page lays the spectrogram above.
TIME_AXIS = (0.075, 0.985)


def accuracy_by_protocol(material: Material, level: str = "segment") -> "Figure":
    """Draw the accuracy of every system under every protocol, beside the paper's, and the way from `segment` to `track`.

    Args:
        material ([`Material`]): The runs.
        level (`str`, *optional*, defaults to `"segment"`): `segment`, so that `segment` and `track` can be compared, or
            `track`, without the protocols that divide segments: there tracks have no accuracy.

    Raises:
        ValueError: No run has the level.
    """
    found: dict[System, dict[str, Standing]] = {}
    for protocol in material.protocols:
        if level == "track" and material.of(protocol=protocol)[0].unit == "segment":
            continue
        for standing in standings(material, protocol, unit=level):
            found.setdefault(standing.system, {})[protocol] = standing
    if not found:
        raise ValueError(f"no run has an accuracy of {level}s")
    rows = _Rows()
    for system in sorted(found):
        rows.add_group(system, found[system])
    figure = new_figure(WIDTH, 0.7 + 0.27 * rows.count)
    axes = figure.subplots()
    rows.draw(axes)
    chance = 100 / max(len(run.result.data.genres) for run in material.runs)
    axes.axvline(chance, color=GREY, linewidth=1, linestyle=":", zorder=0)
    axes.annotate(
        "chance", (chance, 0), (3, 2), xycoords=("data", "axes fraction"), textcoords="offset points", size=9
    )
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"Accuracy of test {level}s (%)")
    axes.grid(axis="x", color=_LIGHT)
    return figure


class _Rows:
    """A chart whose rows are protocols, in groups of one system each."""

    def __init__(self) -> None:
        self.count = 0.0
        self._titles: list[tuple[float, str]] = []
        self._points: list[tuple[float, str, Standing | float]] = []
        self._ways: list[tuple[tuple[float, float], tuple[float, float]]] = []

    def add_group(self, system: System, found: Mapping[str, Standing]) -> None:
        """Add a system: its title, the paper's figure, and a row for each protocol."""
        self._titles.append((self.count, system.title))
        points: list[tuple[str, Standing | float]] = []
        if system.paper is not None:
            points.append(("paper", paper_systems()[system.paper].accuracy))
        points += found.items()
        at = {name: self.count + 1 + index for index, (name, _) in enumerate(points)}
        self._points += [(at[name], name, value) for name, value in points]
        if "segment" in found and "track" in found:
            first, second = ((found[name].accuracy.value, at[name]) for name in ("segment", "track"))
            self._ways.append((first, second))
        self.count += len(points) + 1.35

    def draw(self, axes: "Axes") -> None:
        """Draw everything, rows downwards."""
        for row, title in self._titles:
            text = shorten([title], width=46, lines=1)[0]
            axes.text(
                0,
                row,
                text,
                transform=axes.get_yaxis_transform(),
                va="center",
                weight="bold",
                fontsize=10.5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
        for row, name, value in self._points:
            if isinstance(value, Standing):
                self._draw_standing(axes, row, name, value)
            else:
                axes.plot(100 * value, row, markersize=8, **_PAPER_LOOK)
                _write_value(axes, row, value, value, value)
        for (first, first_row), (second, row) in self._ways:
            axes.annotate(
                "",
                (100 * second, row - 0.22),
                (100 * first, first_row + 0.22),
                arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0},
            )
        rows = [row for row, _, _ in self._points]
        axes.set_yticks(rows, [name for _, name, _ in self._points])
        axes.set_ylim(self.count - 0.6, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)

    @staticmethod
    def _draw_standing(axes: "Axes", row: float, name: str, known: Standing) -> None:
        colour, marker = PROTOCOL_LOOKS.get(name, _OTHER_LOOK)
        value = known.accuracy.value
        low, high = known.accuracy.ci95 or (value, value)
        axes.plot([100 * low, 100 * high], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
        if len(known.seeds) > 1:
            axes.plot(
                np.multiply([*known.seeds.values()], 100), [row] * len(known.seeds), "|", color=colour, markersize=9
            )
        axes.plot(100 * value, row, marker, color=colour, markersize=8, markeredgecolor="white")
        _write_value(axes, row, value, low, high)


def _write_value(axes: "Axes", row: float, value: float, low: float, high: float) -> None:
    """Write a percentage to the right of its interval, or to the left of one that reaches the end."""
    left = high > 0.88
    axes.annotate(
        f"{100 * value:.0f}",
        (100 * (low if left else high), row),
        (-8 if left else 8, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=9.5,
    )


def curves(run: RunEntry) -> "Figure":
    """Draw accuracy and loss per epoch (the paper's Images 4, 6, 8 and 10); of cross-validation, of every fold.

    Raises:
        ValueError: The records hold no curve.
    """
    trainings = curve_records(run)
    if not trainings:
        raise ValueError(f"{run.key}: the record holds no curves")
    labels = drawn_curves(trainings[0])
    figure = new_figure(WIDTH, 0.9 + 2.5 * len(labels))
    panels = figure.subplots(len(labels), 1, sharex=True, squeeze=False)[:, 0]
    handles: dict[str, Any] = {}
    for axes, label in zip(panels, labels, strict=True):
        for training in trainings:
            plot_curves(axes, training, label, strength=1.0 if len(trainings) == 1 else 0.5)
        axes.set_xlim(0.5, max(epoch.epoch for training in trainings for epoch in training.history) + 0.5)
        handles.update({text: line for line, text in zip(*axes.get_legend_handles_labels(), strict=True)})
    if len(trainings) > 1:  # the folds may have chosen different epochs, and the legend is of one
        handles = {text.partition(":")[0]: line for text, line in handles.items()}
    panels[-1].set_xlabel("Epoch")
    figure.legend(list(handles.values()), list(handles), loc="outside lower left", ncols=1, fontsize=9.5)
    return figure


def curve_records(run: RunEntry) -> list[TrainingRecord]:
    """Return the records of training that have curves: the run's own, or those of its folds."""
    return [record.training for record in run.trained if record.training is not None and drawn_curves(record.training)]


def confusion(run: RunEntry) -> "Figure":
    """Draw the confusion matrix at the level that the protocol divides (the paper's Images 5, 7, 9 and 11)."""
    from matplotlib.colors import LinearSegmentedColormap

    level, scores = run.unit, run.scores
    genres = run.result.data.genres
    counts = np.array(scores.confusion_matrix, dtype=np.int64).reshape(len(genres), len(genres))
    percentages = 100 * counts / np.maximum(counts.sum(axis=1), 1)[:, None]
    names = shorten(genres, width=12, lines=1)
    figure = new_figure(WIDTH, WIDTH + 0.2)
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("share", SHARE_COLOURS)
    axes.imshow(percentages, cmap=colours, vmin=0, vmax=100)
    if len(genres) <= MOST_GENRES_WITH_FIGURES:
        size = min(11.0, 95.0 / len(genres))
        write_cells(axes, counts, percentages, colours, font_size=size, shares=False)
    font_size = 10 if len(genres) <= 12 else max(4.0, 120 / len(genres))
    axes.set_xticks(range(len(genres)), names, rotation=90, fontsize=font_size)
    axes.set_yticks(range(len(genres)), names, fontsize=font_size)
    axes.set_xlabel(f"Predicted genre of the {level}")
    axes.set_ylabel("True genre")
    axes.set_xticks(np.arange(len(genres) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(genres) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return figure


def classes(run: RunEntry) -> "Figure":
    """Draw the number of tracks and of segments per genre and part (the paper's Image 1)."""
    data = run.result.data
    levels = {"tracks": data.tracks, "segments": data.segments}
    parts = [part for part in PARTS if any(sum(counts.get(part, {}).values()) for counts in levels.values())]
    names = shorten(data.genres, width=16)
    several = run.unit == "segment"  # a track counts in every part that holds a segment of it
    figure = new_figure(WIDTH, 1.1 + sum(0.25 * len(names) * (2 if several and n == 0 else 1) + 0.4 for n in range(2)))
    panels = figure.subplots(2, 1, height_ratios=(2, 1) if several else (1, 1))
    for axes, (level, counts) in zip(panels, levels.items(), strict=True):
        numbers = {part: np.array([counts.get(part, {}).get(genre, 0) for genre in data.genres]) for part in parts}
        (grouped_bars if several and level == "tracks" else stacked_bars)(axes, numbers)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlabel(f"Number of {level}")
        axes.xaxis.set_major_locator(integer_ticks(most=5))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="x", color=_LIGHT)
        axes.tick_params(axis="y", length=0)
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(parts))
    return figure


def genre_differences(run: RunEntry, paper: Mapping[str, float]) -> "Figure":
    """Draw F1 of every genre beside the paper's, and the difference in points.

    Args:
        run ([`RunEntry`]): Ours, at the level that the protocol divides.
        paper (`Mapping[str, float]`): The paper's F1 by genre, fractions; genres that it has not are left out.

    Raises:
        ValueError: The two have no genre in common.
    """
    scores = run.scores
    genres = [genre for genre in run.result.data.genres if genre in paper and scores.per_genre[genre].support]
    if not genres:
        raise ValueError(f"{run.key}: no test {run.unit} is of a genre of the paper")
    colour, marker = PROTOCOL_LOOKS.get(run.protocol, _OTHER_LOOK)
    figure = new_figure(WIDTH, 1.1 + 0.3 * len(genres))
    axes = figure.subplots()
    for row, genre in enumerate(genres):
        ours, theirs = 100 * scores.per_genre[genre].f1, 100 * paper[genre]
        axes.plot([theirs, ours], [row, row], color=colour, linewidth=2.2, alpha=0.6)
        axes.plot(theirs, row, markersize=7, label="the paper" if row == 0 else None, **_PAPER_LOOK)
        axes.plot(
            ours, row, marker, color=colour, markersize=8, markeredgecolor="white", label="ours" if row == 0 else None
        )
        difference = f"{ours - theirs:+.0f}".replace("-", "−")
        axes.text(1.02, row, difference, transform=axes.get_yaxis_transform(), va="center", fontsize=10)
    axes.text(1.02, -0.9, "points", transform=axes.get_yaxis_transform(), va="center", fontsize=9, color=GREY)
    axes.set_yticks(range(len(genres)), shorten(genres, width=16, lines=1))
    axes.set_ylim(len(genres) - 0.4, -0.6)
    axes.set_xlim(-3, 103)
    axes.set_xlabel(f"F1 of test {run.unit}s (%)")
    axes.grid(axis="x", color=_LIGHT)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _bins(run: RunEntry) -> tuple[float, Sequence[Any]]:
    """Return the expected calibration error and the bins at the level that the protocol divides.

    They are the record's, or computed from the predictions where an older record has none.
    """
    known = run.scores.calibration
    if known is not None:
        return known.ece, known.bins
    items = run.predictions if run.unit == "segment" else run.predictions.to_tracks()
    return (
        expected_calibration_error(items.probabilities, items.label),
        reliability_bins(items.probabilities, items.label),
    )


def reliability(runs: Sequence[RunEntry]) -> "Figure":
    """Draw how often each run is right against how sure it is, one panel a run; areas are numbers of test items.

    Raises:
        ValueError: There is no run.
    """
    if not runs:
        raise ValueError("no run is given")
    columns = min(2, len(runs))
    lines = math.ceil(len(runs) / columns)
    figure = new_figure(WIDTH if columns == 2 else 3.2, 0.7 + 2.6 * lines)
    panels = list(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes in panels[len(runs) :]:
        axes.set_visible(False)
    for axes, run in zip(panels, runs, strict=False):
        error, bins = _bins(run)
        filled = [b for b in bins if b.confidence is not None and b.accuracy is not None]
        total = sum(b.n for b in filled)
        colour, _ = PROTOCOL_LOOKS.get(run.protocol, _OTHER_LOOK)
        axes.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle="--")
        axes.scatter(
            [100 * (b.confidence or 0) for b in filled],
            [100 * (b.accuracy or 0) for b in filled],
            s=[12 + 500 * b.n / total for b in filled],
            color=colour,
            alpha=0.75,
            edgecolors="white",
            clip_on=False,
        )
        title = shorten([run.system.title], width=26, lines=2)[0]
        axes.set_title(f"{title}\n{run.protocol}, ECE {100 * error:.0f} %", fontsize=9.5)
        axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
        axes.grid(color=_LIGHT)
    for axes in panels[max(0, len(runs) - columns) : len(runs)]:
        axes.xaxis.set_tick_params(labelbottom=True)
    figure.supxlabel("How sure: mean highest probability (%)", fontsize=10.5)
    figure.supylabel("How often right (%)", fontsize=10.5)
    return figure


def along(track: WrongTrack) -> "Figure":
    """Draw the probabilities along a track, one panel a run: the true genre, the one it is taken for, and the others."""
    panel, gap, bottom = 0.62, 0.33, 0.46
    height = bottom + len(track.heard) * (panel + gap)
    figure = new_figure(WIDTH, height)
    figure.set_layout_engine("none")
    for index, one in enumerate(track.heard):
        low = (height - (index + 1) * (panel + gap)) / height
        axes = figure.add_axes((TIME_AXIS[0], low, TIME_AXIS[1] - TIME_AXIS[0], panel / height))
        # a point stands in the middle of its segment; the outer ones are held as far as their segments reach
        middles = one.start_s + one.segment_seconds / 2
        times = np.concatenate([one.start_s[:1], middles, one.start_s[-1:] + one.segment_seconds])
        values = one.probabilities[[0, *range(len(middles)), -1]]
        marker = "o" if len(middles) <= 40 else None
        for genre in range(len(one.genres)):
            if genre not in (one.label, one.predicted):
                axes.plot(times, values[:, genre], color="#BBBBBB", linewidth=0.8)
        axes.plot(times, values[:, one.label], color=BLUE, linewidth=2, marker=marker, markersize=3, markevery=(1, 1))
        taken = shorten(one.genres, width=20, lines=1)[one.predicted]
        said = f": {'right, ' if one.is_right else ''}{taken} {100 * one.mean[one.predicted]:.0f} %"
        if not one.is_right:
            axes.plot(
                times,
                values[:, one.predicted],
                color=VERMILION,
                linewidth=2,
                linestyle="--",
                marker=marker,
                markersize=3,
            )
        axes.set_title(shorten([one.run.system.title], 56 - len(said), lines=1)[0] + said, fontsize=10.5, pad=3)
        axes.set(xlim=(0, track.seconds), ylim=(-0.05, 1.05), yticks=(0, 1))
        axes.tick_params(labelsize=10, labelbottom=index == len(track.heard) - 1)
        axes.grid(axis="x", color=_LIGHT)
    axes.set_xlabel("Time (s)", fontsize=10.5, labelpad=1)
    return figure
