"""What the processes of a test do, each of them; started by `tests/training/fork_server.py`. All return plain JSON."""

import dataclasses
import os
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from transformers import TrainerCallback

from mgc_hf.distributed import contact, in_turn, on_main, same_everywhere
from mgc_hf.errors import DistributedError, LabelError, MgcHfError
from mgc_hf.results import RunResult
from mgc_hf.training.mirror import mirrored
from mgc_hf.training.predicting import Validation, predict, validation_metrics
from mgc_hf.training.trainer import GenreTrainer
from tests.training.stand_ins import GENRES, TinyData, make_extractor, make_model, make_options, make_rows


def _told(work) -> list:
    try:
        return ["ok", work()]
    except MgcHfError as error:
        return [type(error).__name__, str(error), error.everywhere, getattr(error, "unknown", None)]
    except ValueError as error:
        return [type(error).__name__, str(error)]


def _raise(error):
    raise error


def together(folder: Path) -> dict:
    """Outcomes and errors shared; each step ends in every process, or the test's time is up."""
    make_options(folder, ddp_timeout=60)
    state = PartialState()
    rank = state.process_index
    record = {"processes": state.num_processes}
    record["result"] = _told(lambda: on_main(lambda: {"rank": rank, "path": str(Path("x"))}))
    record["ours"] = _told(lambda: on_main(lambda: _raise(LabelError("other labels", ["polka"], []))))
    record["bug"] = _told(lambda: on_main(lambda: _raise(ValueError("a bug"))))

    def turn(failing=None):
        with in_turn():
            if rank == failing:
                raise LabelError(f"of {rank}", ["polka"])
            if rank == 0:
                time.sleep(0.3)
            began = time.time()
            (folder / str(rank)).touch() if folder.is_dir() else None
        return began

    record["turn"] = _told(turn)
    record["fails_in_0"] = _told(lambda: turn(0))
    record["fails_in_1"] = _told(lambda: turn(1))
    record["same"] = _told(lambda: same_everywhere({"the split": "a", "options": {"seed": 0}}))
    record["other"] = _told(lambda: same_everywhere({"options": 1, "the split": "ab"[rank]}))
    record["after"] = _told(lambda: on_main(lambda: "still in step"))
    return record


def silent(folder: Path, seconds: int) -> dict:
    """Process 1 says nothing; process 0 must give it up after `ddp_timeout`."""
    make_options(folder, ddp_timeout=seconds)
    if PartialState().process_index == 1:
        time.sleep(6 * seconds)
        os._exit(0)
    began = time.monotonic()
    try:
        with contact(lambda: "at step 7"):
            PartialState().wait_for_everyone()
    except DistributedError as error:
        return {"processes": PartialState().num_processes, "seconds": time.monotonic() - began, "error": str(error)}
    return {}


def count(folder: Path) -> dict:
    """Evaluate data sets of every size around the batch and the number of processes."""
    record = {}
    for size in (1, 2, 3, 4, 5, 7, 8, 9, 11):
        rows = make_rows(size, "validation", 1)
        data = TinyData(rows)
        model = make_model()
        validation = Validation(data, rows, GENRES)
        options = make_options(folder, per_device_eval_batch_size=4 // int(os.environ.get("WORLD_SIZE", "1")))
        from mgc_hf.training.arguments import trainer_arguments

        trainer = GenreTrainer(model, trainer_arguments(options, True), make_extractor(), data, validation)
        metrics = trainer.evaluate()
        predictions = predict(trainer, data, rows, GENRES)
        alone = predict(model, data, rows, GENRES)
        record[str(size)] = {
            "rows": len(predictions),
            "order": bool(np.allclose(predictions.logits, alone.logits, atol=1e-6)),
            "loss": metrics["eval_loss"] - validation_metrics(alone)["loss"],
        }
    return {"processes": PartialState().num_processes, "sizes": record}


class Drift(TrainerCallback):
    """Changes the weights of process 1 when training is over."""

    def on_train_end(self, args, state, control, model=None, **kwargs):
        with torch.no_grad():
            next(model.parameters()).add_(PartialState().process_index)


def drift(folder: Path, drifts: bool) -> dict:
    """Train with validation, averaging and checkpoints; all processes end with the best weights, from one file."""
    from mgc_hf.training import train

    rows, held_out = make_rows(16, "train", 1), make_rows(6, "validation", 1)
    options = make_options(folder, per_device_train_batch_size=4, num_train_epochs=2)
    data = [TinyData(rows), TinyData(held_out), held_out]
    outcome = train(make_model(), make_extractor(), *data, GENRES, options, callbacks=[Drift()] if drifts else [])
    weights = {name: value.tolist() for name, value in outcome.model.state_dict().items()}
    return {"processes": PartialState().num_processes, "selected": outcome.selected, "weights": weights}


def steps(folder: Path, batch: int, rows: int, accumulate: int = 1) -> dict:
    """Train on a number of rows that divides by nothing; weights after two epochs."""
    from mgc_hf.training import train

    table = make_rows(rows, "train", 1)
    outcome = train(
        make_model(dropout=0.0),
        make_extractor(),
        TinyData(table),
        None,
        None,
        GENRES,
        make_options(
            folder,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulate,
            num_train_epochs=2,
            save_strategy="no",
        ),
    )
    weights = {name: value.tolist() for name, value in outcome.model.state_dict().items()}
    history = [dataclasses.asdict(record) for record in outcome.history]
    return {"processes": PartialState().num_processes, "weights": weights, "history": history, "steps": outcome.steps}


def not_finite(folder: Path) -> dict:
    """Process 1 alone gets scores that are not finite, in its second step."""
    from mgc_hf.training import train

    model, calls = make_model(), []

    def poison(module, args, output):
        calls.append(output)
        if len(calls) == 2 and PartialState().process_index == 1:
            output.logits.data.fill_(float("nan"))

    model.register_forward_hook(poison)
    options = make_options(folder, per_device_train_batch_size=2, save_strategy="no")
    data = TinyData(make_rows(16, "train", 1))
    told = _told(lambda: train(model, make_extractor(), data, None, None, GENRES, options))
    return {"processes": PartialState().num_processes, "told": told[:2], "steps": len(calls)}


def recipe(folder: Path, own_folders: bool = False, own_data: bool = False, **options) -> dict:
    """A whole run, from options to card; with a folder or data of its own for each process, if so wanted."""
    from mgc_hf.run import fine_tune

    rank = os.environ.get("RANK", "0")
    if own_folders:
        folder = folder / rank
    if own_data and rank == "1":
        options["dataset"] += "-other"
    try:
        result = fine_tune(output_dir=str(folder), **options)
    except MgcHfError as error:
        processes = PartialState().num_processes
        return {"processes": processes, "error": str(error), "type": type(error).__name__, "told": error.everywhere}
    return {"processes": torch.distributed.get_world_size(), "result": result.to_dict()} | {
        "same": result == RunResult.load(folder / "results.json") if (folder / "results.json").exists() else None
    }


def mirror(folder: Path) -> dict:
    """A checkpoint that only process 0 sees, each process being a machine of its own."""
    os.environ["LOCAL_RANK"] = "0"
    make_options(folder, ddp_timeout=60)
    state = PartialState()
    source = folder if state.process_index == 0 else folder / "not-here"
    with mirrored(source) as found:
        content = {
            path.relative_to(found).as_posix(): path.stat().st_size for path in found.rglob("*") if path.is_file()
        }
        record = {"processes": state.num_processes, "content": content, "own": str(found) == str(folder)}
    with mirrored(source, (".json",)) as part:
        record["part"] = sorted(path.name for path in part.rglob("*.*") if state.process_index == 1)
    return {**record, "left": state.process_index == 1 and (found.exists() or part.exists())}
