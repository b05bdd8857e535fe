import json
import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import preloaded

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Ended:
    """How a forked run ended: exit status (negative: the signal that killed it), its record, what it printed.

    `others` holds the status and record of the other processes, where there were several.
    """

    status: int
    record: dict | None
    log: str
    others: list[tuple[int, dict | None]]
    pid: int


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def forked(tmp_path_factory):
    """A function that runs the training loop in a process of its own: `forked(output_dir, interfere=..., **options)`."""
    scratch = tmp_path_factory.mktemp("forked")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = [scratch / name for name in ("requests", "answers")]
    for pipe in pipes:
        os.mkfifo(pipe)
    server = preloaded.start(["-m", "tests.training.fork_server", *pipes], env=environment, cwd=ROOT)
    requests, answers = pipes[0].open("w"), pipes[1].open()  # each waits for the server

    def run(
        output_dir, *, interfere=None, file_limit=None, processes=1, real=False, scenario=None, **options
    ) -> Ended:
        name = scratch / uuid.uuid4().hex
        request = {
            "output_dir": str(output_dir),
            "interfere": interfere,
            "file_limit": file_limit,
            "processes": processes,
            "real": real,
            "scenario": scenario,
            "port": free_port() if processes > 1 else 0,
            "options": options,
            "result": str(name),
            "log": f"{name}.log",
        }
        print(json.dumps(request), file=requests, flush=True)
        statuses, pids = json.loads(answers.readline())
        files = [Path(f"{name}.{rank}") for rank in range(processes)]
        records = [json.loads(file.read_text()) if file.exists() else None for file in files]
        others = list(zip(statuses[1:], records[1:], strict=True))
        return Ended(statuses[0], records[0], Path(request["log"]).read_text(), others, pids[0])

    yield run
    requests.close()
    server.wait(timeout=30)
    answers.close()
