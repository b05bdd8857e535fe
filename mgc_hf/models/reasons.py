"""Why a model could not be had from the Hub, in words, whichever library asked it."""

from collections.abc import Iterator

#: In the text where the Hub could not be asked.
NOT_CACHED = "and it is not in the cache"


def why_not(error: BaseException, name: str) -> str | None:
    """Say why the Hub gave nothing.

    Args:
        error (`BaseException`): What huggingface_hub or transformers raised.
        name (`str`): Hub id.

    Returns:
        `str`, *optional*: Half a sentence on one line; `None` where the Hub is not the reason.
    """
    from huggingface_hub import constants, errors

    found = list(causes(error))

    def first(*kinds: type[BaseException]) -> BaseException | None:
        return next((cause for cause in found if isinstance(cause, kinds)), None)

    if first(errors.GatedRepoError):
        return f"access is gated; accept its conditions at {constants.ENDPOINT}/{name} and log in with `hf auth login`"
    if first(errors.RepositoryNotFoundError):
        return "the Hub has no such model, or it is private (then log in with `hf auth login`)"
    if first(errors.RevisionNotFoundError):
        return f"no such revision; see {constants.ENDPOINT}/{name}/tree/main"
    absent = f"{NOT_CACHED} ({constants.HF_HUB_CACHE})"
    away = first(errors.LocalEntryNotFoundError)
    if first(errors.OfflineModeIsEnabled) or (away and constants.HF_HUB_OFFLINE):
        return f"the Hub is switched off by HF_HUB_OFFLINE, {absent}"
    answer = first(errors.HfHubHTTPError)
    if isinstance(answer, errors.HfHubHTTPError) and answer.response.status_code == 401:
        return "the Hub does not know the token; log in again with `hf auth login`, or unset HF_TOKEN"
    if isinstance(answer, errors.HfHubHTTPError) and not isinstance(answer, errors.EntryNotFoundError):
        return f"the Hub at {constants.ENDPOINT} answers HTTP {answer.response.status_code}, {absent}"
    lost = first(errors.HTTPError) or away
    if lost is None or isinstance(lost, errors.RemoteEntryNotFoundError):
        return None
    said = (str(lost) or type(lost).__name__).splitlines()[0]
    return f"the Hub at {constants.ENDPOINT} cannot be reached ({said}), {absent}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, what it was raised from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
