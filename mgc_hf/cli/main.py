"""Entry point of `mgc-hf`. Imports neither torch nor transformers, so that `mgc-hf --help` is quick."""

import logging
import sys
from typing import Annotated

import typer

from mgc_hf.cli.audit import audit_command
from mgc_hf.cli.compare import compare_command
from mgc_hf.cli.demo_app import demo_app_command
from mgc_hf.cli.evaluate import evaluate_command
from mgc_hf.cli.export import export_command
from mgc_hf.cli.predict import predict_command
from mgc_hf.cli.push import push_command
from mgc_hf.cli.push_dataset import push_dataset_command
from mgc_hf.cli.rerun import rerun_command
from mgc_hf.cli.spelling import BothSpellings
from mgc_hf.errors import MgcHfError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Use, judge and publish music genre classifiers trained with mgc_hf. Training is done by the recipes.",
)
app.command("predict", cls=BothSpellings)(predict_command)
app.command("evaluate", cls=BothSpellings)(evaluate_command)
app.command("push", cls=BothSpellings)(push_command)
app.command("push-dataset", cls=BothSpellings)(push_dataset_command)
app.command("demo-app", cls=BothSpellings)(demo_app_command)
app.command("rerun", cls=BothSpellings)(rerun_command)
app.command("compare", cls=BothSpellings)(compare_command)
app.command("audit", cls=BothSpellings)(audit_command)
app.command("export", cls=BothSpellings)(export_command)


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

    Exit status: 0 when all went well, 1 when something failed, 2 for wrong usage.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("huggingface_hub").propagate = False  # it has a handler of its own
    try:
        app()
    except MgcHfError as error:
        print(f"mgc-hf: error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
