"""The bodies of requests: how large each may be, how slow, and how much memory all of them take together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from isocompute.runners.documents import estimate_json_bytes
from isocompute.serving.endpoint.errors import OVERLOADED, TIMEOUT, ApiError
from isocompute.serving.endpoint.memory import MemoryShare

MOST_BODY_BYTES = 8 * 2**20
MOST_DISCARDED_BYTES = 8 * MOST_BODY_BYTES
"""Bytes of a body that are received at most. A client that is still sending would not see the answer otherwise."""

MOST_BODIES_BYTES = 256 * 2**20
"""Bytes that the bodies of all open requests take: those being received, and the values of those that are answered."""

MOST_BODY_VALUES_BYTES = 128 * 2**20
"""Bytes of memory that the text and the values of one body may take."""

BODY_SECONDS = 30.0
"""Seconds within which a body must have arrived."""

RETRY_SECONDS = 2

Receive = Callable[[], Awaitable[Any]]


class ClientGoneError(Exception):
    """The client closed the connection."""


async def read_limited_body(receive: Receive, headers: Mapping[str, str], share: MemoryShare) -> bytes:
    """Return the body of a request; one that is refused is received and thrown away.

    Args:
        receive: returns the next part of it.
        headers: the request's headers, names in lower case.
        share: the memory for it, and for its values once it is complete.

    Raises:
        ApiError: 413, it is too large; 408, it does not arrive in time; 503, the bodies of all requests are too large.
        ClientGoneError: the client went away.
    """
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise ApiError(400, "The length of the body is not a number.", code="invalid_http")
    content = bytearray()
    received = 0
    refusal = build_size_error() if int(length[:20]) > MOST_BODY_BYTES else None
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while received <= MOST_DISCARDED_BYTES:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                part = message.get("body", b"")
                received += len(part)
                if refusal is None and received > MOST_BODY_BYTES:
                    refusal = build_size_error()
                elif refusal is None and not share.set_size(received):
                    refusal = build_full_error()
                if refusal is None:
                    content += part
                else:
                    content.clear()
                    share.set_size(0)
                if not message.get("more_body"):
                    break
    except TimeoutError:
        raise ApiError(408, f"The body did not arrive within {BODY_SECONDS:g} s.", TIMEOUT, code="slow_body") from None
    if refusal is not None:
        raise refusal
    needed = estimate_json_bytes(content)
    if needed > MOST_BODY_VALUES_BYTES:
        raise ApiError(413, "The body holds too many values.", code="body_too_large")
    if not share.set_size(needed):
        raise build_full_error()
    return bytes(content)


def build_size_error() -> ApiError:
    """Return the error of a body that is too large."""
    return ApiError(413, f"The body is larger than {MOST_BODY_BYTES:,} bytes.", code="body_too_large")


def build_full_error() -> ApiError:
    """Return the error of a body for which the other requests leave no memory."""
    return ApiError(
        503, "The requests under way are too large together; try again later.", OVERLOADED, code="bodies_too_large",
        retry_after=RETRY_SECONDS,
    )  # fmt: skip
