"""The half of the Trainer that writes checkpoints whole and reads them back, with all that a run has beside weights."""

import io
import random
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate.utils import gather_object
from transformers import Trainer
from transformers.trainer import TRAINER_STATE_NAME, TRAINING_ARGS_NAME
from transformers.trainer_callback import ExportableState, TrainerState

from mgc_hf.distributed import on_main
from mgc_hf.errors import CheckpointError
from mgc_hf.files import is_write_failure
from mgc_hf.training import checkpoints
from mgc_hf.training.averaging import WeightAverage
from mgc_hf.training.callbacks import Recorder
from mgc_hf.training.finite import FiniteWatch
from mgc_hf.training.mirror import WEIGHTS, mirrored
from mgc_hf.training.saving import no_progress_bars


class CheckpointingTrainer(Trainer):
    """A Trainer whose checkpoints are whole or absent (`checkpoints.py`), written by the main process alone.

    They hold history, averaged weights, the callbacks' states and the random states of every process. What is read is
    sent to machines that do not see the main process's disk (`mirror.py`).

    Attributes:
        output_dir (`Path`): Where checkpoints lie, on the main process's disk.
        signature (`dict[str, Any]`): Written into each manifest, for the check on resume.
        save_total_limit (`int`, *optional*): Checkpoints to keep; the best and the newest are always kept.
        average ([`WeightAverage`], *optional*): The averaged weights.
        recorder ([`Recorder`]): The history.
        watch ([`FiniteWatch`]): Looks at losses and weights before they are saved.
        saved_step (`int`, *optional*): Step of the newest checkpoint of this process.
        best_in_memory (`dict[str, torch.Tensor]`, *optional*): The best weights, where no checkpoints are wanted.
        checkpoint_files (`ExitStack`): What is held only while a checkpoint is read.
    """

    model: Any  # the base class allows for things that do not occur here
    args: Any
    state: Any
    output_dir: Path
    signature: dict[str, Any]
    save_total_limit: int | None
    average: WeightAverage | None
    recorder: Recorder
    watch: FiniteWatch
    saved_step: int | None
    best_in_memory: dict[str, torch.Tensor] | None
    checkpoint_files: ExitStack

    def check_finite(self) -> None:
        """Stop if a loss was not finite or a weight is not.

        Raises:
            NonFiniteLossError: The text names the step.
        """
        self.watch.check(self.model, self.state.global_step)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        if step == self.saved_step:
            return
        self.check_finite()
        self.recorder.fold()
        random_states = self._gather_random_states()
        on_main(lambda: self._write_checkpoint(step, random_states))
        self.saved_step = step

    def _gather_random_states(self) -> dict[str, bytes]:
        """Return the random states of every process, as files of the names and content that the Trainer reads."""
        states = {
            "python": random.getstate(),
            "numpy": np.random.get_state(),
            "cpu": torch.random.get_rng_state(),
        }
        several = self.args.world_size > 1
        if torch.cuda.is_available():
            states["cuda"] = torch.cuda.get_rng_state_all() if several else torch.cuda.get_rng_state()
        name = f"rng_state_{self.args.process_index}.pth" if several else "rng_state.pth"
        buffer = io.BytesIO()
        torch.save(states, buffer)
        gathered = gather_object([(name, buffer.getvalue())])
        return dict(gathered)

    def _write_checkpoint(self, step: int, random_states: dict[str, bytes]) -> None:
        """Write a checkpoint and delete old ones; for the main process.

        Raises:
            CheckpointError: The disk refused.
        """
        staged = checkpoints.stage(self.output_dir, step)
        try:
            with no_progress_bars():
                self.save_model(str(staged), _internal_call=True)
            (staged / TRAINING_ARGS_NAME).unlink(missing_ok=True)  # a pickle that nobody reads
            self._save_optimizer_and_scheduler(str(staged))
            self._save_scaler(str(staged))
            for name, content in random_states.items():
                (staged / name).write_bytes(content)
            if self.average is not None:
                self.average.save(staged)
            self.state.stateful_callbacks = {
                type(callback).__name__: callback.state() for callback in self._stateful()
            }
            self.state.save_to_json(str(staged / TRAINER_STATE_NAME))
            best_step = self.state.best_global_step
            newest = checkpoints.commit(staged, self.output_dir, step, best_step=best_step, signature=self.signature)
            checkpoints.rotate(self.output_dir, newest, self.save_total_limit)
        except Exception as error:  # libraries wrap the operating system's error in types of their own
            checkpoints.clean(self.output_dir)
            if not is_write_failure(error):
                raise
            raise checkpoints.write_failure(
                checkpoints.checkpoint_path(self.output_dir, step),
                "Earlier checkpoints are intact: free some space, then go on with --resume",
                self._checkpoint_size(),
                error,
            ) from error

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write weights under the names that the model has.

        transformers would write those of AST under the names of its first release, which its own Trainer then does not
        find when it reads the checkpoint back.
        """
        if self.args.should_save:
            self.model.save_pretrained(output_dir, state_dict=state_dict, save_original_format=False)
            cast(Any, self.processing_class).save_pretrained(output_dir)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Refuse a checkpoint that was read in part.

        Raises:
            CheckpointError: It lacks weights of the model, or has others.
        """
        wrong = [*load_result.missing_keys, *load_result.unexpected_keys]
        if wrong:
            raise CheckpointError(
                f"a checkpoint in {self.output_dir} is not one of this model: {len(wrong)} weights are in only one of "
                f"the two ({', '.join(wrong[:3])}{', ...' if len(wrong) > 3 else ''})"
            )

    def _stateful(self) -> list[Any]:
        return [callback for callback in self.callback_handler.callbacks if isinstance(callback, ExportableState)]

    def _checkpoint_size(self) -> int:
        weights = list(self.model.parameters())
        trained = sum(weight.numel() * weight.element_size() for weight in weights if weight.requires_grad)
        every = sum(weight.numel() * weight.element_size() for weight in weights)
        return every + trained * (2 if self.average is None else 3)  # AdamW keeps two moments

    def _load_callback_state(self) -> None:
        """Give each callback its state back in place (the Trainer would make new ones, which know no trainer)."""
        for callback in self._stateful():
            stored = self.state.stateful_callbacks.get(type(callback).__name__)
            if stored is not None:
                callback.load(stored["attributes"])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None and self.average is not None:
            self.average.load(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        super()._load_rng_state(checkpoint)
        self.checkpoint_files.close()  # nothing more is read of it

    def restore(self, source: Path) -> None:
        """Take state, weights and averaged weights from the files of a checkpoint, without training on."""
        self._load_from_checkpoint(str(source))
        self.state = TrainerState.load_from_json(str(source / TRAINER_STATE_NAME))
        self._load_callback_state()
        if self.average is not None:
            self.average.load(source)

    def load_selected(self) -> tuple[str, int]:
        """Give the model the weights that the run is judged by.

        Returns:
            `tuple[str, int]`: `best` (of validation), `averaged` or `last`, and the step that they are from.
        """
        best_step = self.state.best_global_step
        if best_step is not None:
            if self.best_in_memory is not None:
                self.model.load_state_dict(self.best_in_memory)
            else:
                with mirrored(checkpoints.checkpoint_path(self.output_dir, best_step), WEIGHTS) as source:
                    self._load_from_checkpoint(str(source))
                    if self.average is not None:
                        self.average.load(source)
                        self.average.copy_to_model()
            return "best", best_step
        if self.average is not None:
            self.average.copy_to_model()
            return "averaged", self.state.global_step
        return "last", self.state.global_step
