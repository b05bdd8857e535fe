"""Where a push shall go: names, tags and tokens that cannot be, told before hours are spent or anything is sent."""

import logging
import re

from mgc_hf.errors import PublishError
from mgc_hf.hub.failures import explain, no_token
from mgc_hf.hub.waiting import limited_waiting

logger = logging.getLogger(__name__)

#: Seconds to wait for a busy Hub before a run, only to be told that the token is good.
_ASKING = 10.0


def check_target(repo_id: str, token: str | None = None) -> str:
    """Refuse, before hours are spent on a run, a name that cannot be, or a push without a token; the token.

    Raises:
        PublishError: Says what to do. Nothing is asked of the Hub.
    """
    from huggingface_hub import get_token

    check_name(repo_id)
    token = token or get_token()
    if not token:
        raise PublishError(f"{repo_id}: {no_token()}")
    return token


def check_account(repo_id: str, token: str | None = None) -> None:
    """Refuse, before hours are spent on a run, a name that cannot be and a token that the Hub does not let write.

    A Hub that cannot be asked now is only warned of: it may be there when the run ends.

    Raises:
        PublishError: Says what to do.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    token = check_target(repo_id, token)
    api = HfApi(token=token, library_name="mgc_hf")
    try:
        with limited_waiting(_ASKING):
            account = api.whoami()
    except Exception as error:
        told = explain(error, repo_id, api.endpoint)
        if told is None:
            raise
        if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
            raise told from error
        logger.warning("%s. The run goes on; publishing is tried when it has finished", told)
        return
    places = {account.get("name"), *(org.get("name") for org in account.get("orgs", []))}
    namespace = repo_id.split("/")[0]
    if namespace not in places:
        raise PublishError(
            f"{repo_id}: the token is of {account.get('name')}, who has no place in {namespace}; choose another namespace, "
            "or leave --push_to_hub out and publish later by `mgc-hf push`"
        )
    if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise PublishError(f"{repo_id}: the token may only read; make one with write access, `hf auth login`")


def check_name(repo_id: str) -> None:
    """Refuse what is no `namespace/name`.

    Raises:
        PublishError: Says what is wrong.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise PublishError(
            f"{repo_id}: is no name of a repository; give ORG/NAME, such as studio/lstm: letters, digits, -, _ and dots, no "
            "address"
        ) from error
    if "/" not in repo_id:
        raise PublishError(f"{repo_id}: name the user or organisation too, as in USER/{repo_id}")


def check_tag(tag: str | None, create_pr: bool) -> None:
    """Refuse, before anything is sent, a tag that cannot be made.

    Raises:
        PublishError: Says why.
    """
    if tag is None:
        return
    if create_pr:
        raise PublishError(f"--tag {tag}: a pull request is not part of the repository yet; tag it when it is merged")
    check_ref("--tag", tag)


def check_ref(option: str, name: str) -> None:
    """Refuse what git takes for no branch or tag.

    Raises:
        PublishError: Names the option.
    """
    if not name or re.search(r"[\s~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$", name):
        raise PublishError(f"{option} {name!r}: is no name that git takes; letters, digits, dots, - and _ do")
