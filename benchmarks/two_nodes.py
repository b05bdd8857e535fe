"""Two machines as two network namespaces: one run over gloo, what it leaves, and what happens when one is lost.

    python benchmarks/two_nodes.py                       # needs root and iproute2; about three minutes
    python benchmarks/two_nodes.py --scenario kill       # one of: figures, kill, link

Each namespace has its loopback, one end of a veth pair with an address of its own, one `torchrun --nnodes 2` with one
process, and an output folder of its own (no shared disk). Checked: `figures`: both end with the same weights
(each run compares those of all its processes at its end, and names what differs), the world size is 2, the figures are
those of one process with the same global batch, and the second folder stays empty. `kill`: the second machine is killed
(SIGKILL) in the middle. `link`: its link goes down. In both the first ends with a clear error within a minute, and the
run resumes from its last checkpoint to the very weights of an unbroken one.

Prints one JSON line a scenario. The namespaces are taken away at the end, those of an earlier kill at the beginning.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "mgchf"
ADDRESSES = ("10.231.7.1", "10.231.7.2")
LIMIT_SECONDS = 180  # for one run; the machine may be busy
NOTICE_SECONDS = 60  # for the first machine to end once the second is lost

SCENARIOS = ("figures", "kill", "link")


def ip(*words: str, check: bool = True) -> subprocess.CompletedProcess:
    """Run `ip`."""
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True, timeout=20)


def why_not() -> str | None:
    """Return why namespaces cannot be made here, or `None`."""
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    name = f"{PREFIX}{os.getpid()}n"
    made = ip("netns", "add", name, check=False)
    if made.returncode:
        return f"ip netns add: {made.stderr.strip()}"
    try:
        pair = ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", check=False)
        if pair.returncode:
            return f"ip link add type veth: {pair.stderr.strip()}"
        ip("link", "del", f"{name}a")
    finally:
        ip("netns", "del", name)
    return None


def remove_stale() -> None:
    """Remove the namespaces and interfaces of makers that are gone."""
    links = [line.split(":")[1].strip() for line in ip("-o", "link").stdout.splitlines()]
    found = [("netns", line.split()[0]) for line in ip("netns", "list").stdout.splitlines()]
    found += [("link", name.split("@")[0]) for name in links]
    for kind, name in found:
        maker = re.match(rf"{PREFIX}(\d+)n", name)
        if maker and not Path(f"/proc/{maker[1]}").exists():
            ip(kind, "del", name, check=False)


@contextmanager
def two_namespaces():
    """Yield the names of two joined namespaces; each names its interface `veth<n>`."""
    remove_stale()
    names = [f"{PREFIX}{os.getpid()}n{number}" for number in range(2)]
    links = [f"{name}v" for name in names]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", links[0], "type", "veth", "peer", "name", links[1])
        for number, (name, link) in enumerate(zip(names, links, strict=True)):
            ip("link", "set", link, "netns", name)
            ip("-n", name, "link", "set", link, "name", f"veth{number}")
            ip("-n", name, "addr", "add", f"{ADDRESSES[number]}/24", "dev", f"veth{number}")
            ip("-n", name, "link", "set", f"veth{number}", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        ip("link", "del", links[0], check=False)  # in case it never left this namespace
        for name in names:
            ip("netns", "del", name, check=False)


class Machines:
    """Both torchruns of one run; ended with all their children when the block ends, however it ends."""

    def __init__(self, names, options, folders, *, timeout_seconds, scratch):
        self.logs, self.processes = [], []
        self._names, self._options, self._folders = names, options, folders
        self._timeout_seconds, self._scratch = timeout_seconds, scratch

    def __enter__(self):
        with socket.socket() as listener:  # free outside is free inside
            listener.bind(("", 0))
            port = listener.getsockname()[1]
        for number, (name, folder) in enumerate(zip(self._names, self._folders, strict=True)):
            log = self._scratch / f"{uuid.uuid4().hex}.log"
            environment = environment_of(self._scratch / f"cache{number}")
            environment["GLOO_SOCKET_IFNAME"] = f"veth{number}"  # without it gloo looks for the host's name, and hangs
            command = ["ip", "netns", "exec", name, sys.executable, "-m", "torch.distributed.run"]
            command += ["--nnodes", "2", "--nproc_per_node", "1", "--node_rank", str(number)]
            command += ["--master_addr", ADDRESSES[0], "--master_port", str(port), str(ROOT / "recipes" / "lstm.py")]
            command += [*self._options, "--output_dir", str(folder), "--ddp_timeout", str(self._timeout_seconds)]
            with open(log, "wb") as output:
                process = subprocess.Popen(
                    command, env=environment, stdout=output, stderr=output, start_new_session=True, cwd=ROOT
                )
            self.logs.append(log)
            self.processes.append(process)
        return self

    def kill(self, number: int) -> None:
        """End a machine at once: launcher, worker and whatever else runs in its namespace."""
        for pid in ip("netns", "pids", self._names[number]).stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self.processes[number].wait(timeout=20)

    def wait(self, number: int, limit: float) -> int:
        """Wait for a machine's launcher to end; its status."""
        return self.processes[number].wait(timeout=limit)

    def log(self, number: int) -> str:
        """Return what a machine has printed."""
        return self.logs[number].read_text(errors="replace")

    def __exit__(self, *_):
        for number in range(len(self.processes)):
            self.kill(number)


def environment_of(cache: Path) -> dict[str, str]:
    """Return the environment of a machine: one thread, a cache of its own, no Hub."""
    drop = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(cache), "PYTHONPATH": str(ROOT)}


def options_of(data: Path, batch: int, epochs: int) -> list[str]:
    """Return the options of a small run; no dropout and no random augmentation, so that processes do not matter."""
    values = {
        "dataset": data,
        "segment_seconds": 1.0,
        "num_train_epochs": epochs,
        "per_device_train_batch_size": batch,
        "per_device_eval_batch_size": 3,
        "learning_rate": 0.01,
        "mixup_alpha": 0,
        "spec_time_masks": 0,
        "model_config": json.dumps(
            {"hidden_size": 8, "input_dropout": 0.0, "hidden_dropout": 0.0, "classifier_dropout": 0.0}
        ),
        "save_strategy": "steps",
        "save_steps": 2,
        "num_resamples": 100,
        "floor": False,
        "pictures": "false",
        "disable_tqdm": "true",
        "use_cpu": "true",
    }
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]


def write_clips(folder: Path) -> None:
    """Write seven clips of each of three genres, tones in noise; their number divides by nothing."""
    import numpy as np
    import soundfile

    generator = np.random.default_rng(3)
    seconds = np.arange(22050 * 2) / 22050
    for index, genre in enumerate(("blues", "jazz", "rock")):
        (folder / genre).mkdir(parents=True)
        for number in range(7):
            tone = np.sin(2 * np.pi * 200 * (index + 1 + generator.random()) * seconds)
            noise = 0.05 * generator.normal(size=len(seconds))
            soundfile.write(folder / genre / f"{genre}.{number:05d}.wav", 0.2 * tone + noise, 22050)


def digest(folder: Path) -> str:
    """Return the SHA-256 of a model's weights."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def check(holds: bool, what: str, *logs: str) -> None:
    """Stop with what failed and the ends of the logs."""
    if not holds:
        raise SystemExit("\n".join([f"two_nodes: {what}", *(log[-6000:] for log in logs)]))


def run_both(names, options, folders, scratch, timeout_seconds=60) -> None:
    """Run both machines to their end."""
    with Machines(names, options, folders, timeout_seconds=timeout_seconds, scratch=scratch) as machines:
        for number in range(2):
            status = machines.wait(number, LIMIT_SECONDS)
            check(status == 0, f"machine {number} ended with status {status}", machines.log(0), machines.log(1))
        check("other weights than process 0" not in machines.log(0), "the machines' weights differ", machines.log(0))


def figures(names, data: Path, scratch: Path) -> dict:
    """Two machines against one process with the same global batch."""
    folders = [scratch / "figures0", scratch / "figures1"]
    run_both(names, options_of(data, batch=4, epochs=3), folders, scratch)
    alone = scratch / "alone"
    command = [sys.executable, str(ROOT / "recipes" / "lstm.py"), *options_of(data, batch=8, epochs=3)]
    environment = environment_of(scratch / "cache0")
    subprocess.run(
        [*command, "--output_dir", str(alone)], env=environment, check=True, timeout=LIMIT_SECONDS, capture_output=True
    )
    two, one = (json.loads((folder / "results.json").read_text()) for folder in (folders[0], alone))
    check(two["environment"]["world_size"] == 2, f"world size {two['environment']['world_size']}")
    check(one["environment"]["world_size"] == 1, "the comparison did not run alone")
    for level in ("track", "segment"):
        for name in ("n", "accuracy", "macro_f1", "confusion_matrix"):
            check(two[level][name] == one[level][name], f"{level}.{name}: {two[level][name]}, not {one[level][name]}")
    losses = [[epoch["validation_loss"] for epoch in record["training"]["history"]] for record in (two, one)]
    difference = max(abs(a - b) for a, b in zip(*losses, strict=True))
    check(difference < 1e-4, f"validation losses differ by {difference}: {losses}")
    left = [path.name for path in folders[1].rglob("*")] if folders[1].exists() else []
    check(not left, f"the second machine wrote {left}")
    return {
        "world_size": two["environment"]["world_size"],
        "test_segments": two["segment"]["n"],
        "largest_difference_of_validation_losses": difference,
    }


def lost(names, data: Path, scratch: Path, how: str) -> dict:
    """Lose the second machine in the middle; the first must tell, and the run must resume to the same weights."""
    epochs, timeout_seconds = 20, 20
    options = options_of(data, batch=4, epochs=epochs)
    folders = [scratch / f"{how}0", scratch / f"{how}1"]
    with Machines(names, options, folders, timeout_seconds=timeout_seconds, scratch=scratch) as machines:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not list(folders[0].glob("checkpoint-*/manifest.json")):
            running = machines.processes[0].poll() is None and time.monotonic() < deadline
            check(running, "no checkpoint came", machines.log(0), machines.log(1))
            time.sleep(0.02)
        began = time.monotonic()
        if how == "kill":
            machines.kill(1)
        else:
            ip("-n", names[1], "link", "set", "veth1", "down")
        try:
            status = machines.wait(0, NOTICE_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        seconds = time.monotonic() - began
        log = machines.log(0)
        check(status not in (None, 0), f"the first machine ended with {status} after {seconds:.0f} s", log)
        told = [line for line in log.splitlines() if "lost contact with the others" in line]
        check(len(told) == 1 and "--resume" in told[0], "the first machine gave no clear error", log)
    if how == "link":
        ip("-n", names[1], "link", "set", "veth1", "up")
    check(not (folders[0] / "results.json").exists(), "the broken run has a record")
    run_both(names, [*options, "--resume", "true"], folders, scratch)
    whole = [scratch / "whole0", scratch / "whole1"]
    if not whole[0].exists():
        run_both(names, options, whole, scratch)
    record = json.loads((folders[0] / "results.json").read_text())
    check(record["environment"]["world_size"] == 2, "the resumed run is no run of two")
    check(record["training"]["resumed"], "the run began anew")
    check(digest(folders[0]) == digest(whole[0]), "the resumed weights are not those of an unbroken run")
    check(not list(folders[1].rglob("*")) if folders[1].exists() else True, "the second machine wrote files")
    return {"seconds_until_told": round(seconds, 1), "ddp_timeout_s": timeout_seconds, "error": told[0][:300]}


def main() -> None:
    """Run the scenarios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="All by default; may be repeated.")
    wanted = parser.parse_args().scenario or SCENARIOS
    reason = why_not()
    check(reason is None, f"network namespaces cannot be made here: {reason}")
    with tempfile.TemporaryDirectory(prefix="mgc_hf-two-nodes-") as scratch, two_namespaces() as names:
        data = Path(scratch) / "clips"
        write_clips(data)
        for scenario in wanted:
            began = time.monotonic()
            if scenario == "figures":
                result = figures(names, data, Path(scratch))
            else:
                result = lost(names, data, Path(scratch), scenario)
            print(json.dumps({"scenario": scenario, **result, "seconds": round(time.monotonic() - began)}), flush=True)


if __name__ == "__main__":
    main()
