"""Compare two ways of running a recipe, seed by seed on the same test tracks: accuracies and their paired difference.

    python benchmarks/paired_runs.py --recipe audio_model.py --options="--model_name_or_path CHECKPOINT" \\
        --first="" --second="--from_scratch"                             # pre-trained against from scratch
    python benchmarks/paired_runs.py --recipe audio_model.py --options="--model_name_or_path CHECKPOINT" \\
        --first="--bf16 true" --second="--bf16 false"                    # bfloat16 autocast against float32

Each run is the recipe's own command on `--dataset`, with protocol `track` and one of the seeds, which draws split,
initial weights and batches; the two ways of a seed share them. Runs are kept in `--output_dir` and read from there on a
second call. The interval of the difference is a bootstrap over tracks: a track that was tested under several seeds is
drawn with all its answers.
"""

import argparse
import hashlib
import shlex
from pathlib import Path

import numpy as np
from runs import ROOT, run

from mgc_hf.evaluation.intervals import paired_difference
from mgc_hf.evaluation.seeds import over_seeds
from mgc_hf.predictions import Predictions
from mgc_hf.results import format_interval


def test_tracks(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of a run's test tracks, sorted, and whether each was found."""
    tracks = Predictions.load(folder / "predictions.parquet").of_part("test").to_tracks()
    order = np.argsort(tracks.track_id)
    return tracks.track_id[order], (tracks.predicted == tracks.label)[order]


def main() -> None:
    """Run both ways with every seed and print accuracies and the paired difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="audio_model.py")
    parser.add_argument("--dataset", default=str(ROOT / ".." / "shared" / "gtzan-subset"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--options", default="", help="options of both")
    parser.add_argument("--first", default="", help="options of the one")
    parser.add_argument("--second", required=True, help="options of the other")
    parser.add_argument("--output_dir", type=Path, default=ROOT / "outputs" / "paired_runs")
    given = parser.parse_args()
    accuracies: list[list[float]] = [[], []]
    ids: list[np.ndarray] = []
    right: list[list[np.ndarray]] = [[], []]
    for seed in range(given.seeds):
        found = []
        for index, options in enumerate((given.first, given.second)):
            arguments = ["--dataset", given.dataset, "--protocol", "track", "--seed", str(seed)]
            arguments += shlex.split(f"{given.options} {options}")
            name = hashlib.sha256(shlex.join([given.recipe, *arguments]).encode()).hexdigest()[:12]
            folder = given.output_dir / f"{Path(given.recipe).stem}-{seed}-{name}"
            result = run(given.recipe, arguments, folder)
            found.append(test_tracks(folder))
            accuracies[index].append(result.track.accuracy.value)
            right[index].append(found[-1][1])
            minutes = result.training.seconds / 60 if result.training else 0
            print(
                f"seed {seed}, {options or 'as it is'}: tracks {format_interval(result.track.accuracy)}, segments "
                f"{format_interval(result.segment.accuracy)}, {minutes:.1f} min, {result.environment.precision}",
                flush=True,
            )
        if not np.array_equal(found[0][0], found[1][0]):
            raise SystemExit(f"seed {seed}: the two ways were tested on other tracks; they cannot be paired")
        ids.append(found[0][0])
    for options, values in zip((given.first, given.second), accuracies, strict=True):
        print(f"{options or 'as it is'}: tracks {over_seeds(values)}")
    value, (low, high) = paired_difference(np.concatenate(ids), *map(np.concatenate, right))
    print(f"difference: {100 * value:+.1f} points of tracks [{100 * low:+.1f}, {100 * high:+.1f}]")


if __name__ == "__main__":
    main()
