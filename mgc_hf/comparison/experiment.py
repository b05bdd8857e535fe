"""Makes the runs of an experiment one after another: finished ones are picked up, broken ones resumed, failures collected."""

import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mgc_hf import outputs
from mgc_hf.cards.markdown import without_paths
from mgc_hf.comparison.material import Missing
from mgc_hf.comparison.plan import PlannedRun, command
from mgc_hf.errors import OptionError
from mgc_hf.files import write_json
from mgc_hf.options.groups import DataOptions
from mgc_hf.record import public_options
from mgc_hf.results import RunResult

#: Seconds between two looks at a run, and that one has to write its checkpoint when it is stopped.
_LOOK_SECONDS, _STOP_SECONDS = 0.5, 120.0
_EPOCH = re.compile(r"epoch (\d+)/(\d+)")
_RAISED = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b")
_LOG_TAIL = 20_000
_MOST_OF_REASON = 300


class Running(Protocol):
    """A run that was started."""

    def poll(self) -> int | None:
        """Return its exit status, `None` while it runs."""

    def stop(self) -> None:
        """End it, with time to write a checkpoint."""


class Display(Protocol):
    """What somebody sees while runs are made; one line a run."""

    def begin(self, run: PlannedRun, how: str) -> None:
        """A run begins: anew, or resumed."""

    def update(self, run: PlannedRun, fraction: float | None, seconds: float) -> None:
        """A run has come so far (0 to 1, `None`: not known) in so many seconds."""

    def end(self, run: PlannedRun, what: str, seconds: float | None) -> None:
        """A run has ended: `done`, `picked up`, or why it failed."""


#: Starts a command whose output goes to a file.
Start = Callable[[Sequence[str], Path], Running]


@dataclass
class Outcome:
    """What an experiment came to.

    Args:
        finished (`list[PlannedRun]`): Runs that are there.
        failed (`list[tuple[PlannedRun, str]]`): Runs that are not, and why.
    """

    finished: list[PlannedRun] = field(default_factory=list)
    failed: list[tuple[PlannedRun, str]] = field(default_factory=list)

    @property
    def missing(self) -> list[Missing]:
        """The failed runs as a report has them, without local paths."""
        return [Missing(run.system, run.protocol, run.seed, str(without_paths(reason))) for run, reason in self.failed]


def run_all(
    runs: Sequence[PlannedRun],
    folder: Path,
    recipes: Path,
    display: Display,
    *,
    launcher: str,
    start: Start | None = None,
) -> Outcome:
    """Make every run that is not there yet.

    Args:
        runs ([`Sequence[PlannedRun]`]): The experiment.
        folder (`Path`): Its folder; what a run says goes to `logs/NAME.log` in it. Another experiment may make other runs
            in it at the same time; a run that another process is making counts as failed here.
        recipes (`Path`): Folder of the recipes.
        display ([`Display`]): What somebody sees.
        launcher (`str`): What starts a recipe: `accelerate launch` and its options.
        start (`Callable`, *optional*): Starts a command; a process of its own by default.

    Returns:
        [`Outcome`]: A run that fails does not stop the others.

    Raises:
        OptionError: A folder holds a finished run with other options, or the experiment's folder runs on other data;
            nothing was started then.
        KeyboardInterrupt: The run at hand was stopped, and can be resumed.
    """
    start = start or start_process
    for run in runs:
        state_of(run)
    check_data(folder, runs)
    outcome = Outcome()
    for run in runs:
        log = folder / "logs" / f"{run.folder.name}.log"
        with _locked(log.with_suffix(".lock")) as other:
            state = state_of(run)  # another process may have made it by now
            if state == "finished":
                outcome.finished.append(run)
                display.end(run, "picked up", None)
                continue
            if other is not None:
                reason = f"process {other} is making it"
                outcome.failed.append((run, reason))
                display.end(run, f"left out ({reason})", None)
                continue
            display.begin(run, "resumed" if state == "resumable" else "started")
            began, since = time.monotonic(), _size(log)
            running = start(command(run, launcher, recipes, _WAYS[state]), log)
            status = _make(run, running, log, display, began, since)
        seconds = time.monotonic() - began
        if status == 0 and (run.folder / outputs.RESULTS).is_file():
            outcome.finished.append(run)
            display.end(run, "done", seconds)
        else:
            reason = why_failed(log, status, since)
            outcome.failed.append((run, reason))
            display.end(run, f"failed ({reason}; log {log})", seconds)
    return outcome


def check_data(folder: Path, runs: Sequence[PlannedRun]) -> None:
    """Refuse data of one name from another place: records keep of a path no more than its last component.

    The first call keeps a digest of where the data lies in `experiment.json`, which tells nobody the place.

    Raises:
        OptionError: The experiment's runs are on data from another place.
    """
    path = folder / EXPERIMENT
    sources = {_place(str(run.options["dataset"])) for run in runs}
    digest = hashlib.sha256("\n".join(sorted(sources)).encode()).hexdigest()
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {"dataset_sha256": digest})
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["dataset_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OptionError(f"{path}: is damaged ({error}); remove it if the runs there are of this data") from error
    if known != digest:
        raise OptionError(
            f"{folder}: holds runs on data from another place than --dataset {runs[0].options['dataset']}; name another "
            f"--output_dir, or remove {path} if it is the same data, moved"
        )


#: What an experiment keeps of itself beside its runs.
EXPERIMENT = "experiment.json"


def _place(dataset: str) -> str:
    path = Path(dataset).expanduser()
    return str(path.resolve()) if path.exists() or path.is_absolute() else dataset


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """Hold a lock, and yield nothing; or, where it is held, the process that holds it. It ends with its process."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            yield int(file.read().strip() or 0)
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield None


#: State of a run's folder -> how the recipe is told to go on from it.
_WAYS: dict[str, tuple[str, ...]] = {
    "new": (),
    "resumable": ("--resume", "true"),
    "begun": ("--overwrite_output_dir", "true"),
}


def state_of(run: PlannedRun) -> str:
    """Return what a run's folder holds: `finished`, `resumable` (a checkpoint, or folds), `begun`, or `new`: nothing.

    Raises:
        OptionError: A finished run with other options than are asked for.
        RecordError: A record that cannot be read.
    """
    folder = run.folder
    if (folder / outputs.RESULTS).is_file():
        different = differences(run, RunResult.load(folder / outputs.RESULTS))
        if different:
            raise OptionError(
                f"{folder}: is a finished run with other options than asked for ({'; '.join(different)}); name another "
                "--output_dir, or remove that folder"
            )
        return "finished"
    if not folder.is_dir() or not any(folder.iterdir()):
        return "new"
    checkpoints = any((path / "manifest.json").is_file() for path in folder.glob("checkpoint-*"))
    return "resumable" if checkpoints or any(folder.glob("fold-*")) else "begun"


def differences(run: PlannedRun, result: RunResult) -> list[str]:
    """Return in what a finished run differs from what is asked for, an option each.

    Args:
        run ([`PlannedRun`]): What is asked for.
        result ([`RunResult`]): Record of the finished run.
    """
    training = result.training
    if training is None:
        return ["it is an evaluation of a finished model"]
    if training.recipe != run.recipe:
        return [f"recipe {training.recipe} there, {run.recipe} here"]
    asked = public_options(run.options)
    found = []
    for name in sorted({*asked, *training.options}):
        there = training.resolved.get(name, training.options.get(name))
        if name not in asked:
            found.append(f"{name} {there} there, the recipe's default here")
        elif name in training.resolved and not _equal(there, asked[name]):
            found.append(f"{name} {there} there, {asked[name]} here")
    return found


def why_failed(log: Path, status: int | None, since: int = 0) -> str:
    """Return why a run failed: its error, else the exception that ended it, else the last thing that it said.

    Args:
        log (`Path`): What it said, after what earlier attempts did.
        status (`int`, *optional*): Its exit status.
        since (`int`, *optional*, defaults to 0): Size of the log when it was started, bytes.
    """
    lines = [line.strip() for line in _tail(log, since).splitlines() if line.strip()]
    errors = [line.removeprefix("error:").strip() for line in lines if line.startswith("error:")]
    # the launcher raises an exception of its own for the run's
    raised = [line for line in lines if _RAISED.match(line) and not line.startswith("subprocess.CalledProcessError")]
    reason = next((found[-1] for found in (errors, raised, lines) if found), "it said nothing")
    reason = reason if len(reason) <= _MOST_OF_REASON else f"{reason[:_MOST_OF_REASON]} …"
    return reason if errors else f"exit status {status}: {reason}"


def fraction_done(run: PlannedRun, log: Path, since: int = 0) -> float | None:
    """Return how far training has come, 0 to 1, from what the run says of its epochs; `None`: not known yet.

    Args:
        run ([`PlannedRun`]): The run.
        log (`Path`): What it said, after what earlier attempts did.
        since (`int`, *optional*, defaults to 0): Size of the log when it was started, bytes.
    """
    found = _EPOCH.findall(_tail(log, since))
    if not found:
        return None
    epoch, epochs = (int(number) for number in found[-1])
    share = min(epoch / max(epochs, 1), 1.0)
    if run.protocol != "kfold":
        return share
    folds = int(run.options.get("num_folds", DataOptions.num_folds))
    done = len(list(run.folder.glob(f"fold-*/{outputs.RESULTS}")))
    return min((done + (share if share < 1 else 0)) / folds, 1.0)


class Process:
    """A run in a process group of its own, so that all of it can be stopped."""

    def __init__(self, words: Sequence[str], log: Path):
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def poll(self) -> int | None:
        """Return its exit status, `None` while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask every process of the run to end, and wait until they have, or make them."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while self._is_there():
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
                break
            time.sleep(0.1)
        self._process.wait()

    def _is_there(self) -> bool:
        self._process.poll()  # an ended process stays in its group until it is asked
        return self._signal(0)

    def _signal(self, number: int) -> bool:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def start_process(words: Sequence[str], log: Path) -> Running:
    """Start a command in a process of its own; what it says is added to a file."""
    return Process(words, log)


def _make(run: PlannedRun, running: Running, log: Path, display: Display, began: float, since: int) -> int:
    """Wait for a run, and show how far it is; it ends with this process, whatever ends that.

    Raises:
        KeyboardInterrupt: The run was stopped.
    """
    try:
        while (status := running.poll()) is None:
            display.update(run, fraction_done(run, log, since), time.monotonic() - began)
            time.sleep(_LOOK_SECONDS)
    except BaseException:
        running.stop()
        raise
    return status


def _size(log: Path) -> int:
    return log.stat().st_size if log.is_file() else 0


def _tail(log: Path, since: int) -> str:
    if not log.is_file():
        return ""
    with open(log, "rb") as file:
        file.seek(max(since, _size(log) - _LOG_TAIL))
        return file.read().decode(errors="replace")


def _equal(there: object, here: object) -> bool:
    """Whether two values of an option are the same, whichever of them went through a command line."""
    return _plain(there) == _plain(here)


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    text = str(value).strip()
    if text.startswith(("{", "[")):  # an object goes through a command line as JSON
        try:
            return _plain(json.loads(text))
        except ValueError:
            return text
    lowered = {"true": True, "false": False, "none": None}
    if text.lower() in lowered:
        return lowered[text.lower()]
    try:
        return float(text)
    except ValueError:
        return text
