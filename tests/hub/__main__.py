"""`python -m tests.hub --port N --root DIR`: a Hub on 127.0.0.1, with whatever lies in DIR."""

import argparse
from pathlib import Path

from tests.hub.server import serve

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, default=0, help="0 for any that is free (default)")
parser.add_argument("--root", type=Path, required=True, help="folder of the repositories; created if need be")
arguments = parser.parse_args()
serve(arguments.port, arguments.root)
