"""The highest memory of a process, for the other benchmarks."""

import re
import resource
import sys
from pathlib import Path


def peak_mib() -> float:
    """Return the highest resident memory of this process so far, MiB.

    On Linux from `/proc`: `ru_maxrss` would begin with what the parent held when it started this process.
    """
    if sys.platform == "linux":
        return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
