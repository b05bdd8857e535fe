"""Execute docs/tutorial.py as a notebook, every cell of it, and keep it with its outputs as docs/tutorial.ipynb."""

import os
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

from mgc_hf.files import write_text

SOURCE = Path(__file__).parents[1] / "docs" / "tutorial.py"
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # the tutorial says that it needs no network
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # a page keeps every step of a progress bar
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "PYTHONWARNINGS": "ignore:IProgress not found",
}


def main() -> None:
    """Execute the notebook; exit status 1, with the cell and its error, where one fails."""
    os.environ.update(ENVIRONMENT)
    notebook = jupytext.read(SOURCE)
    started = time.perf_counter()
    try:
        NotebookClient(notebook, timeout=300, config=Config({"KernelManager": {"transport": "ipc"}})).execute()
    except CellExecutionError as error:
        sys.exit(f"{SOURCE.name}: {error}")
    text = nbformat.writes(notebook)
    for place in (str(Path.home()), str(SOURCE.parents[1])):
        if place != "/" and place in text:
            sys.exit(f"{SOURCE.name}: an output names {place}, a place on this machine")
    write_text(SOURCE.with_suffix(".ipynb"), text)
    print(f"{SOURCE.name}: {len(notebook.cells)} cells in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
