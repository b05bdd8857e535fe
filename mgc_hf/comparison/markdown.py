"""A report as Markdown pages, as GitHub and the Hub show them."""

import re
from collections.abc import Iterable, Mapping, Sequence

from mgc_hf.cards.markdown import clean, escape
from mgc_hf.comparison.sections import MARKS, PAGES, Cell, Picture, Section, Table

#: The page of HTML that lies beside the Markdown pages.
HTML_PAGE = "report.html"
#: Brackets of an interval, which can be no link: they are left to read.
_INTERVAL = re.compile(r"&#91;([-+\d., ]+)&#93;(?![(:\[])")


def render_pages(sections: Sequence[Section], pictures: Mapping[str, str]) -> dict[str, str]:
    """Render a report's Markdown pages.

    Args:
        sections (`Sequence[Section]`): What it says.
        pictures (`Mapping[str, str]`): Key of a picture -> its file, relative to the pages.

    Returns:
        `dict[str, str]`: File name -> text. Only pages that have a section are among them.
    """
    used = [page for page in PAGES if any(section.page == page for section in sections)]
    return {f"{page}.md": _page(page, used, sections, pictures) for page in used}


def _text(text: str) -> str:
    """Return plain text as Markdown that shows it."""
    return _INTERVAL.sub(r"[\1]", escape(text))


def _page(page: str, used: Sequence[str], sections: Sequence[Section], pictures: Mapping[str, str]) -> str:
    mine = [section for section in sections if section.page == page]
    parts = [f"# {_text(PAGES[page])}", _links(page, used), *(_section(section, pictures) for section in mine)]
    marks = {cell.mark for section in mine for table in section.tables for row in table.rows for cell in row}
    signs = [f"{sign} {words}" for mark, (sign, words) in MARKS.items() if sign and mark in marks]
    if signs:
        parts.append(f"Signs in tables: {'; '.join(signs)}.")
    return "\n\n".join(parts) + "\n"


def _links(page: str, used: Sequence[str]) -> str:
    links = [f"[{_text(PAGES[other])}]({other}.md)" for other in used if other != page]
    return " · ".join([*links, f"[all of it in one page]({HTML_PAGE})"])


def _section(section: Section, pictures: Mapping[str, str]) -> str:
    parts = [f'<a id="{section.key}"></a>\n\n## {_text(section.title)}']
    parts += [f"> **{_text(text)}**" for text in section.warnings]
    parts += [_text(text) for text in section.paragraphs]
    parts += [_table(table) for table in section.tables]
    parts += [_picture(picture, pictures[picture.key]) for picture in section.pictures]
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    numeric = [_is_numeric(row[index] for row in table.rows) for index in range(len(table.columns))]
    lines = [
        f"**{_text(table.title)}**",
        "",
        _row(_text(name) for name in table.columns),
        _row("---:" if right else "---" for right in numeric),
        *(_row(_cell(cell) for cell in row) for row in table.rows),
    ]
    if table.note:
        lines += ["", _text(table.note)]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text: str = _text(cell.text)
    if cell.link:
        text = f"[{text}]({cell.link})"
    if cell.mark is None or not text:
        return text
    sign = MARKS[cell.mark][0]
    if cell.mark == "strong":
        return f"**{text}**"
    return f"{text} {sign}" if sign else text


def _is_numeric(cells: Iterable[Cell]) -> bool:
    """Whether a column is of figures: all that is there has a value."""
    found = [cell for cell in cells if cell.text and cell.mark != "missing"]
    return bool(found) and all(cell.value is not None for cell in found)


def _picture(picture: Picture, file: str) -> str:
    return f"![{_text(clean(picture.alt))}]({file})\n\n*{_text(picture.caption)}*"
