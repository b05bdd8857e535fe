"""A figure as a PNG file, and as SVG that stands inside a page: text as text, nothing fetched, no name taken twice."""

import re
from collections.abc import Callable, Iterable
from html import escape
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from mgc_hf.files import atomic_path
from mgc_hf.pictures.style import fixed_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: DejaVu Sans, by which matplotlib measured the text, and what is as wide on machines without it.
FONTS = "'DejaVu Sans', Verdana, 'Bitstream Vera Sans', sans-serif"
#: Pixels of a page to an inch of a figure, at its natural width.
PIXELS_PER_INCH = 96

_TAG = re.compile(r"<[^>]*>")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_USED_ID = re.compile(r'url\(#([^)"]+)\)|href="#([^"]+)"')
_OWN_ID = re.compile(r' id="([^"]+)"')


def save_png(draw: "Callable[[], Figure]", texts: Iterable[str], path: str | Path) -> None:
    """Draw a figure and write it as a PNG file, atomically; the same input gives the same bytes.

    Args:
        draw (`Callable`): Makes the figure.
        texts (`Iterable[str]`): Words of users that it shows, for which fonts are looked for.
        path (`str` or `Path`): The file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with fixed_style(texts), atomic_path(path) as temporary:
        FigureCanvasAgg(draw()).print_png(temporary, metadata={"Software": "mgc_hf"})


def to_svg(draw: "Callable[[], Figure]", texts: Iterable[str], key: str, alt: str) -> str:
    """Draw a figure as an `<svg>` element for a page of HTML.

    Args:
        draw (`Callable`): Makes the figure.
        texts (`Iterable[str]`): Words of users that it shows, for which fonts are looked for.
        key (`str`): Name of the figure, another for each of a page: the names inside the element are made from it.
        alt (`str`): What the picture shows, for who cannot see it.

    Returns:
        `str`: The element. It scales with its frame, its `--natural` is its natural width, and the same input gives
        the same text.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    written = StringIO()
    with fixed_style(texts), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
        figure = draw()
        FigureCanvasSVG(figure).print_svg(written, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    width, height = figure.get_size_inches() * 72
    text = written.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    used = {name for pair in _USED_ID.findall(body) for name in pair}
    body = _OWN_ID.sub(lambda match: match[0] if match[1] in used else "", body)
    body = _TAG.sub(lambda tag: _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}", tag[0]), body)
    body = re.sub(r"('DejaVu Sans'|DejaVu Sans)(?=[,;\"])", FONTS, body)
    body = re.sub(r">\s+<", "><", body)
    natural = f"{width / 72 * PIXELS_PER_INCH:.0f}px"
    return (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="--natural: {natural}">{body.strip()}'
    )
