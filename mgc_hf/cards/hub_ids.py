"""Which names are ids on the Hub."""


def is_hub_id(source: str) -> bool:
    """Whether a source or model name has the form of a Hub id, `owner/name`; local names have no slash."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(source)
    except HFValidationError:
        return False
    return source.count("/") == 1 and not source.startswith(".")
