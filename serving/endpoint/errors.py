"""Errors in the form in which OpenAI's API sends them."""

from __future__ import annotations

from typing import Any

INVALID = "invalid_request_error"
OVERLOADED = "rate_limit_error"
UPSTREAM = "upstream_error"
TIMEOUT = "timeout_error"
AUTHENTICATION = "authentication_error"

REFUSED = "upstream_refused"
"""The code of a request that a server behind refuses."""


class ApiError(Exception):
    """A request that is not answered: its HTTP status, and the fields of the body.

    Args:
        status: HTTP status, 400 … 599.
        message: one sentence for the client.
        kind: the field ``type``.
        param: the field of the request that is wrong; None if it is none.
        code: a short name of the error.
        retry_after: whole seconds after which the client may try again; None if it says nothing.
    """

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind = status, message, kind
        self.param, self.code, self.retry_after = param, code, retry_after

    def to_body(self) -> dict[str, Any]:
        """Return the JSON body.

        >>> ApiError(400, "n must be 1 or more.", param="n").to_body()["error"]["type"]
        'invalid_request_error'
        """
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def to_headers(self) -> dict[str, str]:
        """Return the headers that belong to it."""
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}


class LostCallError(Exception):
    """A call without a whole answer; another server may give one."""

    def __init__(self, why: str, wait: float | None = None, gone: bool = False, status: int = 502) -> None:
        super().__init__(why)
        self.wait, self.gone, self.status = wait, gone, status
