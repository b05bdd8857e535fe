"""Pictures of the record alone: class distribution, curves, confusion matrices and reliability."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.pictures.style import (
    BLUE,
    GREY,
    ORANGE,
    PART_COLOURS,
    SHARE_COLOURS,
    VERMILION,
    ink_on,
    integer_ticks,
    new_figure,
    set_title,
    shorten,
)
from mgc_hf.predictions import PARTS
from mgc_hf.results import Calibration, EpochRecord, LevelScores, RunResult, TrainingRecord, format_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Above this many genres the cells of a confusion matrix are too small for figures, and only colours are drawn.
MOST_GENRES_WITH_FIGURES = 40
#: What is drawn of training: label of the axis -> (key of `EpochRecord`, text, colour, marker, line) of each curve.
CURVES = {
    "Accuracy (%)": (
        ("train_accuracy", "training, segments", BLUE, "o", "--"),
        ("validation_segment_accuracy", "validation, segments", ORANGE, "s", "-"),
        ("validation_track_accuracy", "validation, tracks", VERMILION, "^", "-"),
    ),
    "Loss (cross-entropy, nats)": (
        ("train_loss", "training, segments", BLUE, "o", "--"),
        ("validation_loss", "validation, segments", ORANGE, "s", "-"),
    ),
}


def class_distribution(result: RunResult) -> "Figure":
    """Draw the number of tracks and of segments per genre and part (the paper's Image 1)."""
    genres = result.data.genres
    levels = {"tracks": result.data.tracks, "segments": result.data.segments}
    parts = [part for part in PARTS if any(sum(counts.get(part, {}).values()) for counts in levels.values())]
    names = shorten(genres, width=28)
    row_height = 0.5 if any("\n" in name for name in names) else 0.36
    figure = new_figure(11, 2.3 + row_height * len(genres))
    panels = figure.subplots(1, 2, sharey=True)
    overlapping = result.split.unit == "segment"
    for axes, (level, counts) in zip(panels, levels.items(), strict=True):
        numbers = {part: np.array([counts.get(part, {}).get(genre, 0) for genre in genres]) for part in parts}
        if overlapping and level == "tracks":
            grouped_bars(axes, numbers)
            axes.set_title("Tracks (one counts in every part that holds a segment of it)", fontsize=10)
        else:
            stacked_bars(axes, numbers)
            axes.set_title(level.capitalize())
        axes.set_xlabel(f"Number of {level}")
        axes.xaxis.set_major_locator(integer_ticks(most=5))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="x", color="#DDDDDD")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(genres)), names)
    panels[0].set_ylim(len(genres) - 0.4, -0.6)
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(parts))
    set_title(figure, result, "Class distribution")
    return figure


def training_curves(result: RunResult) -> "Figure":
    """Draw accuracy and loss per epoch, for training and, where it was measured, validation (the paper's Image 4).

    Raises:
        ValueError: The record holds no curve.
    """
    training = result.training
    if training is None or "training_curves" not in result.pictures:
        raise ValueError(f"{result.name}: the record holds no curves")
    drawn = drawn_curves(training)
    figure = new_figure(11, 4.6)
    panels = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axes, label in zip(panels, drawn, strict=True):
        plot_curves(axes, training, label)
        axes.set_xlabel("Epoch")
    handles: dict[str, Any] = {}
    for axes in panels:
        handles.update({text: line for line, text in zip(*axes.get_legend_handles_labels(), strict=True)})
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=2)
    set_title(figure, result, "Accuracy and loss per epoch")
    return figure


def drawn_curves(training: TrainingRecord) -> list[str]:
    """Return the labels of `CURVES` of which anything was measured."""
    return [label for label, lines in CURVES.items() if any(_series(training.history, key)[0] for key, *_ in lines)]


def plot_curves(axes: "Axes", training: TrainingRecord, label: str, strength: float = 1.0) -> None:
    """Plot what one label of `CURVES` names, and the epoch whose weights are used.

    Args:
        axes (`Axes`): Where to.
        training ([`TrainingRecord`]): Has the history.
        label (`str`): A key of `CURVES`.
        strength (`float`, *optional*, defaults to 1.0): Opacity, for where several runs share the axes.
    """
    scale = 100 if label.startswith("Accuracy") else 1
    for key, text, colour, marker, dashes in CURVES[label]:
        epochs, values = _series(training.history, key)
        if epochs:
            axes.plot(
                epochs,
                np.multiply(values, scale),
                dashes,
                label=text,
                color=colour,
                marker=marker,
                markersize=4 if len(epochs) > 1 else 7,
                linewidth=1.8,
                alpha=None if strength == 1.0 else strength,
            )
    axes.axvline(
        training.selected_epoch, color=GREY, linewidth=1.2, linestyle=":", zorder=0, label=_selected(training)
    )
    axes.set_xlim(0.5, max(epoch.epoch for epoch in training.history) + 0.5)
    axes.set_ylabel(label)
    axes.set_ylim(0, 102 if scale == 100 else None)
    axes.xaxis.set_major_locator(integer_ticks())
    axes.grid(color="#DDDDDD")


def confusion_matrix(result: RunResult, level: str) -> "Figure":
    """Draw counts and row percentages of the test part at one level (the paper's Image 5).

    Args:
        result ([`RunResult`]): The record.
        level (`str`): `track` or `segment`.
    """
    from matplotlib.colors import LinearSegmentedColormap

    scores: LevelScores = getattr(result, level)
    genres = result.data.genres
    counts = np.array(scores.confusion_matrix, dtype=np.int64).reshape(len(genres), len(genres))
    support = counts.sum(axis=1)
    percentages = 100 * counts / np.maximum(support, 1)[:, None]
    side = max(3.5, (0.62 if len(genres) <= 12 else 0.46) * len(genres))
    figure = new_figure(side + 4.2, side + 2.6)
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("share", SHARE_COLOURS)
    image = axes.imshow(percentages, cmap=colours, vmin=0, vmax=100)
    if len(genres) <= MOST_GENRES_WITH_FIGURES:
        write_cells(axes, counts, percentages, colours, font_size=min(13.0, 3.5 + 10.5 * side / len(genres)))
    names = shorten(genres, width=20)
    axes.set_xticks(range(len(genres)), names, rotation=90 if len(genres) > 12 else 45, ha="right", va="top")
    if len(genres) > 12:
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("center")
    else:
        for label in axes.get_xticklabels():
            label.set_rotation_mode("anchor")
    axes.set_yticks(range(len(genres)), [f"{name} ({n:,})" for name, n in zip(names, support, strict=True)])
    axes.set_xlabel(f"Predicted genre of the {level}")
    axes.set_ylabel(f"True genre (number of {level}s)")
    axes.set_xticks(np.arange(len(genres) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(genres) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02)
    bar.set_label(f"Share of the true genre's {level}s (%)")
    bar.outline.set_visible(False)
    accuracy = f"{scores.n:,} test {level}s, accuracy {format_interval(scores.accuracy)}"
    set_title(figure, result, f"Confusion matrix of {level}s", accuracy)
    return figure


def reliability(result: RunResult) -> "Figure":
    """Draw accuracy against confidence at each level, with the number of items of each bin below.

    The calibration error is the mean length of the lines, weighted by the numbers below.

    Raises:
        ValueError: The record holds no calibration.
    """
    from matplotlib.collections import PathCollection

    if "reliability" not in result.pictures:
        raise ValueError(f"{result.name}: the record holds no calibration")
    figure = new_figure(11, 5.8)
    levels = result.levels
    panels = figure.subplots(2, len(levels), sharex=True, sharey=False, height_ratios=(4, 1), squeeze=False)
    for (above, below), (level, scores) in zip(panels.T, levels.items(), strict=True):
        calibration = scores.calibration
        assert calibration is not None  # the record says that it has the picture
        filled = [b for b in calibration.bins if b.confidence is not None and b.accuracy is not None]
        confidence, accuracy, n = np.array([(b.confidence, b.accuracy, b.n) for b in filled], dtype=np.float64).T
        above.plot([0, 100], [0, 100], "--", color=GREY, linewidth=1.2, label="perfectly calibrated")
        above.vlines(100 * confidence, 100 * confidence, 100 * accuracy, color=BLUE, linewidth=1.8)
        above.scatter(
            100 * confidence,
            100 * accuracy,
            s=25 + 500 * n / n.sum(),
            color=BLUE,
            zorder=3,
            clip_on=False,
            label="share right (area: number)",
        )
        above.set_title(f"{level.capitalize()}s (n = {scores.n:,}): {_calibration(calibration)}", fontsize=10, pad=12)
        above.set_ylim(0, 100)
        below.bar(
            [100 * b.low for b in filled],
            n,
            width=[100 * (b.high - b.low) for b in filled],
            align="edge",
            color=GREY,
            edgecolor="white",
        )
        below.set_xlabel(f"Confidence: highest probability of a {level} (%)")
        below.set_xlim(0, 100)
        below.yaxis.set_major_locator(integer_ticks(most=3))
        below.yaxis.set_major_formatter("{x:,.0f}")
        below.set_ylabel(f"Number of\n{level}s")
        for axes in (above, below):
            axes.grid(axis="y", color="#DDDDDD")
    panels[0][0].set_ylabel("Accuracy (%)")
    handles, texts = panels[0][-1].get_legend_handles_labels()
    for handle in figure.legend(handles, texts, loc="outside lower center", ncols=2).legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([60])
    set_title(figure, result, "Reliability: accuracy against confidence")
    return figure


def _calibration(found: Calibration) -> str:
    text = f"ECE {100 * found.ece:.1f} %"
    if found.temperature is None or found.ece_at_temperature is None:
        return text
    return f"{text}; {100 * found.ece_at_temperature:.1f} % at temperature {found.temperature:.2f}"


def stacked_bars(axes: "Axes", numbers: dict[str, np.ndarray]) -> None:
    """Draw the parts of each genre in one bar: figures inside, or all of them behind it where one is too narrow."""
    counts = np.array(list(numbers.values()))  # (num_parts, num_genres)
    totals = counts.sum(axis=0)
    wide_enough = counts >= 0.07 * max(1, totals.max())
    for index, part in enumerate(numbers):
        bars = axes.barh(
            range(len(totals)),
            counts[index],
            left=counts[:index].sum(axis=0),
            color=PART_COLOURS[part],
            label=part,
            height=0.75,
        )
        texts = [f"{n:,}" if wide else "" for n, wide in zip(counts[index], wide_enough[index], strict=True)]
        axes.bar_label(bars, texts, label_type="center", fontsize=9, color=ink_on(PART_COLOURS[part]))
    for row, total in enumerate(totals):
        hidden = (counts[:, row] > 0) & ~wide_enough[:, row]
        text = " + ".join(f"{n:,}" for n in counts[:, row]) if hidden.any() else f"{total:,}"
        if len(numbers) > 1 or hidden.any():
            axes.annotate(text, (total, row), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_xlim(0, 1.02 * max(1, totals.max()))


def grouped_bars(axes: "Axes", numbers: dict[str, np.ndarray]) -> None:
    """Draw the parts of each genre beside each other, where one track counts in several."""
    height = 0.8 / max(1, len(numbers))
    for index, (part, counts) in enumerate(numbers.items()):
        rows = np.arange(len(counts)) + (index - (len(numbers) - 1) / 2) * height
        bars = axes.barh(rows, counts, color=PART_COLOURS[part], label=part, height=0.9 * height)
        axes.bar_label(bars, [f"{n:,}" for n in counts], padding=3, fontsize=7)
    axes.set_xlim(0, 1.02 * max(1, *(int(counts.max()) for counts in numbers.values())))


def write_cells(
    axes: "Axes", counts: np.ndarray, percentages: np.ndarray, colours: Any, font_size: float, shares: bool = True
) -> None:
    """Write the count, and with `shares` the percentage, into the cells of a confusion matrix that hold something."""
    for row, column in np.argwhere(counts > 0):
        share = percentages[row, column]
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}\n{share:.0f} %" if shares else f"{counts[row, column]:,}",
            ha="center",
            va="center",
            fontsize=font_size,
            linespacing=1.0,
            color=ink_on(colours(share / 100)),
        )


def _series(history: Sequence[EpochRecord], key: str) -> tuple[list[float], list[float]]:
    """Return the epochs at which a value was measured, and the values."""
    points = [(epoch.epoch, getattr(epoch, key)) for epoch in history if getattr(epoch, key) is not None]
    return [epoch for epoch, _ in points], [value for _, value in points]


def _selected(training: TrainingRecord) -> str:
    kind = {"best": "best on validation", "last": "last", "averaged": "averaged"}.get(
        training.selected, training.selected
    )
    return f"weights used: epoch {training.selected_epoch:g} ({kind})"
