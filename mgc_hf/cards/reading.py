"""Somebody's model card: its header as far as it can be read, and its text."""

from pathlib import Path
from typing import Any


def read_card(path: Path) -> tuple[dict[str, Any], str]:
    """Return header and text of a card; where it is none, both empty, and of a broken header all is text."""
    from huggingface_hub import RepoCard

    if not path.is_file():
        return {}, ""
    content = path.read_text(encoding="utf-8", errors="replace")
    try:
        card = RepoCard(content, ignore_metadata_errors=True)
        return card.data.to_dict(), card.text
    except Exception:  # whatever a YAML parser raises for somebody else's header
        return {}, content
