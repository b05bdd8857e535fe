"""Whether as many processes run as were asked for: `accelerate launch` on CPUs starts one and says nothing."""

import argparse
import logging
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from mgc_hf.distributed.group import launched_processes
from mgc_hf.errors import OptionError

logger = logging.getLogger(__name__)


def check_launch(world_size: int) -> None:
    """Stop a run that was asked to be several processes and is not, before anything is read.

    Args:
        world_size (`int`): Processes that take part in the run.

    Raises:
        OptionError: Says how many were asked for, how many run, and the command that starts them.
    """
    launched = launched_processes()
    if launched > world_size:
        raise OptionError(
            f"WORLD_SIZE is {launched}, but {_number(world_size)}; with torchrun on CPUs give --use_cpu, for one "
            "process unset WORLD_SIZE"
        )
    for words in _accelerate_launches():
        asked = _resolve(words)
        processes = max(asked.num_processes or 1, asked.num_machines or 1)
        if processes > world_size:
            raise OptionError(
                f"accelerate launch was asked for {processes} processes, but {_number(world_size)}: on CPUs it starts "
                f"one on each machine, and they do not know of each other. Start them with: {_torchrun(asked)}"
            )
        return
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if tasks.isdecimal() and int(tasks) > world_size:
        logger.warning(
            "srun has started %s tasks, but %s: each task is a run of its own. For one run let srun start torchrun "
            "(docs/distributed.md)",
            tasks,
            _number(world_size),
        )


def _number(world_size: int) -> str:
    return "this process runs alone" if world_size == 1 else f"{world_size} processes run"


def _accelerate_launches() -> Iterator[list[str]]:
    """Yield the arguments of each `accelerate launch` that this process descends from, the nearest first."""
    import psutil

    for process in psutil.Process().parents():
        try:
            words = process.cmdline()
        except psutil.Error:  # another user's process, or one that has ended
            continue
        arguments = launch_arguments(words)
        if arguments is not None:
            yield arguments


def launch_arguments(words: Sequence[str]) -> list[str] | None:
    """Return what follows `accelerate launch` in a command line, in any of its spellings; `None` for others."""
    for index, word in enumerate(words[:4]):  # before them at most an interpreter with -m, or timeout with its seconds
        name = PurePath(word).name
        if name in ("accelerate-launch", "accelerate.commands.launch"):
            return list(words[index + 1 :])
        if name in ("accelerate", "accelerate.commands.accelerate_cli") and words[index + 1 : index + 2] == ["launch"]:
            return list(words[index + 2 :])
    return None


def _resolve(words: list[str]) -> argparse.Namespace:
    """Read the launcher's arguments and configuration file as it did itself."""
    from accelerate.commands import launch

    launch.logger.disabled = True  # it has told its defaults once
    try:
        arguments: Any = launch.launch_command_parser().parse_args(words)
        return launch._validate_launch_command(arguments)[0]
    finally:
        launch.logger.disabled = False


def _torchrun(asked: argparse.Namespace) -> str:
    """Return the torchrun command that starts what was asked for."""
    machines = asked.num_machines or 1
    words = ["torchrun", "--nproc_per_node", str(max(1, (asked.num_processes or 1) // machines))]
    if machines > 1:
        words += ["--nnodes", str(machines), "--node_rank", str(asked.machine_rank or 0)]
        words += ["--master_addr", str(asked.main_process_ip), "--master_port", str(asked.main_process_port or 29500)]
    return shlex.join([*words, asked.training_script, *asked.training_script_args])
