"""`mgc-hf compare`: two runs on the test tracks that they share."""

import json
import sys
from typing import Annotated

import typer


def compare_command(
    first: Annotated[
        str, typer.Argument(metavar="A", help="Folder of a run, or ORG/NAME (ORG/NAME@REVISION) on the Hub.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The other run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON and nothing else.")] = False,
) -> None:
    """Compare two runs of one protocol on the test tracks that they share, from their predictions.

    Exit status: 0 when they were compared, whatever came out; 1 when they could not be, 2 for wrong usage.
    """
    from mgc_hf.comparison.pair import compare

    result = compare(first, second)
    if as_json:
        json.dump(result.to_dict(), sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
        sys.stdout.write("\n")
    else:
        print(result.summary())
