"""What every recipe does when it is started: read options, walk, print the scores, leave with the right status."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

from mgc_hf.cli.leaving import run_and_leave
from mgc_hf.distributed import leave


def main(defaults: Mapping[str, Any], recipe: str, description: str | None) -> None:
    """Run a recipe from the command line.

    Exit status: 0 when the model folder is complete, 1 when the run failed, 2 for wrong options, 130 or 143 after
    SIGINT or SIGTERM, with a checkpoint to resume from. Of several processes the main one prints the scores, and one
    of each machine an error that all have.

    Args:
        defaults (`Mapping[str, Any]`): The recipe's options that differ from the package's.
        recipe (`str`): The recipe's file.
        description (`str`): The recipe's docstring, for `--help`.
    """
    from mgc_hf.cli.console import set_up_progress
    from mgc_hf.doctor import check_before_run
    from mgc_hf.options import parse_options
    from mgc_hf.run import run

    def work() -> None:
        options = parse_options(defaults, description=description)
        set_up_progress()
        check_before_run(options.train.output_dir or ".", options.data.cache_dir)
        result = run(options, recipe)
        if options.train.should_save:
            print(result.summary())
            what = "card, and a model in each of its folders fold-K" if result.split.folds else "model and card"
            print(f"{what}: {options.train.output_dir}")
            if options.train.push_to_hub:
                print(f"published: {options.train.hub_model_id}")
        leave()

    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    for name in (
        "mgc_hf.run",
        "mgc_hf.cross_validation",
        "mgc_hf.leaks",
    ):  # verdict, folds, where a run was published
        logging.getLogger(name).setLevel(logging.INFO)
    run_and_leave(work, "error")
