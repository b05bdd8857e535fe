"""What clients in processes of their own are told to run."""

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


def without_network(imports: str, code: str) -> tuple[str, ...]:
    """Return the command of a client that is off line, and says what it tried.

    `imports` is what is not timed. The last line of its output is JSON: `value` (what `code` left under that name),
    `error` (class and text), `seconds` of `code` alone, and `tried`, the connections.
    """
    timed = "\n    ".join(code.strip().splitlines())
    return (
        "-c",
        f"""{_NO_NETWORK}
import json, logging, sys, time
{imports}
value = error = None
began = time.monotonic()
try:
    {timed}
except BaseException as caught:
    error = [type(caught).__name__, str(caught) or str(getattr(caught, "code", ""))]
print()
print(json.dumps({{"value": value, "error": error, "seconds": time.monotonic() - began, "tried": TRIED}}))
""",
    )
