"""Several processes as one run: accelerate is the engine, here is what a run says to it and asks of it."""

from mgc_hf.distributed.contact import contact
from mgc_hf.distributed.group import join, leave
from mgc_hf.distributed.launch import check_launch
from mgc_hf.distributed.together import in_turn, on_main, raise_together, same_everywhere

__all__ = ["check_launch", "contact", "in_turn", "join", "leave", "on_main", "raise_together", "same_everywhere"]
