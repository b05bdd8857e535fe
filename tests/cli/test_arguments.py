"""Any list of arguments ends in a status and one line; every option is known in both spellings."""

import errno
import os
import sys
from contextlib import suppress
from unittest import mock

import pytest
import typer.main
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from mgc_hf.cli.leaving import run_and_leave
from mgc_hf.cli.main import app, main
from mgc_hf.errors import LabelError, OptionError, WriteError
from mgc_hf.options import parse_options

COMMANDS = typer.main.get_command(app).commands


def run(capsys, *argv: str) -> tuple[int, str, str]:
    """Run the command in this process; return exit status, standard output and standard error."""
    capsys.readouterr()
    with mock.patch.object(sys, "argv", ["mgc-hf", *argv]), pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code, *capsys.readouterr()


def options() -> list:
    """Return (command, option, its pair) of every option of several words."""
    found = []
    for name, command in COMMANDS.items():
        for param in command.params:
            for names in (param.opts, param.secondary_opts):
                spellings = [one for one in names if one.startswith("--") and set(one[2:]) & {"-", "_"}]
                found += [pytest.param(name, param, spellings, id=f"{name}{spellings[0]}")] if spellings else []
    return found


@pytest.mark.parametrize(("command", "param", "spellings"), options())
def test_every_option_in_both_spellings(command, param, spellings):
    dashed = {f"--{one[2:].replace('_', '-')}" for one in spellings}
    assert {*dashed, *(f"--{one[2:].replace('-', '_')}" for one in spellings)} <= set(spellings)
    # as click itself reads them, what else the command wants left out
    value = [] if param.is_flag else ["1"]
    parsed = []
    for spelling in spellings:
        context = COMMANDS[command].make_context(command, [spelling, *value], resilient_parsing=True)
        parsed.append(context.params[param.name])
    assert all(one == parsed[0] for one in parsed)
    assert parsed[0] not in (None, (), [])


def test_pairs_of_flags_in_both_spellings():
    def command(keep_it: bool = True) -> None:
        """A command made later, of a flag and its opposite."""

    later = typer.Typer(cls=type(typer.main.get_command(app)))
    later.command("first")(command)
    later.callback()(lambda: None)
    made = typer.main.get_command(later).commands["first"]
    for word, kept in {"--keep-it": True, "--keep_it": True, "--no-keep-it": False, "--no_keep_it": False}.items():
        assert made.make_context("first", [word]).params == {"keep_it": kept}


WORDS = st.one_of(
    st.sampled_from([*COMMANDS, "--help", "--version", "--", "-", "-x", "", " ", "a\nb", "ü", "\udcff", "=", "nan", "-1", "1e999"]),
    st.sampled_from(sorted({name for command in COMMANDS.values() for param in command.params for name in param.opts})),
    st.sampled_from(["--model=/no/such", "--dataset=/no/such", "--output=/proc/no/x.jsonl", "--output_dir=/proc/no", "/no/such"]),
    st.text(st.characters(exclude_characters="\0"), max_size=8),
)  # fmt: skip


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.tuples(st.sampled_from([*COMMANDS, "--no-such"]), st.lists(WORDS, max_size=6)).map(lambda x: [x[0], *x[1]]))
@example(["predict", "/no/such", "--model", "/no/such", "--json"])
@example(["audit", "--dataset", "/no/such", "--min_seconds", "nan"])
@example(["evaluate", "--model", "a\nb", "--dataset", "\udcff"])
@example(["push", "\udcff", "a/b"])
@example(["compare", "a", "b", "c"])
@example(["predict", "x", "--model", "/no/such", "--top_k", "1e999"])
def test_any_arguments_end_in_a_status_and_at_most_one_line(capsys, monkeypatch, tmp_path, argv):
    monkeypatch.chdir(tmp_path)
    argv = [word for word in argv if "demo" not in word or word in COMMANDS]  # a corpus to be composed
    status, out, err = run(capsys, *argv)
    assert status in (0, 1, 2), (argv, err)
    told = [line for line in err.splitlines() if line.startswith("mgc-hf: error: ")]
    assert "Traceback" not in err
    if status == 0:
        assert told == []
    elif status == 1:  # what an audit or a labelling has found stands in its output
        assert len(told) == (not out), (argv, err)
    else:
        assert out == ""
        assert err.splitlines() == told, (argv, err)


VALUES = st.one_of(
    st.sampled_from(["true", "false", "0", "-1", "nan", "inf", "1e999", "{}", "[", "null", "", "a\nb", "\udcff", "x", "epoch"]),
    st.text(max_size=6),
)  # fmt: skip
RECIPE_OPTIONS = ["learning_rate", "seed", "protocol", "split", "bf16", "fp16", "save_strategy", "lr_scheduler_type"]
RECIPE_OPTIONS += ["report_to", "warmup_steps", "model_config", "lr_scheduler_kwargs", "optim", "config", "fold"]
RECIPE_OPTIONS += ["eval_hop_seconds", "random_windows", "num_train_epochs", "no_such", "metric_for_best_model"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(RECIPE_OPTIONS), st.booleans(), VALUES), max_size=3))
def test_any_arguments_of_a_recipe_are_options_or_one_line(pairs):
    argv = ["--output_dir", "/no/such"]
    for name, dashed, value in pairs:
        argv += [f"--{name.replace('_', '-') if dashed else name}", value]
    with suppress(OptionError):
        parse_options(argv=argv)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (OptionError("--x is wrong"), 2, "mgc-hf: error: --x is wrong\n"),
        (LabelError("a \udcff"), 1, "mgc-hf: error: a \\udcff\n"),
        (WriteError("/x: cannot be written"), 1, "mgc-hf: error: /x: cannot be written\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "mgc-hf: error: /x: cannot be written (No space"),
        (KeyboardInterrupt(), 130, "mgc-hf: error: interrupted\n"),
    ],
)
def test_how_a_program_ends(error, status, told, capfd):
    def work():
        print("data \udcff")
        raise error

    with pytest.raises(SystemExit) as stop:
        run_and_leave(work, "mgc-hf: error")
    assert stop.value.code == status
    out, err = capfd.readouterr()
    assert out == "data \\udcff\n"
    assert err.startswith(told)


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_and_leave(lambda: 1 // 0, "mgc-hf: error")


def test_help_and_version(capsys):
    assert run(capsys, "--help")[0] == 0
    assert run(capsys, "predict", "--help")[0] == 0
    status, out, err = run(capsys)
    assert (status, out) == (2, "")
    assert "push-dataset" in err


def test_one_process_of_a_machine_tells_what_all_have(monkeypatch, capsys):
    def work():
        raise OptionError("--x is wrong")

    for rank, told in (("0", "error: --x is wrong\n"), ("1", "")):
        monkeypatch.setitem(os.environ, "LOCAL_RANK", rank)
        with pytest.raises(SystemExit):
            run_and_leave(work, "error")
        assert capsys.readouterr().err == told
