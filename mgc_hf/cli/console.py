"""What commands write while they work, and what those that publish say in the end."""

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from mgc_hf.hub import PushResult
    from mgc_hf.hub.contents import Content


def set_up_progress() -> None:
    """Show progress bars only to somebody who watches: none where standard error is a file or a pipe."""
    if sys.stderr.isatty():
        return
    from transformers.utils import logging

    logging.disable_progress_bar()
    if "datasets" in sys.modules:
        import datasets

        datasets.disable_progress_bars()
    else:  # not every command needs it, and importing it takes a second
        os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"


class Ticker:
    """How far a long piece of work is, on standard error: a line that moves on a terminal, else a line every minute.

    Args:
        what (`str`): What is counted.
    """

    def __init__(self, what: str):
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._what = what
        self._began = self._told = time.monotonic()
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
        )
        self._task = self._progress.add_task(f"0 {what}", total=None)
        self._moves = console.is_terminal

    def __enter__(self) -> Self:
        if self._moves:
            self._progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._moves:
            self._progress.stop()

    def show(self, count: int) -> None:
        """Say how many are done."""
        now = time.monotonic()
        if self._moves:
            self._progress.update(self._task, description=self._text(count, now))
        elif now - self._told > 60:
            self._told = now
            print(self._text(count, now), file=sys.stderr, flush=True)

    def _text(self, count: int, now: float) -> str:
        return f"{count:,} {self._what}, {count / max(now - self._began, 1e-9):,.1f} a second"


def tell_contents(contents: "Sequence[Content]", repo_id: str, sends: bool = False) -> None:
    """Print what a push sends, with sizes: on standard error where it is about to (`sends`), else it is the answer."""
    out, go = (sys.stderr, "go") if sends else (sys.stdout, "would go")
    for content in contents:
        print(f"{content.size:>14,}  {content.path}", file=out)
    total = sum(content.size for content in contents)
    print(f"{total:>14,}  bytes in {len(contents)} files {go} to {repo_id}", file=out, flush=True)


def tell_result(result: "PushResult") -> None:
    """Print what a push came to."""
    if not result.written and not result.deleted:
        print(f"nothing has changed: {result.url}")
    else:
        deleted = f", {len(result.deleted)} taken away" if result.deleted else ""
        files = "1 file" if len(result.written) == 1 else f"{len(result.written)} files"
        print(f"{files} written{deleted}: {result.url}")
    if result.kept_card:
        print(
            "the card was edited on the Hub, and was left as it is there: see that it still describes what was pushed"
        )
