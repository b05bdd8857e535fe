"""How every picture looks: colours, fonts, sizes, titles and labels that fit, whatever a genre is called.

Colours are those of Okabe and Ito (2008, https://jfly.uni-koeln.de/color/) and matplotlib's viridis, which stay
distinct for colour-blind readers. The style is set here whatever the user's matplotlibrc says.
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.results import RunResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
PART_COLOURS = {"train": BLUE, "validation": ORANGE, "test": GREEN}
#: Confusion matrices: from nearly white through Okabe and Ito's two blues, ever darker, as in the paper.
SHARE_COLOURS = ("#F4F8FB", "#56B4E9", BLUE, "#003A5C")
DOTS_PER_INCH = 130

_STYLE = {
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
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


@contextmanager
def fixed_style(texts: Iterable[str] = ()) -> Iterator[None]:
    """Set matplotlib's own defaults and ours, whatever the user's are, with fonts that can write `texts`."""
    import matplotlib

    settings: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    settings.pop("backend")
    settings.update(_STYLE, **{"font.family": _font_families("".join(texts))})
    with matplotlib.rc_context(settings):
        yield


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure, inches, that makes room for its labels by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def set_title(figure: "Figure", result: RunResult, what: str, *details: str) -> None:
    """Say what is drawn, of which run, under which protocol, and aloud where the figures overstate."""
    leak = "LEAKY" if result.leaky else result.leak
    if result.leaky and result.split.unit == "segment":
        leak += ": segments of one track in several parts"
    lines = [what, shorten([result.name], width=60, lines=1)[0], f"Protocol {result.protocol} ({leak})", *details]
    if result.data.is_demo:
        lines[0] += " (synthetic demo corpus)"
    figure.suptitle("\n".join([lines[0], " · ".join(lines[1:3]), *lines[3:]]), x=0.01, ha="left", fontsize=12)


def shorten(names: Sequence[str], width: int, lines: int = 2) -> list[str]:
    """Return names that fit: one line of text per row of `width` characters, an ellipsis where even that is too short.

    Names that would look the same after shortening get their number in the class order in front.
    """
    short = []
    for name in names:
        clean = " ".join("".join(" " if unicodedata.category(c) in _INVISIBLE else c for c in name).split())
        wrapped = textwrap.wrap(clean, width, max_lines=lines, placeholder=" …", break_on_hyphens=True)
        short.append(_drawable("\n".join(wrapped)) or "(blank)")
    return [f"{i + 1}: {label}" if short.count(label) > 1 else label for i, label in enumerate(short)]


def ink_on(background: Any) -> str:
    """Return white where its contrast on a colour is at least 4 (WCAG 2.1, from relative luminance), else black."""
    from matplotlib.colors import to_rgb

    channels = np.array(to_rgb(background))
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "white" if 1.05 / (luminance + 0.05) >= 4 else "black"


def integer_ticks(most: int = 8) -> Any:
    """Return a locator of at most so many ticks, on whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True, nbins=most, min_n_ticks=1)


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
