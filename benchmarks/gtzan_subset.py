"""Score a recipe over several seeds on the real clips of `../shared/gtzan-subset`, by track and by segment.

    python benchmarks/gtzan_subset.py --seeds 5

Each run is the recipe's own command: a line per run with its interval, then mean and standard deviation over seeds
(a seed changes split, initial weights and batches). Runs are kept in `--output_dir` and read from there on a second
call.
"""

import argparse
from pathlib import Path

from runs import ROOT, run

from mgc_hf.evaluation.seeds import over_seeds
from mgc_hf.results import format_interval


def main() -> None:
    """Run every protocol with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="lstm.py")
    parser.add_argument("--dataset", default=str(ROOT / ".." / "shared" / "gtzan-subset"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--protocols", nargs="+", default=["track", "segment"])
    parser.add_argument("--output_dir", type=Path, default=ROOT / "outputs" / "gtzan_subset")
    options = parser.parse_args()
    for protocol in options.protocols:
        results = []
        for seed in range(options.seeds):
            folder = options.output_dir / f"{Path(options.recipe).stem}-{protocol}-{seed}"
            arguments = ["--dataset", options.dataset, "--protocol", protocol, "--seed", str(seed)]
            results.append(run(options.recipe, arguments, folder))
            found = [f"{level}s {format_interval(scores.accuracy)}" for level, scores in results[-1].levels.items()]
            print(f"{protocol} seed {seed}: {', '.join(found)}", flush=True)
        for level in results[0].levels:
            mean = over_seeds([result.levels[level].accuracy.value for result in results])
            leak = "leaky" if results[0].leaky else "leak-free"
            print(f"{protocol} ({leak}) {level}s: {mean}, n = {results[0].levels[level].n}")


if __name__ == "__main__":
    main()
