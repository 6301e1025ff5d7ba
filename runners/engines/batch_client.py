"""A client of OpenAI's batch API: it uploads files, makes batches, asks for their state and downloads their results.

Everything is sent again after a lost response, until the server has been silent for too long. Making a batch is the one
request whose repetition would cost money. So each batch carries a token in its metadata, and after a lost response the
server's list of batches is searched for the token before the batch is made again.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.documents import parse_answer_json
from isocompute.runners.engines.batch_states import (
    TOKEN_KEY,
    BatchState,
    encode_name,
    parse_batch,
    parse_page,
    read_name,
)
from isocompute.runners.engines.openai_protocol import parse_error_message
from isocompute.runners.engines.options import SERVER_OPTIONS, find_bad_option
from isocompute.runners.engines.redaction import (
    RedactingFilter,
    build_redactor,
    build_text_redactor,
    cut_message,
    redact_message,
)
from isocompute.runners.engines.server_client import CONNECT_SECONDS, RETRIED_STATUSES, LostResponseError
from isocompute.runners.engines.servers import check_proxies, draw_backoff, parse_retry_after, parse_servers

COMPLETION_WINDOW = "24h"
"""The time within which the server is asked to finish a batch; the API knows no other."""


LONGEST_ANSWER_BYTES = 2**24
"""Bytes of the longest response that is read, files of results aside."""

LONGEST_FILE_BYTES = 2**34
"""Bytes of the longest file of results that is downloaded."""

SPARE_LINES = 1000
"""The lines of a file of results that are read beyond two for each request."""

SLOWEST_BYTES = 2**14
"""Bytes a second of a response that takes longer than the timeout."""

MOST_BATCHES = 100_000
"""The most batches of a server's list that are read."""

LONGEST_LINE_BYTES = 2**28
"""Bytes of the longest line of results that is read."""

MEMORY_BYTES = 2**24
"""Bytes of a downloaded file that are kept in memory; longer ones wait on disk."""

Answer = TypeVar("Answer")


class RefusedError(Exception):
    """A request that the server refuses, and would refuse again; ``status`` is the HTTP status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class BatchClient:
    """A client of the batch API of one server.

    Args:
        what: what uses it, for errors, such as ``engine 'openai-batch'``.
        urls: the base URL.
        timeout: seconds of silence after which a response is lost.
        patience: seconds of lost responses after which the client gives up.
        backoff: most seconds of the first wait before a request is sent again; it doubles up to a minute.
        key_env: environment variable that holds the key; if it is not set, no key is sent.

    Raises:
        ConfigError: an option is out of its range, or the URL is invalid.
    """

    def __init__(self, what: str, urls: Any, timeout: float, patience: float, backoff: float, key_env: str) -> None:
        servers, secrets = parse_servers(urls, key_env, what)
        check_proxies(what)
        if len(servers) > 1:
            raise ConfigError(f"The {what} takes one URL, because a batch is known to one server; got {len(servers)}.")
        numbers = {"timeout": timeout, "patience": patience, "backoff": backoff}
        if fault := find_bad_option(SERVER_OPTIONS, numbers):
            raise ConfigError(f"The {what}: {fault}.")
        (self.server,) = servers
        self.what, self.patience, self.backoff, self.key_env = what, patience, backoff, key_env
        self.timeout = timeout
        redact = build_redactor(secrets)
        self.redact_message: Callable[[str], str] = lambda words: redact_message(words, redact)
        self.redact_text = build_text_redactor(secrets)
        self.rng = random.Random()  # for the waits only
        self.log_filter = RedactingFilter(redact)
        self.log_filter.start_redaction()
        limits = httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout))
        self.http = httpx.Client(headers=self.server.headers, timeout=limits, follow_redirects=False)

    def close(self) -> None:
        """Close the connection."""
        self.http.close()
        self.log_filter.stop_redaction()

    def send_file(self, name: str, content: bytes) -> str:
        """Upload the file of a batch, and return the server's name of it.

        Raises:
            EngineError: the server refuses it, or is silent.
        """
        files = {"file": (name, content, "application/jsonl")}
        purpose = {"purpose": "batch"}
        return self._retry_lost(lambda: read_name(self._request_json("POST", "/files", data=purpose, files=files)))

    def make_batch(self, file: str, path: str, token: str) -> BatchState:
        """Make a batch of an uploaded file, once, whatever becomes of the responses.

        Args:
            file: the server's name of the file.
            path: the path of its requests, under the base URL.
            token: the token by which the batch is found again.

        Raises:
            EngineError: the server refuses it, or is silent.
        """
        body: dict[str, Any] = {"input_file_id": file, "endpoint": f"/v1{path}", "completion_window": COMPLETION_WINDOW}
        body["metadata"] = {TOKEN_KEY: token}
        lost = False

        def find_made() -> BatchState | None:
            nonlocal lost
            lost = True
            return next(iter(self.find_batches(token)), None)

        made = self._retry_lost(lambda: parse_batch(self._request_json("POST", "/batches", json=body)), find_made)
        for other in self.find_batches(token) if lost else ():
            if other.batch != made.batch and not other.is_ended:
                self.stop_batch(other.batch)
        return made

    def stop_batch(self, batch: str) -> None:
        """Cancel a batch.

        Raises:
            RefusedError: it has ended.
            EngineError: the server refuses the key, or is silent.
        """
        self._retry_lost(lambda: self._request_json("POST", f"/batches/{encode_name(batch)}/cancel"))

    def find_batches(self, token: str) -> list[BatchState]:
        """Return the batches with a token; usually none or one, the oldest first.

        Raises:
            EngineError: the server refuses to list its batches, or is silent.
        """
        return [state for state in self.list_batches() if state.token == token][::-1]

    def list_batches(self) -> Iterator[BatchState]:
        """Yield the batches that the server knows, the newest first, up to `MOST_BATCHES`."""
        where, listed = {"limit": "100"}, 0
        while listed < MOST_BATCHES:
            page, more = self._retry_lost(lambda: parse_page(self._request_json("GET", "/batches", params=where)))
            yield from page
            listed += len(page)
            if not page or not more or page[-1].batch == where.get("after"):
                return
            where["after"] = page[-1].batch

    def fetch_batch(self, batch: str) -> BatchState:
        """Return the state of a batch.

        Raises:
            RefusedError: the server does not know it.
            EngineError: the server refuses the key, or is silent.
        """
        return self._retry_lost(lambda: parse_batch(self._request_json("GET", f"/batches/{encode_name(batch)}")))

    def download_lines(self, file: str, requests: int) -> Iterator[bytes]:
        """Download a file, and yield its lines, about one for each request; one that is too long is cut.

        Args:
            file: the server's name of it.
            requests: the number of requests in the batch.

        Raises:
            RefusedError: the server does not know the file.
            EngineError: the server refuses the key, or is silent.
        """
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as kept:

            def download() -> None:
                kept.seek(0)
                kept.truncate()
                with self._open("GET", f"/files/{encode_name(file)}/content") as answer:
                    for piece in self._read_pieces(answer, min(LONGEST_FILE_BYTES, requests * LONGEST_ANSWER_BYTES)):
                        kept.write(piece)

            self._retry_lost(download)
            kept.seek(0)
            for _ in range(2 * requests + SPARE_LINES):
                if not (line := kept.readline(LONGEST_LINE_BYTES)):
                    return
                yield line

    def _retry_lost(self, send: Callable[[], Answer], recover: Callable[[], Answer | None] = lambda: None) -> Answer:
        """Return what a request returns, sent again after each lost response unless ``recover`` finds what it did.

        Raises:
            RefusedError: the server refuses it.
            EngineError: the server was silent for too long.
        """
        began, attempt = time.monotonic(), 0
        while True:
            try:
                return send()
            except LostResponseError as lost:
                attempt += 1
                wait = max(draw_backoff(attempt, self.backoff, self.rng), lost.wait or 0.0)
                if time.monotonic() + wait - began > self.patience:
                    raise EngineError(
                        f"Nothing came from {self.server.url} within {self.patience:g} s; the last failure: {lost}. "
                        "The batches go on there; sweep again to read their results."
                    ) from None
            time.sleep(wait)
            if attempt and (found := recover()) is not None:
                return found

    def _request_json(self, method: str, path: str, **content: Any) -> Any:
        """Send a request once, and return the JSON of the response.

        Raises:
            LostResponseError: it may be sent again.
            RefusedError: it would be refused again.
            EngineError: no other request would succeed either.
        """
        with self._open(method, path, **content) as answer:
            read = b"".join(self._read_pieces(answer, LONGEST_ANSWER_BYTES))
            try:
                return parse_answer_json(read)
            except ValueError:
                raise LostResponseError("an answer that does not follow the protocol") from None

    def _read_pieces(self, answer: httpx.Response, most: int) -> Iterator[bytes]:
        """Yield the body of a response.

        Raises:
            LostResponseError: it is longer than ``most`` bytes, or comes too slowly to end.
        """
        read, began = 0, time.monotonic()
        for piece in answer.iter_bytes():
            read += len(piece)
            seconds = time.monotonic() - began
            if read > most:
                raise LostResponseError(f"an answer of more than {most:,} bytes")
            if seconds > self.timeout and read < SLOWEST_BYTES * seconds:
                raise LostResponseError(f"an answer of which {read:,} bytes came in {seconds:.0f} s")
            yield piece

    @contextmanager
    def _open(self, method: str, path: str, **content: Any) -> Iterator[httpx.Response]:
        """Send a request once, and yield a response that says that it succeeded; raises as `_request_json`."""
        try:
            with self.http.stream(method, self.server.url + path, **content) as answer:
                if not answer.is_success:
                    self._refuse(answer, path)
                yield answer
        except (httpx.RequestError, httpx.StreamError) as error:
            raise LostResponseError(self.redact_message(str(error)) or type(error).__name__) from None

    def _refuse(self, answer: httpx.Response, path: str) -> None:
        said = b"".join(self._read_pieces(answer, LONGEST_ANSWER_BYTES))
        # Not `answer.text`: its encoding is named by the server, and 'base64' does not decode to text.
        words = self.redact_message(parse_error_message(said.decode("utf-8", "replace")))
        message = f"HTTP {answer.status_code}: {cut_message(words or self.redact_message(answer.reason_phrase))}"
        if answer.status_code in RETRIED_STATUSES or answer.is_server_error:
            raise LostResponseError(message, parse_retry_after(answer.headers.get("Retry-After"), time.time()))
        if answer.status_code in (401, 403):
            key = "rejects the key" if self.server.headers else "requires a key"
            raise EngineError(
                f"{self.server.url} {key}; it is read from the environment variable {self.key_env} ({message})."
            )
        raise RefusedError(answer.status_code, f"{self.server.url}{path} refuses the {self.what} ({message})")
