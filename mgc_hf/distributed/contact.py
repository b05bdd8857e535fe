"""What gloo and NCCL say when another process or the way to it is gone, as one error that says how to go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from accelerate import PartialState

from mgc_hf.distributed.group import first_sentence
from mgc_hf.errors import DistributedError

#: Parts of the texts of gloo's plain `RuntimeError`s, which have no type of their own (torch 2.13): an end of the other
#: process, a silent one (in a wait, and found closed after it), and what carries gloo's file names.
_MARKS = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "Timed out waiting",
    "Operation timed out!",
    "Application timeout caused pair closure",
    "gloo/transport",
    "NCCL",
)


@contextmanager
def contact(where: Callable[[], str]) -> Iterator[None]:
    """Tell the loss of other processes within the block in plain words.

    Args:
        where (`Callable`): Returns how far the run is, such as `at step 12`.

    Raises:
        DistributedError: Another process has ended, or was not heard of for `ddp_timeout` seconds.
    """
    try:
        yield
    except RuntimeError as error:
        if PartialState().num_processes == 1 or not _is_lost_contact(error):
            raise
        state = PartialState()
        raise DistributedError(
            f"process {state.process_index} of {state.num_processes} lost contact with the others {where()} "
            f"({first_sentence(error)}). One of them has ended (its own output says why), or was not heard of for "
            "--ddp_timeout seconds. Start all processes again with the same command and --resume: the run goes on from "
            "its last checkpoint"
        ) from error


def _is_lost_contact(error: RuntimeError) -> bool:
    return isinstance(error, torch.distributed.DistError) or any(mark in str(error) for mark in _MARKS)
