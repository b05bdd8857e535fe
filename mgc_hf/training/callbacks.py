"""What happens at fixed moments of the loop: epochs set, weights averaged, history kept, progress shown."""

import dataclasses
import math
import sys
import time
from typing import Any

import torch
from tqdm import tqdm
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.trainer_callback import ExportableState

from mgc_hf.results import EpochRecord


class Flow(TrainerCallback):
    """Sets the epoch, averages the weights and moves a save at an epoch's last step to after its evaluation.

    accelerate hands the epoch on to the data set in some of its loaders and not in others (not with several
    processes, not after a resume within an epoch; accelerate 1.15), so it is set here, for data set and sampler.

    A checkpoint of an epoch's last step, taken before the evaluation at the epoch's end, would lose that evaluation:
    the Trainer resumes with the next epoch.
    """

    def __init__(self, trainer: Any):
        self.trainer = trainer
        self.ends_epoch = False  # the present step is the last one of its epoch
        self.epoch_is_over = False  # and its evaluation is due or done
        self._steps_per_epoch = 1
        self._save_is_due = False

    def on_train_begin(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any) -> None:
        """Count the steps of an epoch."""
        self._steps_per_epoch = max(1, math.ceil(len(train_dataloader) / args.gradient_accumulation_steps))

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell data set and sampler the epoch, an integer from 0; within one after a resume, too."""
        self.ends_epoch = self.epoch_is_over = False
        epoch = int(state.epoch)
        for part in (self.trainer.train_dataset, self.trainer.epoch_sampler):
            if hasattr(part, "set_epoch"):
                part.set_epoch(epoch)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Average the weights; put a save off if the epoch ends here."""
        if self.trainer.average is not None:
            self.trainer.average.update()
        self.ends_epoch = state.global_step % self._steps_per_epoch == 0 or control.should_training_stop
        if self.ends_epoch and control.should_save:
            self._save_is_due, control.should_save = True, False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for the save that was put off; it comes after the evaluation."""
        self.epoch_is_over = True
        if self._save_is_due:
            self._save_is_due, control.should_save = False, True


class Recorder(TrainerCallback, ExportableState):
    """Keeps the history of a run: one [`~mgc_hf.results.EpochRecord`] per epoch (or per evaluation, if more often).

    Training loss and accuracy are means over the segments seen since the last record, under dropout and augmentation.
    Sums stay on the device, so that counting costs no synchronisation. All of it is part of a checkpoint.
    """

    def __init__(self, trainer: Any):
        self.trainer = trainer
        self.records: list[EpochRecord] = []
        self.resumed = False
        self._seconds_before = 0.0
        self._began: float | None = None
        self._seconds_saved = 0.0
        device = trainer.args.device
        self._sums = torch.zeros(3, device=device, dtype=torch.float32 if device.type == "mps" else torch.float64)

    def add(self, loss: torch.Tensor, num_correct: torch.Tensor, num_segments: int) -> None:
        """Count a batch: its summed loss, its correct segments, its size."""
        self._sums[0] += loss
        self._sums[1] += num_correct
        self._sums[2] += num_segments

    def fold(self) -> None:
        """Gather the sums of all processes in the main one (its checkpoint is the one that counts)."""
        if self.trainer.accelerator.num_processes > 1:
            total = self.trainer.accelerator.reduce(self._sums, "sum")
            self._sums = total if self.trainer.accelerator.is_main_process else torch.zeros_like(total)

    @property
    def seconds(self) -> float:
        """Wall time of training so far, that before a resume included."""
        return self._seconds_before + (0.0 if self._began is None else time.perf_counter() - self._began)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self.resumed = self.resumed or state.global_step > 0
        self._began = time.perf_counter()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clock, at the time that a final checkpoint holds."""
        is_saved = self.trainer.saved_step == state.global_step
        self._seconds_before, self._began = self._seconds_saved if is_saved else self.seconds, None

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the epoch, unless an evaluation at its last step already has."""
        self._record(state)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Add the validation figures."""
        self._record(state)
        self.records[-1] = dataclasses.replace(
            self.records[-1],
            validation_loss=metrics["eval_loss"],
            validation_segment_accuracy=metrics["eval_segment_accuracy"],
            validation_track_accuracy=metrics.get("eval_track_accuracy"),
        )

    def _record(self, state: Any) -> None:
        if self.records and self.records[-1].step == state.global_step:
            return
        total = self.trainer.accelerator.reduce(self._sums, "sum").tolist()
        self._sums.zero_()
        loss, accuracy = (total[0] / total[2], total[1] / total[2]) if total[2] else (None, None)
        self.records.append(EpochRecord(float(state.epoch), state.global_step, loss, accuracy, None, None, None))

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        self._seconds_saved = self.seconds
        return {
            "args": {},
            "attributes": {
                "records": [dataclasses.asdict(record) for record in self.records],
                "sums": self._sums.tolist(),
                "seconds": self._seconds_saved,
                "resumed": self.resumed,
            },
        }

    def load(self, attributes: dict[str, Any]) -> None:
        """Take back what `state` gave; the sums go to the main process."""
        self.records = [EpochRecord(**record) for record in attributes["records"]]
        if self.trainer.accelerator.is_main_process:
            self._sums.copy_(torch.tensor(attributes["sums"], dtype=self._sums.dtype))
        self._seconds_before = attributes["seconds"]
        self.resumed = attributes["resumed"]


class EarlyStopping(EarlyStoppingCallback):
    """transformers' early stopping, without its advice to let the Trainer load the best model (`train` does)."""

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Nothing to check: `train` adds this callback only where there is something to validate on."""

    def load(self, attributes: dict[str, Any]) -> None:
        """Take the counter back."""
        self.early_stopping_patience_counter = attributes["early_stopping_patience_counter"]


class Progress(TrainerCallback):
    """A bar of steps on a terminal and a line per epoch, all on standard error."""

    def __init__(self, trainer: Any):
        self.trainer = trainer
        self._bar: tqdm | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Open the bar; `disable=None` shows none where standard error is no terminal."""
        disable = True if args.disable_tqdm or not state.is_world_process_zero else None
        self._bar = tqdm(total=state.max_steps, initial=state.global_step, unit="step", disable=disable, leave=False)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show an epoch without validation."""
        if not control.should_evaluate:
            self._show(state)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show an epoch with validation."""
        self._show(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self, state: Any) -> None:
        if not state.is_world_process_zero or self._bar is None:
            return
        record = self.trainer.recorder.records[-1]
        text = f"epoch {record.epoch:g}/{state.num_train_epochs}"
        if record.train_loss is not None and record.train_accuracy is not None:
            text += f"  training: loss {record.train_loss:.3f}, {100 * record.train_accuracy:.1f} % of segments"
        if record.validation_loss is not None:
            text += (
                f"  validation: loss {record.validation_loss:.3f}, "
                f"{100 * record.validation_segment_accuracy:.1f} % of segments"
            )
        if record.validation_track_accuracy is not None:
            text += f", {100 * record.validation_track_accuracy:.1f} % of tracks"
        tqdm.write(text, file=sys.stderr)
