"""The one loop: train a model on segments, and hand back the weights that the run is judged by."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object
from transformers import TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import TrainerState

from mgc_hf.distributed import contact, on_main
from mgc_hf.errors import OptionError
from mgc_hf.models.build import is_fitted
from mgc_hf.results import EpochRecord
from mgc_hf.training import checkpoints
from mgc_hf.training.arguments import trainer_arguments
from mgc_hf.training.callbacks import EarlyStopping
from mgc_hf.training.checkpoints import Checkpoint
from mgc_hf.training.fitting import fit
from mgc_hf.training.mirror import mirrored
from mgc_hf.training.predicting import Validation
from mgc_hf.training.signals import StoppedBySignal, StopSignals
from mgc_hf.training.trainer import GenreTrainer

if TYPE_CHECKING:
    from mgc_hf.data.segments import SegmentTable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainOutcome:
    """What training came to.

    Args:
        model (`PreTrainedModel`): The model with the selected weights, in evaluation mode, without autocast.
        trainer ([`~mgc_hf.training.trainer.GenreTrainer`]): For `predict`, which shares work among processes.
        history (`list[EpochRecord]`): One record per epoch, those before a resume included.
        selected (`str`): Which weights the model holds: `best` on validation, `averaged`, `last`, or `fitted` in closed
            form.
        selected_epoch (`float`): The epoch that they are from.
        epochs (`float`): Epochs trained.
        steps (`int`): Optimiser steps done.
        seconds (`float`): Wall time of training, that before a resume included.
        resumed (`bool`): Whether the run went on from a checkpoint at any time.
        already_finished (`bool`): Whether there was nothing left to train.
    """

    model: Any
    trainer: GenreTrainer
    history: list[EpochRecord]
    selected: str
    selected_epoch: float
    epochs: float
    steps: int
    seconds: float
    resumed: bool
    already_finished: bool


def train(
    model: Any,
    feature_extractor: Any,
    train_data: Any,
    validation_data: Any | None,
    validation_rows: "SegmentTable | None",
    genres: Sequence[str],
    options: Any,
    *,
    whole_tracks: bool = True,
    signature: dict[str, Any] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainOutcome:
    """Train an audio classifier with transformers' Trainer, or fit it where it is one that is fitted in closed form.

    With a validation part, each epoch is validated, the best one by `options.metric_for_best_model` is kept, and
    early stopping is possible. Without one, all epochs are trained and the averaged or last weights are taken.

    Checkpoints go to `options.output_dir`. With `options.resume` training goes on from the newest whole one, to the
    same weights and figures, bit for bit on a CPU, as if it had never stopped; a finished run returns what it came
    to. On SIGTERM or SIGINT the step is finished, a checkpoint is saved, and the process ends with status 143 or 130.

    Args:
        model (`PreTrainedModel`): A classifier whose output has `logits`, with one output per genre.
        feature_extractor (`FeatureExtractionMixin`): Saved with each checkpoint.
        train_data ([`~mgc_hf.features.SegmentDataset`]): Training rows.
        validation_data ([`~mgc_hf.features.SegmentDataset`], *optional*): Validation rows.
        validation_rows ([`~mgc_hf.data.segments.SegmentTable`], *optional*): What is known of them.
        genres (`Sequence[str]`): Class names in label order.
        options ([`~mgc_hf.options.TrainOptions`]): The training options.
        whole_tracks (`bool`, *optional*, defaults to `True`): Whether every track lies in one part; else validation has
            figures of segments alone.
        signature (`dict`, *optional*): What a resumed run must agree with beyond what this function knows (labels,
            seed, batch size, number of rows, model, decay of the averaging): plain JSON values, such as the hash of
            the split.
        callbacks (`Sequence[TrainerCallback]`, *optional*): Further callbacks, called after the loop's own.

    Returns:
        [`TrainOutcome`]

    Raises:
        OptionError: Options that the loop cannot honour, or checkpoints of another run in the folder.
        CheckpointError: Nothing whole to resume from, another run's checkpoint, or a disk that is full.
        LabelError: The run to be resumed had other labels.
        NonFiniteLossError: The loss is NaN or infinite.
        DistributedError: Another process has ended or cannot be reached.
        StoppedBySignal: SIGTERM or SIGINT (a `SystemExit`).
    """
    if is_fitted(model):
        return fit(model, feature_extractor, train_data, options)
    validation = None
    if validation_data is not None and len(validation_data):
        if validation_rows is None:
            raise ValueError("validation_data needs its validation_rows")
        validation = Validation(validation_data, validation_rows, genres, whole_tracks)
    args = trainer_arguments(options, validation is not None)
    trainer = GenreTrainer(
        model.float(),
        args,
        feature_extractor,
        train_data,
        validation,
        save_total_limit=options.save_total_limit,
        early_stopping_patience=options.early_stopping_patience,
        weight_averaging=options.weight_averaging,
    )
    for callback in callbacks:
        trainer.add_callback(callback)
    trainer.signature = {**(signature or {}), **_own_signature(trainer, genres, options.weight_averaging)}
    with contact(lambda: f"at step {trainer.state.global_step + 1}"):
        checkpoint = on_main(lambda: _starting_point(trainer, options))
        with trainer.checkpoint_files:
            source = None
            if checkpoint is not None:
                source = trainer.checkpoint_files.enter_context(mirrored(checkpoint.path))
            already_finished = source is not None and _is_finished(trainer, source)
            if source is not None and already_finished:
                if trainer.args.should_save:
                    logger.warning("%s: the run is finished, nothing left to train", source)
                trainer.restore(source)
            else:
                _run(trainer, source)
                _compare_weights(trainer)  # before the best ones are read, which are one file for all
        return _outcome(trainer, already_finished)


def _own_signature(trainer: GenreTrainer, genres: Sequence[str], weight_averaging: float) -> dict[str, Any]:
    """What the loop itself needs unchanged: the same rows in the same batches for the same kind of state."""
    args = trainer.args
    return {
        "labels": list(genres),
        "model": f"{trainer.model.config.model_type} of {trainer.model.num_parameters()} parameters",
        "num_train_rows": len(trainer.train_dataset),
        "batch_size": args.per_device_train_batch_size * max(1, args.n_gpu),
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "processes": args.world_size,
        "training_seed": args.data_seed,
        "weight_averaging": weight_averaging,
    }


def _starting_point(trainer: GenreTrainer, options: Any) -> Checkpoint | None:
    """Find what to go on from, and clear what an earlier run or a kill left; the folder is untouched if it raises.

    For the main process: it alone looks at the folder.
    """
    output_dir = Path(options.output_dir)
    checkpoint = None
    if options.resume:
        checkpoint = checkpoints.find_resumable(output_dir, trainer.signature)
        if checkpoint is None:
            logger.warning("%s: no checkpoint to resume from, so training begins at the beginning", output_dir)
    elif checkpoints.list_checkpoints(output_dir) and not options.overwrite_output_dir:
        raise OptionError(
            f"--output_dir {output_dir} holds checkpoints of an earlier run; go on from them with --resume, replace "
            "them with --overwrite_output_dir, or choose another folder"
        )
    checkpoints.clean(output_dir)
    if not options.resume:
        for _, path in checkpoints.list_checkpoints(output_dir):
            checkpoints.delete(path)
    return checkpoint


def _is_finished(trainer: GenreTrainer, source: Path) -> bool:
    """Whether the files of a checkpoint are those of a run that did all its steps or stopped early."""
    *_, max_steps = trainer.set_initial_training_values(trainer.args, trainer.get_train_dataloader())
    state = TrainerState.load_from_json(str(source / TRAINER_STATE_NAME))
    if state.global_step >= max_steps:
        return True
    patience = next((c for c in trainer.callback_handler.callbacks if isinstance(c, EarlyStopping)), None)
    if patience is None:
        return False
    stored = (state.stateful_callbacks or {}).get(EarlyStopping.__name__, {}).get("attributes", {})
    return stored.get("early_stopping_patience_counter", 0) >= patience.early_stopping_patience


def _run(trainer: GenreTrainer, source: Path | None) -> None:
    with StopSignals() as stop:
        trainer.stop_signals = stop
        try:
            trainer.train(resume_from_checkpoint=None if source is None else str(source))
            trainer.check_finite()
            trainer.leave_if_asked()  # after the last step
        except StoppedBySignal as stopped:
            if trainer.is_world_process_zero():
                logger.warning("%s", stopped.message)
            raise
        except RuntimeError as error:
            # a signal to the whole process group ends the workers that load the data, too
            if stop.signum is None or "DataLoader worker" not in str(error):
                raise
            message = "stopped in the middle of a step; go on from the last checkpoint with --resume"
            logger.warning("%s", message)
            raise StoppedBySignal(stop.signum, message) from error
        finally:
            trainer.stop_signals = None


def _outcome(trainer: GenreTrainer, already_finished: bool) -> TrainOutcome:
    recorder, state = trainer.recorder, trainer.state
    selected, step = trainer.load_selected()
    trainer.settle(trainer.model)
    epochs = {record.step: record.epoch for record in recorder.records}
    return TrainOutcome(
        model=trainer.model,
        trainer=trainer,
        history=list(recorder.records),
        selected=selected,
        selected_epoch=epochs.get(step, float(state.epoch)),
        epochs=float(state.epoch),
        steps=state.global_step,
        seconds=recorder.seconds,
        resumed=recorder.resumed,
        already_finished=already_finished,
    )


def _compare_weights(trainer: GenreTrainer) -> None:
    """Warn if the processes have not trained the same weights; theirs go nowhere, so the run is kept."""
    if trainer.args.world_size == 1:
        return
    digest = hashlib.sha256()
    averages = [] if trainer.average is None else trainer.average.state_dict().values()
    for weight in (*trainer.model.parameters(), *averages):
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    first, *others = gather_object([digest.hexdigest()])
    different = [process for process, other in enumerate(others, start=1) if other != first]
    if different and trainer.is_world_process_zero():
        logger.warning(
            "the processes %s ended with other weights than process 0, whose are kept: something in their machines or "
            "packages differs, or a module draws numbers of its own",
            different,
        )
