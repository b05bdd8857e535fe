"""A run of a recipe, kept in a folder, for the benchmarks that compare several."""

import shlex
import subprocess
import sys
from pathlib import Path

from mgc_hf.results import RunResult

ROOT = Path(__file__).parents[1]


def run(recipe: str, arguments: list[str], folder: Path) -> RunResult:
    """Run a recipe once, unless the folder holds its record, and return the record; what it says goes to `FOLDER.log`."""
    if not (folder / "results.json").is_file():
        command = [sys.executable, str(ROOT / "recipes" / recipe), *arguments]
        command += ["--output_dir", str(folder), "--pictures", "false", "--overwrite_output_dir"]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{folder}.log", "w") as log:
            if subprocess.run(command, stdout=log, stderr=log).returncode:
                raise SystemExit(f"{shlex.join(command)} failed: see {log.name}")
    return RunResult.load(folder / "results.json")
