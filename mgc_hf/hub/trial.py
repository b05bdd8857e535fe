"""Load a model folder as a stranger would, in a process that has no mgc_hf, and hear one clip."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mgc_hf.errors import PublishError

#: Seconds for imports, loading and one clip.
_LIMIT = 600

_PROGRAM = """
import json, sys
# as where they are not installed; a torchaudio that does not load would stop transformers itself
sys.modules["mgc_hf"] = sys.modules["torchaudio"] = None
import numpy as np
from transformers import logging, pipeline
logging.set_verbosity_error()
logging.disable_progress_bar()
folder = sys.argv[1]
with open(folder + "/config.json", encoding="utf-8") as file:
    tasks = json.load(file).get("custom_pipelines") or {"audio-classification": None}
for task in tasks:
    hear = pipeline(task, model=folder, trust_remote_code=True)
    rate = hear.feature_extractor.sampling_rate
    seconds = getattr(hear.feature_extractor, "segment_seconds", None) or 4.0
    clip = 0.3 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)
    total = sum(row["score"] for row in hear({"raw": clip.astype(np.float32), "sampling_rate": rate}, top_k=None))
    if not abs(total - 1) < 1e-3:
        raise ValueError(f"its probabilities add up to {total}")
"""


def try_folder(folder: Path) -> None:
    """Refuse a folder that cannot be loaded or gives no probabilities.

    What its configuration names is loaded, code and pipeline included, as whoever has the repository alone would.

    Raises:
        PublishError: Says what failed.
    """
    with tempfile.TemporaryDirectory(prefix="mgc_hf-") as modules:
        own = {
            "HF_MODULES_CACHE": modules,  # its code, not what an earlier trial left
            "HF_HUB_OFFLINE": "1",
            "CUDA_VISIBLE_DEVICES": "",  # this process may hold all memory of a device
        }
        try:
            done = subprocess.run(
                [sys.executable, "-c", _PROGRAM, str(folder.resolve())],
                capture_output=True,
                text=True,
                timeout=_LIMIT,
                check=False,
                env={**os.environ, **own},
                cwd=modules,
            )
            said = (done.stderr.strip() or f"it ended with status {done.returncode}").splitlines()[-1]
            failed = done.returncode != 0
        except subprocess.TimeoutExpired:
            said, failed = f"it took longer than {_LIMIT} s", True
    if failed:
        raise PublishError(f"{folder}: not published, since it could not be loaded and heard in a new process: {said}")
