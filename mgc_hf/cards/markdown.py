"""Text of users made safe for Markdown, HTML and tables, and for readers who should not learn of a machine's paths.

Escaping is by numeric character references: CommonMark never takes one for structure (section 2.5 of its
specification), a table never splits a cell at one, and HTML shows the character itself, whichever program renders the
page. Ordinary words and numbers come out unchanged.
"""

import re
import unicodedata
from typing import Any

#: Unicode categories that are no text: control, lone surrogates, line and paragraph separators.
_NO_TEXT = ("Cc", "Cs", "Zl", "Zp")
#: Formatting characters that turn the direction of the text around them (U+202A to U+202E, U+2066 to U+2069).
_TURNS_TEXT = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}
#: What may mean structure in running text or a table cell: always, at a word's edge, at the start, or as a bare link.
_STRUCTURE = re.compile(
    r"[\\`*\[\]<>&|~$#]|(?<![^\W_])_|_(?![^\W_])|^[-+](?=[\s-]|$)|^\d+(?=[.)](?:\s|$))|://|(?<=www)\."
)
_PLAIN_CODE = re.compile(r"[\w.,:;/+=%(){}'\" -]*", re.ASCII)
#: An absolute or home-relative path inside a text; a lone slash and the slash of `and/or` or a URL are none.
_PATH = re.compile(r"(?<![\w/\\.:<])(?:~[\w.-]*|\.{1,2}|[A-Za-z]:)?(?:[/\\]+[^\s/\\'\"<>]+)+[/\\]*")
_WHOLE_PATH = re.compile(r"(~|\.{1,2}|[A-Za-z]:)?[/\\].*|[\w.-]+([/\\][\w.-]+){2,}[/\\]?", re.DOTALL)


class Markdown(str):
    """Text that is Markdown already; `escape` leaves it alone."""

    __slots__ = ()


def clean(text: str) -> str:
    """Return text on one line: control characters and line breaks become spaces, marks that turn its direction go."""
    kept = (" " if unicodedata.category(c) in _NO_TEXT else c for c in text if c not in _TURNS_TEXT)
    return " ".join("".join(kept).split())


def escape(value: Any) -> Markdown:
    """Return a value as Markdown that shows exactly its text; `None` was not measured, and says so."""
    if isinstance(value, Markdown):
        return value
    if value is None:
        return Markdown("not measured")
    text = str(value)
    return Markdown(_STRUCTURE.sub(_references, clean(text)) or ("(blank)" if text else ""))


def code(value: Any) -> Markdown:
    """Return a value in typewriter letters, on one line."""
    text = clean(str(value))
    if text and _PLAIN_CODE.fullmatch(text):
        return Markdown(f"`{text}`")
    # a code span can show neither a backtick nor, inside a table, a backslash before a bar
    return Markdown(f"<code>{escape(text)}</code>")


def without_paths(value: Any) -> Any:
    """Return a plain value whose local paths are cut down to their last component, also inside longer texts."""
    if isinstance(value, dict):
        return {str(key): without_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    if _WHOLE_PATH.fullmatch(value.strip()):
        return _last_component(value.strip())
    return _PATH.sub(lambda match: _last_component(match.group()), value)


def _last_component(path: str) -> str:
    return next((part for part in reversed(re.split(r"[/\\]", path)) if part not in ("", ".", "..", "~")), "PATH")


def _references(match: re.Match[str]) -> str:
    return "".join(f"&#{ord(character)};" for character in match.group())
