"""The paper's Images 1 to 5 of one run: class distribution, waveforms, mel-spectrograms, curves, confusion matrices.

Every number comes from the record (`RunResult`); only the two pictures of sound take arrays, one clip per genre. The
same input gives the same bytes: the style is set here whatever the user's matplotlibrc says, and the PNG files carry
no version or date. Figures are made without pyplot, so that no global state or display is touched. Colours are those
of Okabe and Ito (2008, https://jfly.uni-koeln.de/color/) and matplotlib's viridis, which stay distinct for
colour-blind readers.
"""

import math
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.files import atomic_path
from mgc_hf.predictions import PARTS
from mgc_hf.results import PICTURE_FILES, EpochRecord, LevelScores, RunResult, format_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
PART_COLOURS = {"train": BLUE, "validation": ORANGE, "test": GREEN}
#: Confusion matrices: from nearly white through Okabe and Ito's two blues, ever darker, as in the paper.
SHARE_COLOURS = ("#F4F8FB", "#56B4E9", BLUE, "#003A5C")
STYLE = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "text.parse_math": False,  # a genre may be called `$a$`
    "axes.unicode_minus": True,
}
DOTS_PER_INCH = 130
#: Decibels shown below the loudest point of all clips.
DYNAMIC_RANGE_DB = 80.0
ENVELOPE_COLUMNS = 900
MEL_TICKS_HZ = (500, 2000, 8000)
#: Above this many genres the cells of a confusion matrix are too small for figures, and only colours are drawn.
MOST_GENRES_WITH_FIGURES = 40


@dataclass(frozen=True)
class GenreClips:
    """One clip per genre, for the pictures of sound.

    Args:
        waveforms (`dict[str, tuple[np.ndarray, int]]`): Genre to samples, float32 of shape `(num_samples,)`, and their
            sampling rate in Hz.
        mels (`dict[str, np.ndarray]`): Genre to the log-mel spectrogram of the same clip as the feature extractor gives
            it: decibels, shape `(num_frames, num_mel_bins)`.
        hop_length (`int`): Samples from one frame to the next.
        min_frequency, max_frequency (`float`): Edges of the mel filter bank (Slaney's scale), Hz.

    Raises:
        ValueError: An array has the wrong shape, or a spectrogram has no waveform of the same genre.
    """

    waveforms: dict[str, tuple[np.ndarray, int]]
    mels: dict[str, np.ndarray]
    hop_length: int
    min_frequency: float
    max_frequency: float

    def __post_init__(self) -> None:
        for genre, (samples, _) in self.waveforms.items():
            if samples.ndim != 1 or not len(samples):
                raise ValueError(f"waveform of {genre} has shape {samples.shape}, expected (num_samples,)")
        for genre, mel in self.mels.items():
            if mel.ndim != 2 or not mel.size:
                raise ValueError(f"mel-spectrogram of {genre} has shape {mel.shape}, expected (frames, mel bins)")
            if genre not in self.waveforms:
                raise ValueError(f"mel-spectrogram of {genre} has no waveform, which gives its sampling rate")


def draw_all(result: RunResult, clips: GenreClips | None, folder: str | Path) -> list[Path]:
    """Draw every picture that belongs to a record (`RunResult.pictures`) and write it atomically.

    Args:
        result ([`RunResult`]): The record.
        clips ([`GenreClips`], *optional*): One clip per genre; a record of training needs them.
        folder (`str` or `Path`): The model folder; the pictures go to its `images/`.

    Returns:
        `list[Path]`: The files written, in the card's order.

    Raises:
        ValueError: The record is of a training run and `clips` is missing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    builders: dict[str, Callable[[], Figure]] = {
        "confusion_matrix_track": lambda: confusion_matrix(result, "track"),
        "confusion_matrix_segment": lambda: confusion_matrix(result, "segment"),
        "class_distribution": lambda: class_distribution(result),
        "training_curves": lambda: training_curves(result),
        "waveforms": lambda: waveforms(result, _given(clips)),
        "mel_spectrograms": lambda: mel_spectrograms(result, _given(clips)),
    }
    written = []
    for name in result.pictures:
        path = Path(folder) / PICTURE_FILES[name]
        with style([*result.data.genres, result.name]), atomic_path(path) as temporary:
            canvas = FigureCanvasAgg(builders[name]())
            canvas.print_png(temporary, metadata={"Software": "mgc_hf"})
        written.append(path)
    return written


def class_distribution(result: RunResult) -> "Figure":
    """Draw the number of tracks and of segments per genre and part (the paper's Image 1)."""
    genres = result.data.genres
    levels = {"tracks": result.data.tracks, "segments": result.data.segments}
    parts = [part for part in PARTS if any(sum(counts.get(part, {}).values()) for counts in levels.values())]
    names = _labels(genres, width=28)
    row_height = 0.5 if any("\n" in name for name in names) else 0.36
    figure = _figure(11, 2.3 + row_height * len(genres))
    panels = figure.subplots(1, 2, sharey=True)
    overlapping = result.split.unit == "segment"
    for axes, (level, counts) in zip(panels, levels.items(), strict=True):
        numbers = {part: np.array([counts.get(part, {}).get(genre, 0) for genre in genres]) for part in parts}
        if overlapping and level == "tracks":
            _grouped_bars(axes, numbers)
            axes.set_title("Tracks (one counts in every part that holds a segment of it)", fontsize=10)
        else:
            _stacked_bars(axes, numbers)
            axes.set_title(level.capitalize())
        axes.set_xlabel(f"Number of {level}")
        axes.xaxis.set_major_locator(_integers(most=5))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="x", color="#DDDDDD")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(genres)), names)
    panels[0].set_ylim(len(genres) - 0.4, -0.6)
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(parts))
    _title(figure, result, "Class distribution")
    return figure


def waveforms(result: RunResult, clips: GenreClips) -> "Figure":
    """Draw one clip per genre as amplitude over time (the paper's Image 2)."""
    genres = [genre for genre in result.data.genres if genre in clips.waveforms]
    figure, panels = _grid(genres, panel_height=1.25)
    for axes, genre in zip(panels, genres, strict=True):
        samples, sampling_rate = clips.waveforms[genre]
        seconds, low, high = _envelope(samples, sampling_rate)
        axes.fill_between(seconds, low, high, color=BLUE, linewidth=0.4)
        axes.set_ylim(-1.05, 1.05)
        axes.set_yticks([-1, 0, 1])
        axes.margins(x=0)
    figure.supxlabel("Time (s)")
    figure.supylabel("Amplitude (fraction of full scale)")
    _title(figure, result, "Waveform of one clip per genre")
    return figure


def mel_spectrograms(result: RunResult, clips: GenreClips) -> "Figure":
    """Draw one clip per genre as a log-mel spectrogram in dB, all on one colour scale (the paper's Image 3)."""
    genres = [genre for genre in result.data.genres if genre in clips.mels]
    figure, panels = _grid(genres, panel_height=1.6)
    loudest = max((float(clips.mels[genre].max()) for genre in genres), default=0.0)
    image: Any = None
    longest = 0.0
    for axes, genre in zip(panels, genres, strict=True):
        mel = clips.mels[genre]
        num_frames, num_mel_bins = mel.shape
        seconds = num_frames * clips.hop_length / clips.waveforms[genre][1]
        image = axes.imshow(
            mel.T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="viridis",
            vmin=loudest - DYNAMIC_RANGE_DB,
            vmax=loudest,
            extent=(0, seconds, -0.5, num_mel_bins - 0.5),
        )
        positions = _mel_positions(MEL_TICKS_HZ, num_mel_bins, clips.min_frequency, clips.max_frequency)
        axes.set_yticks(list(positions.values()), [f"{frequency:,}" for frequency in positions])
        longest = max(longest, seconds)
        axes.set_xlim(0, longest)  # the axes are shared, and imshow has set them to this clip alone
    figure.supxlabel("Time (s)")
    figure.supylabel("Frequency (Hz, mel scale)")
    if image is not None:
        bar = figure.colorbar(image, ax=panels, shrink=min(1.0, 5 / figure.get_figheight()), pad=0.02)
        bar.set_label("Power (dB, reference 1.0)")
        bar.outline.set_visible(False)
    _title(figure, result, "Mel-spectrogram of one clip per genre")
    return figure


def training_curves(result: RunResult) -> "Figure":
    """Draw accuracy and loss per epoch, for training and, where it was measured, validation (the paper's Image 4).

    Raises:
        ValueError: The record holds no curve.
    """
    training = result.training
    if training is None or "training_curves" not in result.pictures:
        raise ValueError(f"{result.name}: the record holds no curves")
    curves = {
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
    drawn = {
        label: lines for label, lines in curves.items() if any(_series(training.history, key)[0] for key, *_ in lines)
    }
    figure = _figure(11, 4.6)
    panels = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axes, (label, lines) in zip(panels, drawn.items(), strict=True):
        scale = 100 if label.startswith("Accuracy") else 1
        for key, text, colour, marker, dashes in lines:
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
                )
        axes.axvline(
            training.selected_epoch, color=GREY, linewidth=1.2, linestyle=":", zorder=0, label=_selected(result)
        )
        axes.set_xlim(0.5, max(epoch.epoch for epoch in training.history) + 0.5)
        axes.set_xlabel("Epoch")
        axes.set_ylabel(label)
        axes.set_ylim(0, 102 if scale == 100 else None)
        axes.xaxis.set_major_locator(_integers())
        axes.grid(color="#DDDDDD")
    handles: dict[str, Any] = {}
    for axes in panels:
        handles.update({text: line for line, text in zip(*axes.get_legend_handles_labels(), strict=True)})
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=2)
    _title(figure, result, "Accuracy and loss per epoch")
    return figure


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
    figure = _figure(side + 4.2, side + 2.6)
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("share", SHARE_COLOURS)
    image = axes.imshow(percentages, cmap=colours, vmin=0, vmax=100)
    if len(genres) <= MOST_GENRES_WITH_FIGURES:
        _write_cells(axes, counts, percentages, colours, font_size=min(13.0, 3.5 + 10.5 * side / len(genres)))
    names = _labels(genres, width=20)
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
    _title(figure, result, f"Confusion matrix of {level}s", accuracy)
    return figure


@contextmanager
def style(texts: Iterable[str] = ()) -> Iterator[None]:
    """Set matplotlib's own defaults and ours, whatever the user's are, with fonts that can write `texts`."""
    import matplotlib

    settings: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    settings.pop("backend")
    settings.update(STYLE, **{"font.family": _font_families("".join(texts))})
    with matplotlib.rc_context(settings):
        yield


def _given(clips: GenreClips | None) -> GenreClips:
    if clips is None:
        raise ValueError("a record of training is drawn with one clip per genre; none was given")
    return clips


def _figure(width: float, height: float) -> "Figure":
    """Return an empty figure, inches, that makes room for its labels by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def _title(figure: "Figure", result: RunResult, what: str, *details: str) -> None:
    """Say what is drawn, of which run, under which protocol, and aloud where the figures overstate."""
    leak = "LEAKY" if result.leaky else "leak-free"
    if result.leaky and result.split.unit == "segment":
        leak += ": segments of one track in several parts"
    lines = [what, _labels([result.name], width=60, lines=1)[0], f"Protocol {result.protocol} ({leak})", *details]
    if result.data.is_demo:
        lines[0] += " (synthetic demo corpus)"
    figure.suptitle("\n".join([lines[0], " · ".join(lines[1:3]), *lines[3:]]), x=0.01, ha="left", fontsize=12)


def _grid(genres: Sequence[str], panel_height: float) -> tuple["Figure", "list[Axes]"]:
    """Return a figure with one titled panel per genre, all with the same axes."""
    columns = 2 if len(genres) <= 12 else 3
    rows = max(1, math.ceil(len(genres) / columns))
    figure = _figure(11 if columns == 2 else 13, 1.4 + panel_height * rows)
    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes in panels[len(genres) :]:
        axes.set_visible(False)
    # with a column that ends early, the last visible panel of it carries the time axis
    for axes in panels[max(0, len(genres) - columns) : len(genres)]:
        axes.xaxis.set_tick_params(labelbottom=True)
    for axes, label in zip(panels, _labels(genres, width=44, lines=1), strict=False):
        axes.set_title(label, pad=3)
    return figure, panels[: len(genres)]


def _stacked_bars(axes: "Axes", numbers: dict[str, np.ndarray]) -> None:
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
        axes.bar_label(bars, texts, label_type="center", fontsize=9, color=_ink(PART_COLOURS[part]))
    for row, total in enumerate(totals):
        hidden = (counts[:, row] > 0) & ~wide_enough[:, row]
        text = " + ".join(f"{n:,}" for n in counts[:, row]) if hidden.any() else f"{total:,}"
        if len(numbers) > 1 or hidden.any():
            axes.annotate(text, (total, row), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_xlim(0, 1.02 * max(1, totals.max()))


def _grouped_bars(axes: "Axes", numbers: dict[str, np.ndarray]) -> None:
    height = 0.8 / max(1, len(numbers))
    for index, (part, counts) in enumerate(numbers.items()):
        rows = np.arange(len(counts)) + (index - (len(numbers) - 1) / 2) * height
        bars = axes.barh(rows, counts, color=PART_COLOURS[part], label=part, height=0.9 * height)
        axes.bar_label(bars, [f"{n:,}" for n in counts], padding=3, fontsize=7)
    axes.set_xlim(0, 1.02 * max(1, *(int(counts.max()) for counts in numbers.values())))


def _write_cells(axes: "Axes", counts: np.ndarray, percentages: np.ndarray, colours: Any, font_size: float) -> None:
    for row, column in np.argwhere(counts > 0):
        share = percentages[row, column]
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}\n{share:.0f} %",
            ha="center",
            va="center",
            fontsize=font_size,
            linespacing=1.0,
            color=_ink(colours(share / 100)),
        )


def _ink(background: Any) -> str:
    """Return white where its contrast on a colour is at least 4 (WCAG 2.1, from relative luminance), else black."""
    from matplotlib.colors import to_rgb

    channels = np.array(to_rgb(background))
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "white" if 1.05 / (luminance + 0.05) >= 4 else "black"


def _integers(most: int = 8) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True, nbins=most, min_n_ticks=1)


def _series(history: Sequence[EpochRecord], key: str) -> tuple[list[float], list[float]]:
    """Return the epochs at which a value was measured, and the values."""
    points = [(epoch.epoch, getattr(epoch, key)) for epoch in history if getattr(epoch, key) is not None]
    return [epoch for epoch, _ in points], [value for _, value in points]


def _selected(result: RunResult) -> str:
    assert result.training is not None
    kind = {"best": "best on validation", "last": "last", "averaged": "averaged"}.get(
        result.training.selected, result.training.selected
    )
    return f"weights used: epoch {result.training.selected_epoch:g} ({kind})"


def _envelope(samples: np.ndarray, sampling_rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reduce a waveform to the lowest and highest sample of each pixel column, with their times in seconds."""
    edges = np.linspace(0, len(samples), min(ENVELOPE_COLUMNS, len(samples)) + 1).astype(np.int64)[:-1]
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    return edges / sampling_rate, low, high


def _mel_positions(
    frequencies: Iterable[int], num_mel_bins: int, min_frequency: float, max_frequency: float
) -> dict[int, float]:
    """Return where frequencies (Hz) lie on an axis of mel bin numbers; those outside the filter bank are left out."""
    from librosa import mel_frequencies

    centres = mel_frequencies(n_mels=num_mel_bins + 2, fmin=min_frequency, fmax=max_frequency)[1:-1]
    return {
        frequency: float(np.interp(frequency, centres, np.arange(num_mel_bins)))
        for frequency in frequencies
        if centres[0] <= frequency <= centres[-1]
    }


def _labels(names: Sequence[str], width: int, lines: int = 2) -> list[str]:
    """Return names that fit: one line of text per row of `width` characters, an ellipsis where even that is too short.

    Names that would look the same after shortening get their number in the class order in front.
    """
    short = []
    for name in names:
        clean = " ".join("".join(" " if unicodedata.category(c) in _INVISIBLE else c for c in name).split())
        wrapped = textwrap.wrap(clean, width, max_lines=lines, placeholder=" …", break_on_hyphens=True)
        short.append(_drawable("\n".join(wrapped)) or "(blank)")
    return [f"{i + 1}: {label}" if short.count(label) > 1 else label for i, label in enumerate(short)]


_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def _drawable(text: str) -> str:
    """Replace characters that no installed font can write by a box."""
    import matplotlib
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = [get_font(findfont(FontProperties(family=[name]))) for name in matplotlib.rcParams["font.family"]]
    return "".join(c if c.isspace() or any(font.get_char_index(ord(c)) for font in fonts) else "□" for c in text)


def _font_families(text: str) -> list[str]:
    """Return DejaVu Sans, which matplotlib brings along, and the installed fonts that have what it lacks."""
    from matplotlib.font_manager import findfont, fontManager, get_font

    families = ["DejaVu Sans"]
    dejavu = get_font(findfont("DejaVu Sans"))
    missing = {ord(c) for c in text if not c.isspace() and not dejavu.get_char_index(ord(c))}
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)) if missing else ():
        if entry.style != "normal" or entry.weight != 400 or entry.name.startswith("Last Resort"):
            continue
        font = get_font(entry.fname)
        found = {code for code in missing if font.scalable and font.get_char_index(code)}
        if found:
            families.append(entry.name)
            missing -= found
    return families
