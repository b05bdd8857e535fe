"""The loop: items this process owns and has not done yet, decoded ahead of the model, to rows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgc_hf.errors import AudioError
from mgc_hf.inference import GenreClassifier
from mgc_hf.labelling.items import Item, Share
from mgc_hf.labelling.rows import UNSURE, make_row


@dataclass
class Counts:
    """What came of a labelling so far, in files."""

    labelled: int = 0
    unsure: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def done(self) -> int:
        """Files that have a row now."""
        return self.labelled + self.failed


def label(
    classifier: GenreClassifier,
    items: Iterable[Item],
    write: Callable[[dict[str, Any]], None],
    *,
    done: Any = frozenset(),
    share: Share | None = None,
    threads: int = 0,
    unsure_below: float = 0.0,
    top_k: int | None = None,
    on_row: Callable[[Item, dict[str, Any]], None] | None = None,
) -> Iterator[Counts]:
    """Label items one by one, in their order, in memory that does not grow with their number.

    Args:
        classifier ([`GenreClassifier`]): The model.
        items (`Iterable[Item]`): What to label; is read a few items ahead.
        write (`Callable`): Takes each row.
        done (container of keys, *optional*): Items that have a row already.
        share ([`Share`], *optional*): Which items are this process's; all where not given.
        threads (`int`, *optional*, defaults to 0): Threads that decode ahead.
        unsure_below, top_k: As for [`make_row`].
        on_row (`Callable`, *optional*): Is called with each item and its row before the row is written, and may add
            to it.

    Yields:
        [`Counts`]: After each item; the same object.

    Raises:
        AudioError: Of kind `environment`: nothing can be decoded here, whatever the file.
    """
    share, counts = share or Share(), Counts()

    def openers() -> Iterator[tuple[Item, Callable[[], Iterable[np.ndarray]]]]:
        for item in items:
            if not share.owns(item.key):
                continue
            if item.key in done:
                counts.skipped += 1
                continue
            yield item, _opener(item, classifier.sampling_rate)

    for item, outcome in classifier.predict_many(openers(), threads):
        if isinstance(outcome, AudioError) and outcome.kind == "environment":
            raise outcome
        row = make_row(item.path, outcome, classifier.revision, unsure_below, top_k)
        if on_row is not None:
            on_row(item, row)
        write(row)
        counts.failed += row["error"] is not None
        counts.labelled += row["error"] is None
        counts.unsure += row["genre"] == UNSURE
        yield counts
    yield counts


def _opener(item: Item, sampling_rate: int) -> Callable[[], Iterable[np.ndarray]]:
    from mgc_hf.data.audio import stream

    source = item.path if item.content is None else item.content
    return lambda: stream(source, sampling_rate, None, item.path)
