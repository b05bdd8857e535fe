"""Python programs in processes of their own, without paying for the imports of big libraries each time.

One server per worker has imported torch, SciPy, pandas and the like, and forks a child for every program; a child
begins in tenths of a second where a new interpreter takes five. What looks at the environment when it is imported
(huggingface_hub, transformers, datasets, mgc_hf) is not among them: each program imports that itself, under its own
environment. A test of what importing costs, of memory, or of broken libraries wants a real interpreter.
"""

import atexit
import contextlib
import gc
import importlib
import io
import itertools
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]

#: None of them reads what a test sets in its environment.
LIBRARIES = [
    "numpy",
    "scipy.stats",
    "scipy.signal",
    "scipy.optimize",
    "sklearn.metrics",
    "sklearn.discriminant_analysis",
    "sklearn.model_selection",
    "pandas",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "torch",
    "torch._dynamo",
    "torch.distributed.tensor",
    "torch.export",
    "torch.utils.data",
    "yaml",
    "jinja2",
    "httpx2",
    "trio",
    "fsspec",
    "multiprocess",
    "dill",
    "xxhash",
    "soxr",
    "regex",
    "tokenizers",
    "safetensors.torch",
    "PIL.Image",
    "aiohttp",
    "wrapt",
    "filelock",
    "psutil",
]
_OWN = (
    "huggingface_hub",
    "transformers",
    "datasets",
    "accelerate",
    "evaluate",
    "peft",
    "mgc_hf",
    "typer",
    "matplotlib",
)


class Program:
    """A running program, as `subprocess.Popen(text=True)` with both outputs piped shows one."""

    def __init__(self, server: "_Server", argv: Sequence[Any], env: Mapping[str, str], cwd: Any):
        self.args = [sys.executable, *map(str, argv)]
        self._folder = tempfile.TemporaryDirectory(prefix="program")
        self.returncode: int | None = None
        self.began, self.ended = threading.Event(), threading.Event()
        self.status = self.pid = 0
        server.send(self, {"argv": self.args[1:], "env": dict(env), "cwd": str(cwd), "folder": self._folder.name})
        assert self.began.wait(60)

    def poll(self) -> int | None:
        """Return the exit status, `None` while it runs."""
        if self.ended.is_set():
            self.returncode = self.status
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end."""
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.returncode = self.status
        return self.status

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; both outputs."""
        self.wait(timeout)
        out, err = (Path(self._folder.name, name).read_text("utf-8", "replace") for name in ("out", "err"))
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._folder.cleanup()


def start(argv: Sequence[Any], *, env: Mapping[str, str] | None = None, cwd: Any = None) -> Program:
    """Start `python ARGV` (`-c CODE`, `-m MODULE` or a script, and its words)."""
    return Program(_server(), argv, os.environ if env is None else env, cwd or Path.cwd())


def run(
    argv: Sequence[Any],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Any = None,
    timeout: float = 200,
    check: bool = False,
) -> subprocess.CompletedProcess:
    """Run `python ARGV` to its end, as `subprocess.run(capture_output=True, text=True)` does."""
    with start(argv, env=env, cwd=cwd) as program:
        try:
            out, err = program.communicate(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)  # a program's own processes are in its group
            raise
    done = subprocess.CompletedProcess(program.args, program.wait(), out, err)
    if check and done.returncode:
        raise subprocess.CalledProcessError(done.returncode, done.args, out, err)
    return done


class _Server:
    """The server's process, and who waits for which of its children."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **dict.fromkeys(_THREADS, "1")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.preloaded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self._numbers, self._waiting, self._lock = itertools.count(), {}, threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self._close)

    def send(self, program: Program, request: dict) -> None:
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = program
            self._process.stdin.write(json.dumps({**request, "number": number}) + "\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        for line in self._process.stdout:
            answer = json.loads(line)
            program = self._waiting[answer["number"]]
            if "pid" in answer:
                program.pid = answer["pid"]
                program.began.set()
            else:
                del self._waiting[answer["number"]]
                program.status = answer["status"]
                program.ended.set()

    def _close(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)


_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_running: list[_Server] = []


def _server() -> _Server:
    if not _running:
        _running.append(_Server())
    return _running[0]


def _serve() -> None:
    """Fork a child for every line on standard input, and tell on standard output how each ended."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):  # some come with others, whose next version may do without them
            importlib.import_module(name)
    own = [name for name in sys.modules if name.split(".")[0] in _OWN]
    assert not own, f"imported too early: {own}"
    gc.collect()
    gc.freeze()
    answers, children, pending = os.dup(1), {}, b""
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([0, read_end], [], [])
        if read_end in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(read_end, 4096)
            for child in list(children):
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    answer = {"number": children.pop(child), "status": os.waitstatus_to_exitcode(status)}
                    os.write(answers, f"{json.dumps(answer)}\n".encode())
        if 0 in ready:
            content = os.read(0, 2**20)
            if not content:
                return
            *lines, pending = (pending + content).split(b"\n")
            for line in lines:
                request = json.loads(line)
                child = os.fork()
                if not child:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    _become(request)
                children[child] = request["number"]
                os.write(answers, f"{json.dumps({'number': request['number'], 'pid': child})}\n".encode())


def _become(request: dict) -> NoReturn:
    """Turn a fresh child into the program that was asked for."""
    _redirect(request["folder"])
    os.chdir(request["cwd"])
    _take_environment(request["env"])
    status: Any = 0
    try:
        _execute(request["argv"])
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0
        if stop.code is not None and not isinstance(stop.code, int):
            print(stop.code, file=sys.stderr)
            status = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
        for output in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                output.flush()
        os._exit(status & 0xFF)


def _redirect(folder: str) -> None:
    os.setsid()
    outputs = [os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND) for name in ("out", "err")]
    for number, file in zip((0, 1, 2), (os.open(os.devnull, os.O_RDONLY), *outputs), strict=True):
        os.dup2(file, number)
    os.closerange(3, 64)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, "rb", closefd=False), "utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "wb", closefd=False)), "utf-8")
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "wb", closefd=False)), "utf-8", "backslashreplace", line_buffering=True
    )


def _take_environment(environment: dict[str, str]) -> None:
    import random

    import numpy as np
    import torch

    before = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ.clear()
    os.environ.update(environment)
    wanted = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    # the first entry is the server's own folder
    sys.path[:] = [*wanted, *(path for path in sys.path[1:] if os.path.abspath(path) not in before)]
    torch.set_num_threads(int(environment.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    tempfile.tempdir = None
    random.seed()
    np.random.seed()
    if any(Path(path, "sitecustomize.py").is_file() for path in wanted):
        sys.modules.pop("sitecustomize", None)
        importlib.import_module("sitecustomize")


def _execute(argv: list[str]) -> None:
    what, *rest = argv
    if what == "-m":
        sys.argv = rest
        sys.path.insert(0, os.getcwd())
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif what == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    else:
        assert not what.startswith("-"), f"{what} wants a real interpreter"
        sys.argv = argv
        sys.path.insert(0, str(Path(what).resolve().parent))
        runpy.run_path(what, run_name="__main__")


if __name__ == "__main__":
    _serve()
