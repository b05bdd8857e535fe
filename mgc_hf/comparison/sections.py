"""What a report is made of: sections of paragraphs, tables and pictures, whoever writes them down.

The modules that make them are pure functions of [`Material`]; the writers (Markdown, the page) know nothing of runs.
All texts are plain text: a writer escapes them for its format. Every text stands on its own, without markup.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What a cell can be marked as, the sign that follows its text, and what the mark means.
MARKS = {
    "paper": ("◇", "the paper's own figure"),
    "leaky": ("†", "from a split that leaks"),
    "warning": ("!", "to be doubted"),
    "strong": ("", "bold: look here first"),
    "missing": ("", "grey: not run, or not measured"),
}


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        text (`str`): What is shown; a figure with its unit.
        value (`float`, *optional*): The figure itself, to sort by; `None` for texts and what was not measured.
        mark (`str`, *optional*): A key of `MARKS`.
        link (`str`, *optional*): Address that the text leads to.
    """

    text: str
    value: float | None = None
    mark: str | None = None
    link: str | None = None


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        key (`str`): Its name in addresses: lower-case letters, digits, hyphens; unlike any other of the report.
        title (`str`): Its caption.
        columns (`list[str]`): Heads of the columns; the first column names the row.
        rows (`list[list[Cell]]`): As many cells in each as there are columns.
        note (`str`, *optional*): What a reader must know to read it, below the table.
        paper_item (`str`, *optional*): The table or image of the paper that it stands beside, such as `Table 1`.
    """

    key: str
    title: str
    columns: list[str]
    rows: list[list[Cell]]
    note: str | None = None
    paper_item: str | None = None

    def __post_init__(self) -> None:
        """Make sure that it is a table."""
        wrong = [len(row) for row in self.rows if len(row) != len(self.columns)]
        assert not wrong, f"{self.key}: {len(self.columns)} columns, but rows of {wrong}"


@dataclass(frozen=True)
class Picture:
    """A picture: one that is drawn for the report, or one that a run has drawn.

    Args:
        key (`str`): Its name in addresses and the stem of its PNG file, as a table's.
        title (`str`): What it shows, in a few words.
        caption (`str`): What to see in it, and of which run and protocol it is.
        alt (`str`): What it shows to those who cannot see it.
        draw (`Callable[[], Figure]`, *optional*): Draws it; called inside `mgc_hf.pictures.fixed_style`.
        file (`Path`, *optional*): A PNG file of a run, where `draw` is not given.
        paper_item (`str`, *optional*): The image of the paper that it stands beside, such as `Image 4`.
    """

    key: str
    title: str
    caption: str
    alt: str
    draw: "Callable[[], Figure] | None" = None
    file: Path | None = None
    paper_item: str | None = None

    def __post_init__(self) -> None:
        """Make sure that there is something to see."""
        assert (self.draw is None) != (self.file is None), f"{self.key}: either draw or file"


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Args:
        key (`str`): Its name in addresses, as a table's.
        title (`str`): Its heading.
        paragraphs (`list[str]`): Plain text.
        warnings (`list[str]`): Plain text that must not be overlooked; shown before the paragraphs.
        tables ([`list[Table]`]): Below the paragraphs.
        pictures ([`list[Picture]`]): Below the tables.
        page (`str`): Markdown page that holds it, a key of `PAGES`; the HTML page has all, in the order of `PAGES`.
        paper_item (`str`, *optional*): As a table's.
    """

    key: str
    title: str
    paragraphs: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    page: str = "README"
    paper_item: str | None = None


#: Markdown pages of a report, in their order, and their titles: stem of the file -> title.
PAGES = {
    "README": "The comparison",
    "paper": "The paper's tables and images, and ours",
    "systems": "System by system",
    "inconsistencies": "Where the paper contradicts itself",
    "context": "Figures that others have published",
}
