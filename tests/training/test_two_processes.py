"""Every kind of model in two processes over gloo: unused weights stop no step, and both end with the same weights."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.training.conftest import ROOT
from tests.training.two_processes import CASES

TIMEOUT_SECONDS = 300


@pytest.fixture(scope="module")
def came_of(tmp_path_factory):
    """What became of every case, by its name; one launch for all."""
    result = tmp_path_factory.mktemp("two") / "result.json"
    script = str(ROOT / "tests" / "training" / "two_processes.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", script, result]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launched = subprocess.Popen(
        list(map(str, command)),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = launched.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        if launched.poll() is None:
            os.killpg(launched.pid, signal.SIGKILL)  # torchrun and what it started are one session
            launched.wait()
    assert launched.returncode == 0, printed[-8000:]
    return json.loads(result.read_text())


@pytest.mark.parametrize("name", CASES)
def test_both_processes_end_with_the_same_weights(came_of, name):
    case = came_of[name]
    assert case["masks"] == name.endswith("-masked")
    assert bool(case["lora"]) == name.endswith("-lora")
    assert case["world_size"] == 2
    assert case["steps"] == 2
    assert case["finite"]
    assert case["equal"]
    assert case["moved"] > 10
