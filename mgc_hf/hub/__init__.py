"""The Hub: what of a folder is published, how it gets there in one commit, and what is said when it does not."""

from mgc_hf.hub.contents import PUBLISHED, list_contents
from mgc_hf.hub.pushing import PushResult, push

__all__ = ["PUBLISHED", "PushResult", "list_contents", "push"]
