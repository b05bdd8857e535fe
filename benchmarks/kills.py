"""Whether anything is lost when a process is killed at a random moment, and whether what goes on ends as if it were not.

    python benchmarks/kills.py --n 50             # about ten minutes on two cores

Five kinds of work, each done once unbroken and then killed (SIGKILL, the whole process group) at moments drawn from a seed
over the time that the unbroken one took, and started again with the same command: training an LSTM with a checkpoint an
epoch; the same with one at every step, so that most kills fall into saving; `mgc-hf predict` to JSON lines; the same with
`--write_tags`; a push to a Hub on this machine. A resumed run must have the same weights bit for bit and the same figures;
the rows must be those of the unbroken run, each once; every file must have its tag and the same audio, and nothing beside
it; every commit on the Hub must be whole and the last one the folder. Ends with status 1 where one is not.
"""

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from runs import ROOT

sys.path.insert(0, str(ROOT))
KINDS = ("train", "save", "predict", "tag", "push")
RATE = 16_000


def make_clips(
    folder: Path, genres: tuple[str, ...] = ("jazz", "rock"), number: int = 5, seconds: float = 2.0
) -> None:
    """Write clips of tones with noise, in WAV and, of every second one, FLAC."""
    for label, genre in enumerate(genres):
        (folder / genre).mkdir(parents=True)
        for index in range(number):
            rng, size = np.random.default_rng([label, index]), round(seconds * RATE)
            tone = 0.3 * np.sin(np.arange(size) * (0.1 + 0.2 * label)) + 0.05 * rng.standard_normal(size)
            soundfile.write(folder / genre / f"{index}.{'flac' if index % 2 else 'wav'}", tone, RATE, subtype="PCM_16")


def train(clips: str, output: str, cache: str, **options: Any) -> None:
    """Train, or go on."""
    from mgc_hf import fine_tune

    fine_tune(
        dataset=clips,
        output_dir=output,
        cache_dir=cache,
        model_config='{"hidden_size": 8}',
        segment_seconds=1.0,
        num_train_epochs=4,
        per_device_train_batch_size=4,
        num_resamples=100,
        floor=False,
        pictures=False,
        disable_tqdm=True,
        resume=Path(output).exists(),
        **options,
    )


def command(*words: str) -> None:
    """Run `mgc-hf`."""
    from mgc_hf.cli.main import main

    sys.argv = ["mgc-hf", *words]
    main()


def _start(work: Callable[..., None], words: tuple, values: dict, log: str) -> None:
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    work(*words, **values)


class Worker:
    """Starts processes that have torch and transformers imported already, and kills them."""

    def __init__(self, log: Path):
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["mgc_hf.run", "mgc_hf.inference", "mgc_hf.training.trainer", "torch"])
        self.log, self.killed = str(log), 0

    def run(self, work: Callable[..., None], *words: Any, kill_after: float | None = None, **values: Any) -> float:
        """Run to the end, or until killed; return the seconds.

        Raises:
            RuntimeError: It failed by itself.
        """
        process = self.context.Process(target=_start, args=(work, words, values, self.log))
        began = time.perf_counter()
        process.start()
        process.join(kill_after)
        if process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.join()
            self.killed += process.exitcode == -signal.SIGKILL
        elif process.exitcode:
            raise RuntimeError(f"exit status {process.exitcode}: {Path(self.log).read_text()[-2000:]}")
        return time.perf_counter() - began


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def result_of(folder: Path) -> Any:
    """Return what must be equal of a run: its weights, and the figures of its record."""
    record = json.loads((folder / "results.json").read_text())
    return digest(folder / "model.safetensors"), record["track"], record["segment"], digest(folder / "split.json")


def rows_of(file: Path) -> list[Any]:
    """Return the rows of an output, without what came of the tags, sorted."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return sorted(({**row, "tag": None} for row in rows), key=lambda row: row["path"])


def kills_of_training(worker: Worker, folder: Path, moments: list[float], **options: Any) -> list[str]:
    """Kill a training at parts of its time; return what went wrong."""
    clips, cache = str(folder / "clips"), str(folder / "cache")
    worker.run(train, clips, str(folder / "warm"), cache, **options)
    seconds = worker.run(train, clips, str(folder / "whole"), cache, **options)
    expected, wrong = result_of(folder / "whole"), []
    for number, moment in enumerate(moments):
        output = folder / f"run{number}"
        worker.run(train, clips, str(output), cache, kill_after=moment * seconds, **options)
        state = sorted(path.name for path in output.glob("*")) if output.exists() else []
        worker.run(train, clips, str(output), cache, **options)
        if result_of(output) != expected:
            wrong.append(f"killed at {moment:.2f} with {state}: another result")
        if left := [path.name for path in output.rglob(".tmp-*")]:
            wrong.append(f"killed at {moment:.2f}: left behind {left}")
        shutil.rmtree(output)
    return wrong


def kills_of_labelling(worker: Worker, folder: Path, moments: list[float], tags: bool) -> list[str]:
    """Kill a labelling at parts of its time; return what went wrong."""
    from mgc_hf.data.audio import decode

    source, model = folder / "music", str(folder / "model")
    whole = folder / "music-whole"
    shutil.copytree(source, whole)
    words = ("--model", model, *(("--write_tags",) if tags else ()))
    files = sorted(path.relative_to(source) for path in source.rglob("*.*"))
    audio = {name: decode(source / name).samples for name in files}

    def label(target: Path, output: Path, **values: Any) -> float:
        resume = ("--resume",) if output.exists() else ()
        return worker.run(command, "predict", str(target), *words, "--output", str(output), *resume, **values)

    work = folder / "work"
    shutil.copytree(source, work)
    seconds = label(work, folder / "whole.jsonl")
    expected, wrong = rows_of(folder / "whole.jsonl"), []
    for number, moment in enumerate(moments):
        shutil.rmtree(work)
        shutil.copytree(source, work)
        output = folder / f"{number}.jsonl"
        label(work, output, kill_after=moment * seconds)
        label(work, output)
        if rows_of(output) != expected:
            wrong.append(f"killed at {moment:.2f}: other rows")
        if sorted(path.relative_to(work) for path in work.rglob("*") if path.is_file()) != files:
            wrong.append(f"killed at {moment:.2f}: other files beside the music")
        for name, samples in audio.items():
            if not np.array_equal(decode(work / name).samples, samples):
                wrong.append(f"killed at {moment:.2f}: {name} sounds different")
        if tags:
            genres = {row["path"]: row["genre"] for row in expected}
            wrong += [
                f"killed at {moment:.2f}: {name} has the genre {found}"
                for name in files
                if (found := genre_in(work / name)) != [genres[str(work / name)]]
            ]
    return wrong


def genre_in(path: Path) -> list[str]:
    """Return the genre in a file's tags, by mutagen alone."""
    import mutagen

    tags = mutagen.File(path).tags or {}
    return list(tags["TCON"].text if "TCON" in tags else tags.get("genre", []))


def kills_of_pushing(worker: Worker, folder: Path, moments: list[float], hub: Any) -> list[str]:
    """Kill a push at parts of its time; return what went wrong."""
    from huggingface_hub import HfApi

    from mgc_hf.hub import list_contents
    from tests.hub.app import USERS

    api, run = HfApi(endpoint=hub.endpoint, token=USERS["alice"]["token"]), folder / "whole"
    names = {content.path for content in list_contents(run)}
    seconds = worker.run(command, "push", str(run), "alice/whole")
    wrong = []
    for number, moment in enumerate(moments):
        for stored in hub.store.objects.iterdir():
            shutil.rmtree(stored)  # or large files would be there from the push before
        repo_id = f"alice/killed-{number}"
        worker.run(command, "push", str(run), repo_id, kill_after=moment * seconds)
        if api.repo_exists(repo_id):
            there = set(api.list_repo_files(repo_id)) - {".gitattributes"}
            if there and there != names:
                wrong.append(f"killed at {moment:.2f}: a commit of a part, without {sorted(names - there)}")
        worker.run(command, "push", str(run), repo_id)
        if set(api.list_repo_files(repo_id)) - {".gitattributes"} != names:
            wrong.append(f"killed at {moment:.2f}: other files in the end")
        fetched = Path(api.hf_hub_download(repo_id, "model.safetensors", cache_dir=folder / f"fetched-{number}"))
        if digest(fetched) != digest(run / "model.safetensors"):
            wrong.append(f"killed at {moment:.2f}: other weights in the end")
    return wrong


def main() -> None:
    """Kill and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50, help="Kills in all.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    moments: dict[str, list[float]] = {kind: [] for kind in arguments.kinds}
    for number in range(arguments.n):
        moments[arguments.kinds[number % len(arguments.kinds)]].append(float(rng.uniform(0.02, 1.0)))
    found: dict[str, list[str]] = {}
    seconds: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        from tests.hub.app import USERS
        from tests.hub.server import running

        hub = stack.enter_context(running(folder / "hub"))
        os.environ |= {
            "HF_ENDPOINT": hub.endpoint,
            "HF_TOKEN": USERS["alice"]["token"],
            "HF_HOME": str(folder / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",  # the same weights bit for bit, whatever else runs
        }
        worker = Worker(folder / "log")
        make_clips(folder / "clips")
        make_clips(folder / "music", number=40)
        worker.run(train, str(folder / "clips"), str(folder / "whole"), str(folder / "cache"))
        shutil.copytree(folder / "whole", folder / "model")
        for kind in arguments.kinds:
            place = folder / kind
            place.mkdir()
            for given in ("clips", "music", "model", "whole"):
                if not (kind in ("train", "save") and given == "whole"):
                    (place / given).symlink_to(folder / given)
            began, worker.killed = time.perf_counter(), 0
            if kind == "train":
                found[kind] = kills_of_training(worker, place, moments[kind])
            elif kind == "save":
                options = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 2}
                found[kind] = kills_of_training(worker, place, moments[kind], **options)
            elif kind in ("predict", "tag"):
                found[kind] = kills_of_labelling(worker, place, moments[kind], kind == "tag")
            else:
                found[kind] = kills_of_pushing(worker, place, moments[kind], hub)
            killed[kind] = worker.killed
            seconds[kind] = round(time.perf_counter() - began)
            print(
                f"{kind}: {len(moments[kind])} kills in {seconds[kind]} s, {len(found[kind])} faults", file=sys.stderr
            )
    print(
        f"{arguments.n} kills, seed {arguments.seed}\n\n| work | kills | of these before the end | seconds | faults |\n|---|---|---|---|---|"
    )
    for kind, faults in found.items():
        print(f"| {kind} | {len(moments[kind])} | {killed[kind]} | {seconds[kind]} | {len(faults)} |")
    for kind, faults in found.items():
        for fault in faults:
            print(f"{kind}: {fault}")
    sys.exit(any(found.values()))


if __name__ == "__main__":
    main()
