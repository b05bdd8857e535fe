"""The card of a data set on the Hub: a function of what was packed, through `dataset_template.md`, escaped as model cards are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mgc_hf.cards.card import source_link, template
from mgc_hf.cards.markdown import Markdown, escape, without_paths
from mgc_hf.cards.signature import sign
from mgc_hf.data.protocols import Split
from mgc_hf.results import SkippedFile
from mgc_hf.schema import yaml_text

#: Upper ends of the Hub's classes of size, and their names.
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))


@dataclass(frozen=True)
class DatasetSummary:
    """What the card tells of a data set.

    Args:
        repo_id (`str`): Where it goes, `namespace/name`.
        source (`str`): Name of the source that it was made of.
        is_demo (`bool`): Whether that is the synthetic demo corpus.
        is_gtzan (`bool`): Whether its tracks are GTZAN's.
        with_audio (`bool`): Whether the audio is in it.
        licence (`str`, *optional*): Identifier of the licence, as the Hub spells it.
        tracks (`Mapping[str, Mapping[str, int]]`): Number of tracks per genre, of each of its splits in order.
        split ([`Split`], *optional*): What divided it; `None` where nothing did.
        has_parts (`bool`): Whether its parts are those of the source.
        skipped (`Sequence[SkippedFile]`): Files that were left out, or are in it as unusable.
        known_artists, repeats (`int`): Tracks whose artist is known, and that share artist and title with another.
    """

    repo_id: str
    source: str
    is_demo: bool
    is_gtzan: bool
    with_audio: bool
    licence: str | None
    tracks: Mapping[str, Mapping[str, int]]
    split: Split | None
    has_parts: bool
    skipped: Sequence[SkippedFile]
    known_artists: int
    repeats: int

    @property
    def n(self) -> int:
        """Number of rows."""
        return sum(sum(counts.values()) for counts in self.tracks.values())


def render_dataset_card(summary: DatasetSummary) -> str:
    """Render the README.md of a data set, with a YAML header as the Hub and `load_dataset` read it, signed."""
    genres = sorted({genre for counts in summary.tracks.values() for genre in counts})
    rows: list[tuple[Any, list[str]]] = [
        (genre, [f"{counts.get(genre, 0):,}" for counts in summary.tracks.values()]) for genre in genres
    ]
    rows.append((Markdown("*all*"), [f"{sum(counts.values()):,}" for counts in summary.tracks.values()]))
    values = {
        "summary": summary,
        "title": summary.repo_id.split("/")[1],
        "repo": Markdown(summary.repo_id),
        "source": source_link(summary.source, summary.is_demo),
        "n": f"{summary.n:,}",
        "genres": Markdown(", ".join(map(escape, genres))),
        "num_genres": len(genres),
        "splits": list(summary.tracks),
        "rows": rows,
        "skipped": [(without_paths(file.file), without_paths(file.reason)) for file in summary.skipped],
        "seed": None if summary.split is None else "none" if summary.split.seed is None else summary.split.seed,
    }
    body = re.sub(r"\n{3,}", "\n\n", template("dataset_template.md").render(values))
    return sign(f"---\n{yaml_text(_metadata(summary).to_dict())}---\n\n{body.strip()}\n")


def _metadata(summary: DatasetSummary) -> Any:
    from huggingface_hub import DatasetCardData

    files = [{"split": split, "path": f"data/{split}-*"} for split in summary.tracks]
    optional: dict[str, Any] = {"license": summary.licence} if summary.licence else {}
    return DatasetCardData(
        pretty_name=summary.repo_id.split("/")[1],
        task_categories=["audio-classification"],
        tags=["mgc_hf", "music", "music-genre-classification", *([] if summary.with_audio else ["index"])],
        size_categories=[next((name for end, name in _SIZES if summary.n < end), "n>1M")],
        configs=[{"config_name": "default", "data_files": files}],
        **optional,
    )
