"""Compare systems of one experiment fold by fold on the same tracks, at segment and at track level, and with the floor.

    python recipes/compare.py --dataset ../shared/gtzan-subset --protocols kfold --seeds 0 1 2 3 4 \\
        --systems lstm band_cosema=recipes/band_cosema.yaml --output_dir outputs/compare
    python benchmarks/cross_validated.py outputs/compare/runs --first lstm --second band_cosema

Reads the folders `SYSTEM-kfold-SEED` and trains nothing. The floor's answers lie beside each run's own (`floor.parquet`).
Under `kfold` a seed gives every system the same folds, so the systems answer for the same segments. Intervals of
differences are bootstraps over tracks, each drawn with all its answers under all seeds.
"""

import argparse
from pathlib import Path

import numpy as np

from mgc_hf import outputs
from mgc_hf.comparison.material import slug
from mgc_hf.evaluation.intervals import paired_difference
from mgc_hf.evaluation.paired import Answers
from mgc_hf.evaluation.seeds import over_seeds
from mgc_hf.predictions import Predictions
from mgc_hf.results import RunResult


def answers(file: Path, unit: str) -> Answers:
    """Return the answers of a file of predictions, sorted by the ids of the items."""
    found = Answers.of(Predictions.load(file).of_part("test"), unit)
    order = np.argsort(found.ids)
    return Answers(found.ids[order], found.track_id[order], found.label[order], found.right[order])


def main() -> None:
    """Print accuracies over seeds and the paired differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder with the runs of an experiment")
    parser.add_argument("--first", default="lstm")
    parser.add_argument("--second", default="band_cosema")
    parser.add_argument("--protocol", default="kfold")
    given = parser.parse_args()
    given.first, given.second = slug(given.first), slug(given.second)  # as folders are named
    folders = sorted(given.runs.glob(f"{given.first}-{given.protocol}-*"))
    pairs = [
        (one, other)
        for one in folders
        if (one / outputs.RESULTS).is_file()
        and ((other := one.with_name(one.name.replace(given.first, given.second, 1))) / outputs.RESULTS).is_file()
    ]
    if not pairs:
        raise SystemExit(f"{given.runs}: no seed has finished runs of {given.first} and of {given.second}")
    seeds = [RunResult.load(one / outputs.RESULTS).seed for one, _ in pairs]
    print(f"protocol {given.protocol}, seeds {', '.join(map(str, seeds))}")
    for unit in ("segment", "track"):
        files = {
            given.first: [one / outputs.PREDICTIONS for one, _ in pairs],
            given.second: [other / outputs.PREDICTIONS for _, other in pairs],
            "floor": [one / outputs.FLOOR for one, _ in pairs],
        }
        found = {name: [answers(file, unit) for file in of] for name, of in files.items()}
        for name, of in found.items():
            values = [one.right.mean() for one in of]
            each = ", ".join(f"{100 * value:.1f}" for value in values)
            print(f"{unit}s, {name}: {over_seeds(values)} ({each}), n = {len(of[0].ids)}")
        first = found[given.first]
        for name in (given.second, "floor"):
            for one, other in zip(first, found[name], strict=True):
                if not np.array_equal(one.ids, other.ids):
                    raise SystemExit(f"{given.first} and {name} were not tested on the same {unit}s")
            value, (low, high) = paired_difference(
                np.concatenate([one.track_id for one in first]),
                np.concatenate([one.right for one in first]),
                np.concatenate([one.right for one in found[name]]),
            )
            print(
                f"{unit}s, {given.first} less {name}: {100 * value:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"
            )


if __name__ == "__main__":
    main()
