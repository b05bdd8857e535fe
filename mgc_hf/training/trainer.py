"""`GenreTrainer`: transformers' Trainer with one loss for all models, whole checkpoints and honest validation."""

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PrinterCallback, ProgressCallback
from transformers.trainer_utils import SaveStrategy

from mgc_hf.errors import OptionError
from mgc_hf.features import collate
from mgc_hf.models.heads import HEAD, head_parameters
from mgc_hf.training import checkpoints
from mgc_hf.training.averaging import WeightAverage
from mgc_hf.training.callbacks import EarlyStopping, Flow, Progress, Recorder
from mgc_hf.training.checkpointing import CheckpointingTrainer
from mgc_hf.training.finite import FiniteWatch
from mgc_hf.training.predicting import Validation, validation_metrics
from mgc_hf.training.sampling import EpochSampler
from mgc_hf.training.signals import StoppedBySignal, StopSignals


def give_own_rate(
    optimizer: torch.optim.Optimizer, parameters: Sequence[torch.nn.Parameter], learning_rate: float
) -> None:
    """Move parameters into groups of their own, which keep all of the former group but its learning rate.

    Args:
        optimizer (`torch.optim.Optimizer`): A new one, whose groups are split in place.
        parameters (`Sequence[torch.nn.Parameter]`): Those to move.
        learning_rate (`float`): Theirs.
    """
    moved = {id(parameter) for parameter in parameters}
    for group in list(optimizer.param_groups):
        own = [parameter for parameter in group["params"] if id(parameter) in moved]
        group["params"] = [parameter for parameter in group["params"] if id(parameter) not in moved]
        if own:
            optimizer.add_param_group({**group, "params": own, "lr": learning_rate})


class GenreTrainer(CheckpointingTrainer):
    """The Trainer behind [`~mgc_hf.training.loop.train`].

    What differs from `transformers.Trainer`: the loss is computed here, not in the model; validation figures come
    from the gathered logits, with the averaged weights where weights are averaged; checkpoints are whole or absent
    (`checkpoints.py`) and hold history, averaged weights and early-stopping counter; a non-finite loss stops the run;
    a signal stops it after a save; no model card and no pickled arguments are written.

    Args:
        model (`PreTrainedModel`): A classifier whose output has `logits`, `(batch_size, num_labels)`.
        args ([`~mgc_hf.options.TrainOptions`]): As made by `trainer_arguments`.
        feature_extractor (`FeatureExtractionMixin`): Saved into each checkpoint.
        train_data ([`~mgc_hf.features.SegmentDataset`]): Training rows.
        validation ([`~mgc_hf.training.predicting.Validation`], *optional*): Validation rows.
        signature (`dict`, *optional*): Written into each checkpoint's manifest, for the check on resume.
        save_total_limit (`int`, *optional*): Checkpoints to keep; the best and the newest are always kept.
        early_stopping_patience (`int`, *optional*, defaults to 0): Evaluations without a better one; 0 for never.
        weight_averaging (`float`, *optional*, defaults to 0.0): Decay of the moving average; 0 for none.
    """

    optimizer: Any  # the base class allows for things that do not occur here
    train_dataset: Any
    loss_is_scaled_for_ga = True  # compute_loss divides by the segments of the whole accumulated batch

    def __init__(
        self,
        model: Any,
        args: Any,
        feature_extractor: Any,
        train_data: Any,
        validation: Validation | None = None,
        *,
        signature: dict[str, Any] | None = None,
        save_total_limit: int | None = None,
        early_stopping_patience: int = 0,
        weight_averaging: float = 0.0,
    ):
        had_use_cache = hasattr(model.config, "use_cache")
        super().__init__(
            model=model,
            args=args,
            data_collator=cast(Any, collate),
            train_dataset=train_data,
            eval_dataset=None if validation is None else validation.data,
            processing_class=feature_extractor,
        )
        if not had_use_cache and hasattr(model.config, "use_cache"):
            del model.config.use_cache  # the Trainer sets it on every model; it would end up in config.json
        self.output_dir = Path(args.output_dir)
        self.validation = validation
        self.signature = signature or {}
        self.save_total_limit = save_total_limit
        self.stop_signals: StopSignals | None = None
        self.epoch_sampler: EpochSampler | None = None
        self.average = WeightAverage(model, weight_averaging) if weight_averaging else None
        self.recorder = Recorder(self)
        self.flow = Flow(self)
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        for callback in (self.flow, self.recorder, Progress(self)):
            self.add_callback(callback)
        if early_stopping_patience and validation is not None:
            self.add_callback(EarlyStopping(early_stopping_patience))
        self.saved_step: int | None = None
        self.checkpoint_files = ExitStack()  # what is held only while a checkpoint is read
        self.best_in_memory: dict[str, torch.Tensor] | None = None
        self.watch = FiniteWatch(args.device, args.learning_rate, self.accelerator.gather)

    # Optimizer

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Make the Trainer's optimizer; weights of the head get groups with a learning rate of their own, if asked.

        The schedule scales every group's rate. Which weights decay stays the Trainer's choice.

        Raises:
            OptionError: `head_learning_rate` is given and the model has no head that trains.
        """
        if self.optimizer is None:
            optimizer = super().create_optimizer(model)
            if self.args.head_learning_rate is not None:
                give_own_rate(optimizer, self._head(), self.args.head_learning_rate)
        return self.optimizer

    def _head(self) -> list[torch.nn.Parameter]:
        names = head_parameters(self.model)
        head = [weight for name, weight in self.model.named_parameters() if name in names and weight.requires_grad]
        if not head:
            raise OptionError(
                f"--head_learning_rate is {self.args.head_learning_rate}, but {type(self.model).__name__} has no "
                f"weights of a head to train ({', '.join(HEAD)}); leave it out"
            )
        return head

    # Data and loss

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochSampler:
        shuffle = self.args.train_sampling_strategy != "sequential"
        self.epoch_sampler = EpochSampler(len(self.train_dataset), int(self.args.data_seed or 0), shuffle)
        return self.epoch_sampler

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, torch.Tensor]], device: torch.device) -> Any:
        """Count the segments of an accumulated batch over all processes (labels may be soft, so not by `-100`)."""
        count = sum(len(batch["labels"]) for batch in batch_samples)
        if self.args.world_size == 1:
            return count
        return self.accelerator.reduce(torch.tensor(count, device=device), "sum")

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        """Take the batches of a step; rows that only fill up an epoch's last batches lose their labels.

        accelerate repeats rows until all processes have as many, but each row shall count once, as in one process.
        """
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        batch_size, processes = self.args.train_batch_size, self.args.world_size
        left = len(self.train_dataset) % (batch_size * processes)
        if processes > 1 and left and self.accelerator.gradient_state.end_of_dataloader:
            own = max(0, left - self.args.process_index * batch_size)
            batches[-1]["labels"] = batches[-1]["labels"][:own]
            count = self._get_num_items_in_batch(batches, device)
        return batches, count

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the cross-entropy in float32, divided by the segments of the accumulated batch.

        Args:
            model (`torch.nn.Module`): The model, wrapped or not.
            inputs (`dict[str, torch.Tensor]`): Model inputs and `labels`: `int64` of shape `(batch_size,)`, or
                `float32` of shape `(batch_size, num_labels)` (mixup). Rows beyond the labels do not count.
            return_outputs (`bool`, *optional*, defaults to `False`): Return the model's output too.
            num_items_in_batch (`int` or `torch.Tensor`, *optional*): Segments of the accumulated batch over all
                processes; those of this batch by default.
        """
        inputs = dict(inputs)
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        logits = outputs.logits.float()[: len(labels)]
        total = cross_entropy(logits, labels, reduction="sum", label_smoothing=self.args.label_smoothing_factor)
        with torch.no_grad():
            hard = labels if labels.ndim == 1 else labels.argmax(-1)
            self.recorder.add(total.detach(), (logits.argmax(-1) == hard).sum(), len(labels))
            self.watch.add(total.detach(), self.state.global_step + 1)
        count = len(labels) if num_items_in_batch is None else num_items_in_batch
        loss = total * (self.args.world_size / count)  # DDP averages the gradients of its processes
        return (loss, outputs) if return_outputs else loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Count none: walking the model's weights in every step costs time, and nobody reads the figure."""
        return 0

    # Validation

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> Any:
        """Return the validation figures, computed from the gathered logits of the averaged weights, if averaged."""
        if self.validation is None:
            raise ValueError("this trainer has no validation part")
        self.check_finite()
        with nullcontext() if self.average is None else self.average.applied():
            output: Any = self.predict(self.validation.data, metric_key_prefix=metric_key_prefix)
        if not np.isfinite(output.predictions).all():
            self.watch.refuse(f"after step {self.state.global_step} the model's scores on validation are not finite")
        predictions = self.validation.predictions(output.predictions, output.label_ids)
        found = validation_metrics(predictions, self.validation.whole_tracks)
        figures = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        metrics = {**output.metrics, **figures}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[None, torch.Tensor, torch.Tensor]:
        """Return no loss (it is computed from the gathered logits), the logits in float32, and the labels."""
        inputs = dict(self._prepare_inputs(inputs))
        labels = inputs.pop("labels")
        with torch.no_grad(), self.compute_loss_context_manager():
            logits = model(**inputs).logits
        return None, logits.detach().float(), labels

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the epoch's training accuracy beside its loss."""
        records = self.recorder.records
        if "loss" in logs and records and records[-1].step == self.state.global_step:
            logs["accuracy"] = records[-1].train_accuracy or 0.0  # `None` where no step was trained
        super().log(logs, start_time)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Keep every new best: as a checkpoint, or in memory where none are wanted."""
        is_best = super()._determine_best_metric(metrics, trial)
        if is_best:
            self.state.best_global_step = self.state.global_step
            if self.args.save_strategy == SaveStrategy.NO:
                with nullcontext() if self.average is None else self.average.applied():
                    weights = self.model.state_dict()
                    self.best_in_memory = {name: weight.to("cpu", copy=True) for name, weight in weights.items()}
            else:
                self.control.should_save = True
        return is_best

    # Ends

    def settle(self, model: Any) -> None:
        """Take the finished model; from now on it is evaluated as it will be saved and loaded, without autocast.

        accelerate puts autocast around the `forward` of the model that it prepares. Its own `unwrap_model` would take
        off transformers' decorators of `forward` too, so the very method that it kept is put back.

        Args:
            model (`PreTrainedModel`): The trainer's own model, or what was made of it (LoRA merged).
        """
        self.accelerator.native_amp = False  # for a run that was finished before: its model is still to be prepared
        if "_original_forward" in vars(model):
            del model.forward, model._original_forward
            # or a second training of it would go without autocast; of several processes the wrapper has it
            vars(model).pop("_is_accelerate_prepared", None)
        self.model = self.model_wrapped = model.eval()

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train; bars and trackers are closed however it ends."""
        try:
            return super().train(*args, **kwargs)
        except BaseException:
            self.callback_handler.on_train_end(self.args, self.state, self.control)
            raise
        finally:
            self.is_in_train = False

    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        super()._maybe_log_save_evaluate(*args, **kwargs)
        if self.flow.ends_epoch and not self.flow.epoch_is_over:
            return  # the epoch's evaluation comes first, or a resumed run would miss it
        self.leave_if_asked()

    def leave_if_asked(self) -> None:
        """Save and stop if a signal asks for it; several processes look for one now and then, to stop together.

        Raises:
            StoppedBySignal: After the save.
        """
        signum = 0 if self.stop_signals is None else self.stop_signals.signum or 0
        if self.args.world_size > 1:
            # as often as at the losses: on a CPU in every step, since torchrun kills 30 s after its SIGTERM
            if self.state.global_step % self.watch.look_every and not self.flow.epoch_is_over:
                return
            signum = int(self.accelerator.gather(torch.tensor([signum], device=self.args.device)).max())
        if not signum:
            return
        step = self.state.global_step
        if self.args.save_strategy == SaveStrategy.NO:
            raise StoppedBySignal(signum, f"stopped after step {step}; --save_strategy no keeps no checkpoint")
        self._save_checkpoint(self.model, None)
        folder = checkpoints.checkpoint_path(self.output_dir, step)
        raise StoppedBySignal(
            signum, f"stopped after step {step}; saved as {folder}: go on with the same command and --resume"
        )

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write none: the run renders its own card from its record (the Trainer's would overwrite it)."""
