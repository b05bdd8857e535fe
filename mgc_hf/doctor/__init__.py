"""What stands in the way of a run on this machine, and the command that mends it.

Each module looks at one subject and gives findings; `check_before_run` is the cheap part, which every recipe does first.
"""

from mgc_hf.doctor.environment import check_environment
from mgc_hf.doctor.findings import Finding, check_before_run
from mgc_hf.doctor.places import check_places
from mgc_hf.doctor.sound import check_sound
from mgc_hf.doctor.sources import check_data, check_hub

__all__ = [
    "Finding",
    "check_before_run",
    "check_data",
    "check_environment",
    "check_hub",
    "check_places",
    "check_sound",
]
