"""Runs scenarios in forked children of one process that has already paid for the imports (about 8 s).

A child can be killed, by itself, in the middle of anything, and the next child starts in a tenth of a second. Reads
one JSON request a line from a pipe, answers with the exit status into another. Used by `conftest.py`.
"""

import gc
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path

import torch

torch.set_num_threads(1)  # a process with running OpenMP threads must not fork

import mgc_hf.run  # noqa: E402
import mgc_hf.training.loop  # noqa: E402, F401 - paid for once, here
from tests.training.stand_ins import as_record, run_loop, run_real_loop  # noqa: E402


def interfere(target: str, call: int, how: str) -> None:
    """Make the `call`-th call of `target` (`module:function`) end in a signal, or with the file cut short.

    `how`: `kill_before`, `kill_after`, `kill_half` (a file written or a folder deleted in part, then SIGKILL),
    `SIGTERM`, `SIGINT`, `SIGTERM+SIGTERM` (sent after the call), `group:SIGINT` (to data loader workers too).
    """
    module_name, _, name = target.partition(":")
    owner = importlib.import_module(module_name)
    *path, name = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    original, calls = getattr(owner, name), 0

    def wrapper(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls != call:
            return original(*args, **kwargs)
        if how == "kill_before":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "kill_half" and name == "rmtree":
            next(path for path in sorted(Path(args[0]).rglob("*")) if path.is_file()).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if how == "kill_half":
            file = next(Path(str(arg)) for arg in args if isinstance(arg, str | Path))
            os.truncate(file, file.stat().st_size // 2)
        if how in ("kill_after", "kill_half"):
            os.kill(os.getpid(), signal.SIGKILL)
        for signal_name in how.removeprefix("group:").split("+"):
            (os.killpg if how.startswith("group:") else os.kill)(os.getpid(), getattr(signal, signal_name))
        return result

    setattr(owner, name, wrapper)


def serve(request: dict, rank: int) -> None:
    """Carry out one request in this (forked) process; the record of process 0 goes to the file `result`."""
    os.setpgid(0, 0)  # a group of its own, which a test can signal and look for survivors in
    output = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if request["processes"] > 1:
        ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": request["processes"], "MASTER_PORT": request["port"]}
        os.environ.update({name: str(value) for name, value in ranks.items()}, MASTER_ADDR="127.0.0.1")
    if request["file_limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_limit"], resource.RLIM_INFINITY))
    if request["interfere"] and request["interfere"].pop("rank", rank) == rank:
        interfere(**request["interfere"])
    if request["scenario"]:
        module, _, function = request["scenario"].partition(":")
        record = getattr(importlib.import_module(module), function)(Path(request["output_dir"]), **request["options"])
        Path(f"{request['result']}.{rank}").write_text(json.dumps(record))
        return
    run = run_real_loop if request["real"] else run_loop
    outcome = run(Path(request["output_dir"]), **request["options"])
    record = {
        **as_record(outcome),
        "resumed": outcome.resumed,
        "already_finished": outcome.already_finished,
        "processes": outcome.trainer.accelerator.num_processes,
    }
    Path(f"{request['result']}.{rank}").write_text(json.dumps(record))


def fork(request: dict, rank: int) -> int:
    """Start a request in a child and return its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        serve(request, rank)
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Serve until the requests end."""
    gc.collect()
    gc.freeze()  # a collection in a child (the Trainer asks for one) would copy every page of the parent: 0.8 s
    with open(sys.argv[1]) as requests, open(sys.argv[2], "w") as answers:
        for line in requests:
            request = json.loads(line)
            children = [fork(request, rank) for rank in range(request["processes"])]
            statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            print(json.dumps([statuses, children]), file=answers, flush=True)


if __name__ == "__main__":
    main()
