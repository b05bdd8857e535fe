"""What clients in processes of their own are told to run, and what they find."""

from pathlib import Path
from typing import Any

from tests.data.parquet_files import parquet

MGC_HF = ("-c", "from mgc_hf.cli.main import main; main()")
#: `mgc-hf push` without loading the model in another process first, which takes seconds and asks the Hub for nothing.
QUICK_PUSH = (
    "-c",
    "import mgc_hf.hub.pushing as p; p.try_folder = lambda folder: None; from mgc_hf.cli.main import main; main()",
    "push",
)

#: A machine where mgc_hf was never installed, whatever the path holds.
_WITHOUT = """
import sys
class _NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mgc_hf":
            raise ModuleNotFoundError("No module named 'mgc_hf'", name="mgc_hf")
sys.meta_path.insert(0, _NotInstalled())
"""

#: Every try to reach anything but this machine's own files ends here, and is counted.
_NO_NETWORK = """
import socket
TRIED = []
def _refuse(*args, **kwargs):
    TRIED.append(repr(args[-1] if args else kwargs))
    raise OSError(101, "this test has no network")
socket.socket.connect = socket.socket.connect_ex = _refuse
socket.getaddrinfo = socket.create_connection = _refuse
"""


def without_mgc_hf(code: str) -> tuple[str, ...]:
    """Return the command of a client that cannot import mgc_hf.

    `code` writes what it found as JSON on the last line of its output.
    """
    return ("-c", _WITHOUT + code)


#: Run pieces of code one after the other, and note what each came to; timed without what was imported before.
_EACH = """
import contextlib, io, json, sys, time
def _each(codes, tried):
    found = {}
    for name, code in codes.items():
        names, error, out = {}, None, io.StringIO()
        before, began = len(tried), time.monotonic()
        try:
            with contextlib.redirect_stdout(out):
                exec(code, names)
        except SystemExit as caught:
            error = ["SystemExit", str(caught.code)] if caught.code else None
        except BaseException as caught:
            error = [type(caught).__name__, str(caught)]
        found[name] = {"value": names.get("value"), "out": out.getvalue(), "error": error,
                       "seconds": time.monotonic() - began, "tried": tried[before:]}
    print()
    print(json.dumps(found))
"""


def each(imports: str, codes: dict[str, str]) -> tuple[str, ...]:
    """Return the command of a client that runs pieces of code, each for itself.

    Args:
        imports (`str`): What is not timed.
        codes (`dict[str, str]`): Name -> code.

    Returns:
        `tuple[str, ...]`: The last line of its output is JSON: for each name `value` (what the code left under that
        name), `out` (what it printed), `error` (class and text), `seconds`, and `tried`, the connections.
    """
    return ("-c", f"TRIED = []\n{_EACH}\n{imports}\n_each({codes!r}, TRIED)")


def each_without_network(imports: str, codes: dict[str, str]) -> tuple[str, ...]:
    """Return the command of a client as [`each`], which has no network and counts every try."""
    return ("-c", f"{_NO_NETWORK}\n{_EACH}\n{imports}\n_each({codes!r}, TRIED)")


def command(*words: str) -> str:
    """Return code that runs `mgc-hf`."""
    return f"import sys\nfrom mgc_hf.cli.main import main\nsys.argv = {['mgc-hf', *words]!r}\nmain()"


def publish_clips(api: Any, repo_id: str, folder: Path) -> None:
    """Put clips (`<genre>/<clip>.wav`) on the Hub as a data set of one Parquet file."""
    clips = sorted(folder.glob("*/*.wav"))
    genres = sorted({path.parent.name for path in clips})
    labels = [genres.index(path.parent.name) for path in clips]
    content = parquet([path.read_bytes() for path in clips], labels, names=genres)
    where = {"repo_id": repo_id, "repo_type": "dataset"}
    api().create_repo(**where)
    api().upload_file(path_or_fileobj=content, path_in_repo="data/train-00000-of-00001.parquet", **where)
