"""A data set's integrity, and the Hub: who is known there, and what the token may do."""

import os
import re
import shlex
from collections import Counter

from mgc_hf.doctor.findings import ERROR, OK, WARNING, Finding
from mgc_hf.errors import MgcHfError

_TIMEOUT = 10.0  # seconds
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def check_data(source: str, online: bool = False, cache_dir: str | None = None) -> list[Finding]:
    """Read every clip of a source once, as a run would.

    Args:
        source (`str`): As the recipes take it.
        online (`bool`, *optional*, defaults to `False`): Whether a Hub id may be looked up.
        cache_dir (`str`, *optional*): Where prepared data lie.
    """
    from mgc_hf.data.sources import DEMO, read_corpus

    if source != DEMO and not os.path.exists(source) and not online:
        if not _HUB_ID.fullmatch(source):
            return [Finding("data set", ERROR, f"{source}: no such file or folder", "mend the path")]
        text = f"{source}: no such file or folder; as a Hub id it was not looked up"
        return [Finding("data set", WARNING, text, f"mgc-hf doctor --online --dataset {source}")]
    try:
        corpus = read_corpus(source, cache_dir=cache_dir)
    except MgcHfError as error:
        return [Finding("data set", ERROR, str(error), "mend the source, or name another by --dataset")]
    names = corpus.dataset.features["genre"].names
    numbers = Counter(names[label] for label in corpus.dataset["genre"])
    text = f"{corpus.name}: {len(corpus.dataset)} clips; " + ", ".join(f"{name} {numbers[name]}" for name in names)
    found = [Finding("data set", OK, text)]
    few = [name for name in names if numbers[name] < 3]
    if few:
        cure = "more clips of them, or leave them out: three parts need three tracks of each genre"
        found.append(Finding("genres", WARNING, f"fewer than 3 clips: {', '.join(few)}", cure))
    if corpus.skipped:
        shown = "; ".join(f"{item.file}: {item.reason}" for item in corpus.skipped[:5])
        more = f" and {len(corpus.skipped) - 5} more" if len(corpus.skipped) > 5 else ""
        cure = f"mgc-hf audit --dataset {shlex.quote(source)} lists them all"
        found.append(Finding("faults", WARNING, f"{len(corpus.skipped)} left out: {shown}{more}", cure))
    return found


def check_hub() -> list[Finding]:
    """Ask the Hub whether it answers, who this is, and what the token may do. The token itself is never shown."""
    import huggingface_hub
    from huggingface_hub import HfApi, constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return [Finding("Hub", WARNING, "HF_HUB_OFFLINE is set: it is never asked", "unset HF_HUB_OFFLINE")]
    endpoint = constants.ENDPOINT
    try:
        answer = get_session().get(f"{endpoint}/api/models", params={"limit": 1}, timeout=_TIMEOUT)
        answer.raise_for_status()
    except Exception as error:  # of the HTTP library of the day
        text = f"{endpoint} does not answer ({type(error).__name__})"
        return [Finding("Hub", ERROR, text, "check the connection, a proxy (HTTPS_PROXY), and HF_ENDPOINT")]
    found = [Finding("Hub", OK, f"{endpoint} answers")]
    if huggingface_hub.get_token() is None:
        text = "none; public models and data are read without, nothing can be published"
        return [*found, Finding("token", WARNING, text, "hf auth login")]
    try:
        known = HfApi().whoami()
    except Exception as error:  # as above
        text = f"the Hub does not take it ({type(error).__name__})"
        return [*found, Finding("token", ERROR, text, "hf auth login, with a new token")]
    token = known.get("auth", {}).get("accessToken", {})
    role = str(token.get("role") or "of unknown scope")
    scopes = sorted(
        {
            permission
            for scope in (token.get("fineGrained") or {}).get("scoped", [])
            for permission in scope.get("permissions", [])
        }
    )
    writes = role == "write" or any(permission.endswith(".write") for permission in scopes)
    text = f"of {known.get('name')}, {role}" + (f" ({', '.join(scopes)})" if scopes else "")
    if not writes:
        return [
            *found,
            Finding("token", WARNING, f"{text}; it cannot publish", "hf auth login, with a token that writes"),
        ]
    return [*found, Finding("token", OK, text)]
