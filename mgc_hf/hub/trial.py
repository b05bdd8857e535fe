"""Load a model folder in a process that knows nothing else, and hear one clip: `python -m mgc_hf.hub.trial FOLDER`."""

import subprocess
import sys
from pathlib import Path

from mgc_hf.errors import PublishError

#: Seconds for imports, loading and one clip.
_LIMIT = 600


def try_folder(folder: Path) -> None:
    """Refuse a folder that cannot be loaded or gives no probabilities.

    Raises:
        PublishError: Says what failed.
    """
    command = [sys.executable, "-m", "mgc_hf.hub.trial", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        said = (done.stderr.strip() or f"it ended with status {done.returncode}").splitlines()[-1]
        raise PublishError(f"{folder}: not published, since it could not be loaded and heard in a new process: {said}")


def main(folder: str) -> None:
    """Load and predict; ends with an exception where anything is wrong."""
    import numpy as np

    from mgc_hf.inference import GenreClassifier

    classifier = GenreClassifier.from_pretrained(folder)
    seconds = np.arange(4 * classifier.sampling_rate) / classifier.sampling_rate
    prediction = classifier((0.3 * np.sin(2 * np.pi * 220 * seconds)).astype(np.float32), classifier.sampling_rate)
    total = sum(prediction.probabilities.values())
    if not abs(total - 1) < 1e-3:
        raise ValueError(f"its probabilities add up to {total}")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
