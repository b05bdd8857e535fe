"""Run the paper's comparison: systems by protocols by seeds, and write one report on all of it.

    python recipes/compare.py --dataset marsyas/gtzan --output_dir outputs/compare

A first try on a CPU, without a download, on the synthetic corpus (its figures say nothing about music):

    python recipes/compare.py --dataset demo --systems lstm floor --protocols segment track --seeds 0 \\
        --system_options '{"all": {"demo_clips_per_genre": 5}, "lstm": {"num_train_epochs": 3}}' \\
        --output_dir outputs/try

Each run is the recipe's own command, started by accelerate launch, in runs/; what it says is in logs/. Started again, the
same command picks up finished runs and resumes a broken one. A run that fails stops no other; the report says that it is
missing. docs/comparison.md has every option and what the report holds.
"""

from mgc_hf.cli.experiment import main

if __name__ == "__main__":
    main(__file__, __doc__)
