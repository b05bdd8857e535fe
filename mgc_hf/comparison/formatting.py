"""Figures as cells and words: one place for units, signs and what is said where a figure was not measured."""

from collections.abc import Sequence

from mgc_hf.comparison.sections import Cell
from mgc_hf.evaluation.paired import ALPHA
from mgc_hf.results import Interval, format_duration

NOT_RUN = "not run"
NOT_MEASURED = "not measured"


def percent(value: float, digits: int = 1) -> str:
    """Return a fraction in per cent: `97.1 %`."""
    return f"{100 * value:.{digits}f} %"


def points(value: float) -> str:
    """Return a difference of fractions in percentage points, with its sign: `+6.8`."""
    return f"{100 * value:+.1f}"


def interval_text(interval: Interval, signed: bool = False) -> str:
    """Return a fraction with its interval, in per cent, or a difference in points: `+6.8 [-1.2, +14.0]`."""
    form = "+.1f" if signed else ".1f"
    unit = "" if signed else " %"
    value = f"{100 * interval.value:{form}}{unit}"
    if interval.ci95 is None:
        return f"{value} [{NOT_MEASURED}]"
    low, high = interval.ci95
    return f"{value} [{100 * low:{form}}, {100 * high:{form}}]"


def interval_cell(interval: Interval | None, mark: str | None = None, signed: bool = False) -> Cell:
    """Return an [`Interval`] as a cell; `None` was not measured."""
    if interval is None:
        return missing()
    return Cell(interval_text(interval, signed), interval.value, mark)


def spread_text(value: float, spread: float | None) -> str:
    """Return a mean over seeds with its standard deviation: `74.0 ± 11.4 %`."""
    return percent(value) if spread is None else f"{100 * value:.1f} ± {100 * spread:.1f} %"


def share(value: float | None, mark: str | None = None, digits: int = 2) -> Cell:
    """Return a fraction as the paper prints it: `0.97`."""
    return missing() if value is None else Cell(f"{value:.{digits}f}", value, mark)


def number(value: float | None, form: str = ",.0f", unit: str = "", mark: str | None = None) -> Cell:
    """Return a number with its unit."""
    return missing() if value is None else Cell(f"{value:{form}}{unit}", float(value), mark)


def missing(text: str = NOT_MEASURED) -> Cell:
    """Return the cell of what is not there, and why."""
    return Cell(text, None, "missing")


def time_cell(seconds: float | None) -> Cell:
    """Return a time as a cell, to sort by seconds."""
    return missing() if seconds is None else Cell(format_duration(seconds), seconds)


def p_cell(value: float) -> Cell:
    """Return a corrected p-value, marked where it is below the level."""
    text = "< 0.001" if value < 0.001 else "1" if value >= 0.9995 else f"{value:.3f}"
    return Cell(text, value, "strong" if value < ALPHA else None)


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def counted(count: int, what: str, plural: str | None = None) -> str:
    """Return a number of things: `1 seed`, `3 seeds`."""
    return f"{count} {what if count == 1 else plural or what + 's'}"


def protocol_title(name: str) -> str:
    """Return a protocol's name for readers."""
    return name.replace("_", "-")
