"""Connections to clients, with limits on the size of headers and on the time that they take."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from isocompute.serving.endpoint.errors import TIMEOUT, ApiError

MOST_HEADER_BYTES = 64 * 2**10
HEADER_SECONDS = 15.0
"""Seconds from the first byte of a connection or a request until its headers are complete."""

REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class LimitedProtocol(HttpToolsProtocol):
    """The HTTP protocol of uvicorn, which itself takes headers of any size, for any time."""

    header_bytes = 0
    header_timer: asyncio.TimerHandle | None = None
    is_reading_headers = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time of the first headers."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of headers; refuse them when they are too many."""
        if self.is_reading_headers:
            if self.header_timer is None:
                self._start_timer()
            self.header_bytes += len(data)
        super().data_received(data)
        # What was counted may hold a body too; only headers that are not complete by now are too long.
        if self.is_reading_headers and self.header_bytes > MOST_HEADER_BYTES:
            self.refuse_request(ApiError(431, "The headers are too large.", code="headers_too_large"))

    def on_message_begin(self) -> None:
        """Begin to read headers."""
        self.is_reading_headers = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the time of the headers; those that came in one piece are measured here."""
        self._stop_timer()
        self.is_reading_headers, self.header_bytes = False, 0
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MOST_HEADER_BYTES:
            self.refuse_request(ApiError(431, "The headers are too large.", code="headers_too_large"))
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, unless the request was refused."""
        if self.cycle is not None and not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; what follows are the headers of the next one."""
        self.is_reading_headers = True
        if self.cycle is not None and not self.transport.is_closing():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request, in the form of every other error."""
        self.refuse_request(ApiError(400, "The request is not valid HTTP.", code="invalid_http"))

    def refuse_request(self, error: ApiError) -> None:
        """Send an error, and close the connection."""
        if self.transport is None or self.transport.is_closing():
            return
        body = json.dumps(error.to_body()).encode()
        head = f"HTTP/1.1 {error.status} {REASONS[error.status]}\r\ncontent-type: application/json\r\n"
        head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _start_timer(self) -> None:
        self.header_timer = self.loop.call_later(HEADER_SECONDS, self._refuse_slow)

    def _stop_timer(self) -> None:
        if self.header_timer is not None:
            self.header_timer.cancel()
            self.header_timer = None

    def _refuse_slow(self) -> None:
        self.header_timer = None
        self.refuse_request(ApiError(408, "The headers took too long.", TIMEOUT, code="slow_headers"))


def list_uvicorn_settings() -> dict[str, Any]:
    """Return the settings of uvicorn that every server here has."""
    return {"http": LimitedProtocol, "ws": "none", "server_header": False, "access_log": False, "lifespan": "on"}
