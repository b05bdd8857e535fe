"""What commands write while they work, and what those that publish say in the end."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mgc_hf.hub import PushResult
    from mgc_hf.hub.contents import Content


def set_up_progress() -> None:
    """Show progress bars only to somebody who watches: none where standard error is a file or a pipe."""
    if sys.stderr.isatty():
        return
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.disable_progress_bar()


def tell_contents(contents: "Sequence[Content]", repo_id: str) -> None:
    """Print what a push would send, with sizes."""
    for content in contents:
        print(f"{content.size:>14,}  {content.path}")
    print(f"{sum(content.size for content in contents):>14,}  bytes in {len(contents)} files would go to {repo_id}")


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
