"""The Hub: what of a folder is published, how it gets there in one commit, and what is said when it does not."""

from mgc_hf.hub.committing import PushResult
from mgc_hf.hub.contents import PUBLISHED, list_contents
from mgc_hf.hub.dataset import push_dataset
from mgc_hf.hub.fetching import fetch_files, find_run, patient_reading
from mgc_hf.hub.pushing import push
from mgc_hf.hub.space import push_space
from mgc_hf.hub.targets import check_account

__all__ = [
    "PUBLISHED",
    "PushResult",
    "check_account",
    "fetch_files",
    "find_run",
    "list_contents",
    "patient_reading",
    "push",
    "push_dataset",
    "push_space",
]
