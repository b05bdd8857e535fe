"""What commands write on standard error while they work."""

import sys


def set_up_progress() -> None:
    """Show progress bars only to somebody who watches: none where standard error is a file or a pipe."""
    if sys.stderr.isatty():
        return
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.disable_progress_bar()
