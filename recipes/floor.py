"""Fit the floor, a linear model of statistics of frame features, split by track, and write a model folder with its card.

    accelerate launch recipes/floor.py --dataset marsyas/gtzan --output_dir outputs/floor
    python recipes/floor.py --dataset demo --output_dir outputs/demo-floor     # synthetic corpus, no download

A shrinkage linear discriminant analysis (docs/floor.md), fitted in closed form: a fraction of a second, once the features
of all segments are computed. Every other recipe fits it beside its own model, and says whether that is better.
"""

from mgc_hf.cli.recipe import main

DEFAULTS = {
    "dataset": "marsyas/gtzan",
    "protocol": "track",
    "model_name_or_path": "stats_floor",
    "segment_seconds": 3.0,
    "mixup_alpha": 0.0,
    "spec_time_masks": 0,
    "output_dir": "outputs/floor",
}

if __name__ == "__main__":
    main(DEFAULTS, __file__, __doc__)
