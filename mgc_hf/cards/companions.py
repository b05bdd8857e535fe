"""What goes with a card: the licence's text, clips to try the model on, and the figures in the Hub's own format."""

import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from mgc_hf.cards.hub_ids import is_hub_id
from mgc_hf.cards.licences import licence_of
from mgc_hf.files import write_text
from mgc_hf.results import EVAL_RESULTS_FILE, WIDGET_FILES, Interval, RunResult, format_interval
from mgc_hf.schema import yaml_text

LICENCE_FILE = "LICENSE"


def write_companions(result: RunResult, folder: Path) -> None:
    """Write the files that a card goes with, except its pictures, into a model folder.

    A `LICENSE` that lies there is somebody's own and stays; one of ours under which the model no longer is goes.

    Args:
        result ([`RunResult`]): The record.
        folder (`Path`): The folder; other files of these names are replaced.
    """
    package = resources.files(__package__)
    entries = eval_results(result)
    if entries:
        (folder / EVAL_RESULTS_FILE).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / EVAL_RESULTS_FILE, yaml_text(entries))
    if result.training is None:
        return
    licence, ours = folder / LICENCE_FILE, licence_text()
    is_apache = licence_of(result.model.base_model)[0].get("license") == "apache-2.0"
    if is_apache and not licence.exists():
        write_text(licence, ours.decode())
    elif not is_apache and licence.is_file() and licence.read_bytes() == ours:
        licence.unlink()
    for path in WIDGET_FILES.values():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with resources.as_file(package.joinpath(path)) as clip:
            shutil.copyfile(clip, folder / path)


def licence_text() -> bytes:
    """Return the text of Apache-2.0, as it is written into model folders."""
    return resources.files(__package__).joinpath("apache-2.0.txt").read_bytes()


def eval_results(result: RunResult) -> list[dict[str, Any]]:
    """Return a record's figures as `.eval_results/*.yaml` has them; empty where the test data is no Hub data set.

    One scalar an entry (fractions in 0..1); interval, n and protocol are in its notes. The format is
    `huggingface_hub.EvalResultEntry`'s.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    source, revision = result.data.tested
    if not is_hub_id(source):
        return []
    hashed = "" if result.split.hash is None else f", split {result.split.hash}"
    entries = []
    for level, scores in result.levels.items():
        figures: dict[str, Interval] = {"accuracy": scores.accuracy, "macro_f1": scores.macro_f1}
        for name, figure in figures.items():
            entries.append(
                EvalResultEntry(
                    dataset_id=source,
                    task_id=f"{level}_{name}",
                    value=round(float(figure.value), 4),
                    dataset_revision=revision,
                    date=result.created,
                    notes=(
                        f"{format_interval(figure)} (95 % interval over tracks), n = {scores.n} {level}s; "
                        f"protocol {result.protocol}, {result.leak}{hashed}; mgc_hf {result.mgc_hf_version}"
                    ),
                )
            )
    return eval_result_entries_to_yaml(entries)
