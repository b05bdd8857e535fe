"""What `recipes/compare.py` does when it is started: options, runs with a display, the report."""

import logging
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mgc_hf.cli.leaving import run_and_leave
from mgc_hf.options.declaring import Checked, option
from mgc_hf.results import format_duration

if TYPE_CHECKING:
    from mgc_hf.comparison.plan import PlannedRun

#: What starts a recipe; the program of this environment, whatever lies on the path.
LAUNCHER = "accelerate launch"


@dataclass
class CompareOptions(Checked):
    """Which runs are made and compared."""

    dataset: str = option(
        "marsyas/gtzan", "Data of every run, as the recipes take it: a Hub id, a folder, 'demo', ..."
    )
    systems: list[str] = field(
        default_factory=lambda: ["lstm", "hubert", "wavlm", "wav2vec2", "floor"],
        metadata={
            "help": "Systems: lstm, hubert, wavlm, wav2vec2, floor, NAME=CHECKPOINT for any other model of transformers, "
            "NAME=FILE.yaml for the LSTM with other options"
        },
    )
    protocols: list[str] = field(
        default_factory=lambda: ["segment", "track", "kfold"],
        metadata={"help": "Protocols of the recipes: segment (leaky), track, kfold, artist, ..."},
    )
    seeds: list[int] = field(
        default_factory=lambda: [0, 1, 2],
        metadata={"help": "Seeds, each of split, weights and training alike"},
    )
    output_dir: str = option("outputs/compare", "Folder of the experiment: runs/, logs/ and report/")
    from_scratch: bool = option(False, "Build the speech models without pre-trained weights; the report says so")
    size: Literal["tiny", "base"] | None = option(None, "--from_scratch only: tiny (for tests) or base")
    system_options: str | None = option(
        None,
        "Options of single recipes: JSON or a YAML file of SYSTEM, SYSTEM/PROTOCOL or 'all' with their options, such as "
        '{"lstm": {"num_train_epochs": 5}}',
    )
    launcher: str = option(LAUNCHER, "What starts a recipe, with its own options: accelerate launch --num_processes 2")
    audio: str | None = option(
        None, "Your copy of the data, for players and spectrograms of the errors; the page then tells where it lies"
    )
    embed_audio: bool = option(False, "With --audio: embed 5 s of each error instead; mind whose recordings they are")
    dry_run: bool = option(False, "Print the command of each run, and make none")

    def __post_init__(self) -> None:
        """Check that there is something to run.

        Raises:
            OptionError: A list is empty, a size without `--from_scratch`, or embedding without audio.
        """
        self.check(
            *((bool(getattr(self, name)), name, "one or more") for name in ("systems", "protocols", "seeds")),
            (self.size is None or self.from_scratch, "size", "left out without --from_scratch"),
            (self.audio is not None or not self.embed_audio, "embed_audio", "left out without --audio"),
            (bool(self.launcher.strip()), "launcher", f"a command, such as {LAUNCHER}"),
        )


def main(recipe: str, description: str | None) -> None:
    """Make the runs that are not there, and write the report.

    Exit status: 0 when every run is there and the report is written, 1 when a run failed (the report is of the others),
    2 for wrong options, 129, 130 or 143 after SIGHUP, SIGINT or SIGTERM, when the run at hand can be resumed by the same command.

    Args:
        recipe (`str`): The recipe's file; the other recipes lie beside it.
        description (`str`, *optional*): Its docstring, for `--help`.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    stopped_by = _stop_on_signals()

    def work() -> int:
        try:
            return _main(recipe, description)
        except KeyboardInterrupt:
            print("stopped; the same command goes on from here", file=sys.stderr, flush=True)
            return 128 + (stopped_by[0] if stopped_by else signal.SIGINT)

    run_and_leave(work, "error")


def parse_compare_options(argv: Sequence[str] | None = None, description: str | None = None) -> CompareOptions:
    """Read the options of a comparison.

    Args:
        argv (`Sequence[str]`, *optional*, defaults to `sys.argv[1:]`): The command line.
        description (`str`, *optional*): First lines of `--help`.

    Raises:
        OptionError: An option is unknown, or a value is of the wrong type or out of range.
    """
    from mgc_hf.options.parser import parse_class

    return parse_class(CompareOptions, argv, description)


def _main(recipe: str, description: str | None) -> int:
    from mgc_hf.comparison.experiment import run_all
    from mgc_hf.comparison.listening import open_sounds
    from mgc_hf.comparison.material import read_material
    from mgc_hf.comparison.plan import command, plan, read_system_options
    from mgc_hf.comparison.writing import check_report_folder, tell_report, write_comparison

    options = parse_compare_options(description=description)
    folder, recipes = Path(options.output_dir), Path(recipe).resolve().parent
    runs = plan(
        options.systems,
        options.protocols,
        options.seeds,
        folder,
        dataset=options.dataset,
        from_scratch=options.from_scratch,
        size=options.size,
        system_options=read_system_options(options.system_options),
    )
    if options.dry_run:
        for run in runs:
            print(shlex.join(command(run, options.launcher, recipes)))
        return 0
    check_report_folder(folder / "report", overwrite=True)
    open_sounds(options.audio)  # refused now, not after all runs
    display = RunDisplay(len(runs))
    with display:
        outcome = run_all(runs, folder, recipes, display, launcher=_of_this_environment(options.launcher))
    if not outcome.finished:
        print("error: no run is finished, so there is nothing to report on", file=sys.stderr)
        return 1
    material = read_material([run.source for run in outcome.finished], outcome.missing)
    write_comparison(material, folder / "report", audio=options.audio, embed_audio=options.embed_audio, overwrite=True)
    print(tell_report(material, folder / "report"))
    for run, reason in outcome.failed:
        print(f"error: {run.title} failed: {reason}", file=sys.stderr)
    return 1 if outcome.failed else 0


def _of_this_environment(launcher: str) -> str:
    """Let `accelerate launch` be that of this Python."""
    if launcher == LAUNCHER or launcher.startswith(f"{LAUNCHER} "):
        return f"{shlex.quote(sys.executable)} -m accelerate.commands.launch{launcher.removeprefix(LAUNCHER)}"
    return launcher


def _stop_on_signals() -> list[int]:
    """Let SIGTERM and SIGHUP (a closed terminal) stop the run at hand as SIGINT does; return a list that then holds the
    number. SIGHUP stays ignored where it is, as under nohup."""
    seen: list[int] = []

    def stop(number: int, _frame: Any) -> None:
        seen.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, stop)
    return seen


class RunDisplay:
    """One line a run: bars for somebody who watches, lines of text where standard error is a file or a pipe.

    Args:
        total (`int`): Runs in all.
    """

    def __init__(self, total: int):
        self.total, self.ended = total, 0
        self._seconds: dict[str, list[float]] = {}
        self._bars: Any = None
        self._all: Any = None
        self._one: Any = None

    def __enter__(self) -> "RunDisplay":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[text]}"))
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bars.start()
            self._all = self._bars.add_task("all runs", total=self.total, text="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, run: "PlannedRun", how: str) -> None:
        """A run begins: anew, or resumed."""
        self._began = time.monotonic()
        if self._bars is not None:
            self._one = self._bars.add_task(run.title, total=1.0, text=how)
        else:
            self._print(f"{run.title}: {how}")

    def update(self, run: "PlannedRun", fraction: float | None, seconds: float) -> None:
        """A run has come so far."""
        if self._bars is None:
            return
        left = None if not fraction else seconds * (1 - fraction) / fraction
        self._bars.update(self._one, completed=fraction or 0.0, text=_times(seconds, left))
        self._bars.update(self._all, completed=self.ended, text=self._rest(left))

    def end(self, run: "PlannedRun", what: str, seconds: float | None) -> None:
        """A run has ended, and is a line that stays."""
        self.ended += 1
        if seconds is not None:
            self._seconds.setdefault(run.name, []).append(seconds)
        if self._bars is not None and self._one is not None:
            self._bars.remove_task(self._one)
            self._one = None
        if self._bars is not None:
            self._bars.update(self._all, completed=self.ended, text=self._rest(None))
        took = "" if seconds is None else f" in {format_duration(seconds)}"
        self._print(f"{run.title}: {what}{took}{'' if self.ended == self.total else f'; {self._rest(None)}'}")

    def _print(self, text: str) -> None:
        line = f"[{self.ended}/{self.total}] {text}"
        if self._bars is not None:
            self._bars.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def _rest(self, left: float | None) -> str:
        """Say how long the runs that are left may take, from the mean of those that were made."""
        known = [value for values in self._seconds.values() for value in values]
        if not known:
            return f"{self.total - self.ended} to go"
        waiting = self.total - self.ended - (0 if left is None else 1)
        return f"{self.total - self.ended} to go, about {format_duration(waiting * sum(known) / len(known) + (left or 0))}"


def _times(seconds: float, left: float | None) -> str:
    return f"{format_duration(seconds)}{'' if left is None else f', about {format_duration(left)} left'}"
