"""Entry point of `mgc-hf`. Imports neither torch nor transformers, so that `mgc-hf --help` is quick."""

import logging
import sys
from typing import Annotated, Any

import typer

from mgc_hf.cli.audit import audit_command
from mgc_hf.cli.compare import compare_command
from mgc_hf.cli.demo_app import demo_app_command
from mgc_hf.cli.doctor import doctor_command
from mgc_hf.cli.evaluate import evaluate_command
from mgc_hf.cli.export import export_command
from mgc_hf.cli.leaving import run_and_leave
from mgc_hf.cli.predict import predict_command
from mgc_hf.cli.push import push_command
from mgc_hf.cli.push_dataset import push_dataset_command
from mgc_hf.cli.rerun import rerun_command
from mgc_hf.cli.spelling import BothSpellings
from mgc_hf.errors import OptionError

app = typer.Typer(
    cls=BothSpellings,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Use, judge and publish music genre classifiers trained with mgc_hf. Training is done by the recipes.",
)
app.command("predict")(predict_command)
app.command("evaluate")(evaluate_command)
app.command("push")(push_command)
app.command("push-dataset")(push_dataset_command)
app.command("demo-app")(demo_app_command)
app.command("rerun")(rerun_command)
app.command("compare")(compare_command)
app.command("audit")(audit_command)
app.command("doctor")(doctor_command)
app.command("export")(export_command)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from mgc_hf import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; an error that the user can mend is printed as one line on standard error.

    Exit status: 0 when all went well, 1 when something failed, 2 for wrong usage, 130 after Ctrl-C.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("huggingface_hub").propagate = False  # it has a handler of its own
    run_and_leave(_run, "mgc-hf: error")


def _run() -> int | None:
    try:
        return app(prog_name="mgc-hf", standalone_mode=False)
    except typer.Abort:
        return 1
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer keeps the types of wrong usage to itself
            raise
        usage: Any = error
        text = usage.format_message().strip()
        if not sys.argv[1:]:
            print(text, file=sys.stderr)  # the help
            return 2
        command = usage.ctx.command_path if usage.ctx else "mgc-hf"
        raise OptionError(f"{' '.join(text.split()).rstrip('.')}; {command} --help lists what there is") from error
