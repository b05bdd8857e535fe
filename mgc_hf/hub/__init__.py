"""The Hub: what of a folder is published, how it gets there in one commit, and what is said when it does not."""

from mgc_hf.hub.contents import PUBLISHED, list_contents
from mgc_hf.hub.fetching import fetch_files, patient_reading
from mgc_hf.hub.pushing import PushResult, check_target, push

__all__ = ["PUBLISHED", "PushResult", "check_target", "fetch_files", "list_contents", "patient_reading", "push"]
