"""An answer that is an error, as the Hub words it."""


class HubError(Exception):
    """Raised by whatever answers a request; becomes the answer.

    Args:
        status (`int`): HTTP status.
        message (`str`): For `X-Error-Message` and the body.
        code (`str`, *optional*): For `X-Error-Code`: clients decide by it first.
        headers (`dict[str, str]`, *optional*): More headers.
        body (`dict`, *optional*): More of the body.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        body: dict | None = None,
    ):
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.headers, self.body = headers or {}, body or {}
