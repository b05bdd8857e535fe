"""Joining the other processes of a run, before the Trainer does so on terms of its own."""

import os
import re
from datetime import timedelta

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env

from mgc_hf.errors import DistributedError, OptionError

#: What a launcher such as torchrun tells each process.
_RENDEZVOUS = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def launched_processes() -> int:
    """Return how many processes the launcher says there are (`WORLD_SIZE`); 1 without one."""
    value = os.environ.get("WORLD_SIZE", "1")
    if not value.isdecimal():
        raise OptionError(f"WORLD_SIZE is {value!r}; it must be a number of processes, as torchrun sets it")
    return int(value)


def join(*, use_cpu: bool, timeout_seconds: float) -> bool:
    """Join the other processes, if a launcher has started several.

    The Trainer (transformers 5.23) would not do on CPUs: unless told `--use_cpu` it leaves each process to run alone,
    and if told so it drops `ddp_timeout`. A group that is there already it takes as it is.

    Args:
        use_cpu (`bool`): Whether the CPU was asked for.
        timeout_seconds (`float`): How long a process waits for the others in any exchange, seconds.

    Returns:
        `bool`: Whether the run is on the CPU: it was asked for, or there are several processes and no accelerator.

    Raises:
        OptionError: Several processes, and the variables by which they find each other are not all set.
        DistributedError: The others could not be reached.
    """
    processes = launched_processes()
    if processes == 1 or torch.distributed.is_initialized():
        return use_cpu or (processes > 1 and not torch.accelerator.is_available())
    missing = [name for name in _RENDEZVOUS if name not in os.environ]
    if missing:
        raise OptionError(
            f"WORLD_SIZE is {processes}, but {', '.join(missing)} is not set, so the processes cannot find each other; "
            "start them with torchrun (docs/distributed.md), or unset WORLD_SIZE for one process"
        )
    use_cpu = use_cpu or parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    try:
        PartialState(cpu=use_cpu, timeout=timedelta(seconds=timeout_seconds))
    except RuntimeError as error:  # torch.distributed's own errors derive from it; gloo raises it as such
        raise DistributedError(
            f"process {os.environ['RANK']} of {processes} did not reach the others by way of "
            f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']} ({first_sentence(error)}). Check that all were "
            "started, that this address can be reached from every machine, and that GLOO_SOCKET_IFNAME (CPUs) or "
            "NCCL_SOCKET_IFNAME (GPUs) names the network interface between them; --ddp_timeout is how long to wait"
        ) from error
    return use_cpu


def leave() -> None:
    """Leave the other processes at the end of a run, once all have got there."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        PartialState().wait_for_everyone()
        torch.distributed.destroy_process_group()


def first_sentence(error: BaseException) -> str:
    """Return the first sentence of an error's text, without torch's C++ stack and source files."""
    lines = re.sub(r"\[/[^\]]*\]\s*", "", str(error)).strip().splitlines()
    return lines[0].partition(". ")[0] if lines else type(error).__name__
