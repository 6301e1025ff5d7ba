"""The engine for OpenAI's batch API: requests go up in files, and come back within a day at half the price.

Requests wait until the caller has no more to add, and go into as few batches as the API's limits allow. Requests that
the caller adds when results have come, such as the verifications of new solutions, go into the next batches.

A batch that is paid for is never asked for again: its record is kept in the run before it is made, and a later process
reads its results. What failed in it cost nothing, and is asked for again.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Any

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.engines.base import Completion, Request, build_failed_completion
from isocompute.runners.engines.batch_client import BatchClient, RefusedError
from isocompute.runners.engines.batch_files import (
    MOST_BYTES,
    MOST_REQUESTS,
    BatchRequest,
    encode_batch_request,
    parse_result,
    parse_result_line,
    split_into_files,
)
from isocompute.runners.engines.batch_records import (
    BatchRecord,
    MemoryFiles,
    RecordFiles,
    encode_record,
    read_records,
)
from isocompute.runners.engines.batch_states import BatchState
from isocompute.runners.engines.options import POLL, SERVER_OPTIONS, find_bad_option
from isocompute.runners.engines.redaction import cut_message
from isocompute.runners.parsing.printable import format_count

OPENAI_URL = "https://api.openai.com/v1"

FULL_QUEUE_CODES = {"token_limit_exceeded", "request_limit_exceeded"}
"""Faults of a batch that is refused because others of the account are waiting."""

BatchOutcome = tuple[Request, Completion]


class OpenAIBatchEngine:
    """A model behind a batch API, as an `Engine`.

    It cannot search, because each step would wait for a batch of its own.

    Args:
        model: the name that the server gives the model.
        urls: the base URL.
        poll: seconds between two looks at the batches that are under way.
        retries: number of times a request is put into another batch after it failed, expired or was left out.
        timeout: seconds of silence after which a response is lost.
        patience: seconds of lost responses after which the engine gives up; the batches go on.
        backoff: most seconds of the first wait before a lost request is sent again; it doubles up to a minute.
        key_env: environment variable that holds the key; if it is not set, no key is sent.
        extra: fields of the request's body; they override those set here, and null removes a field.
        records: where the batches are written down; a run gives a folder of its own.
        note: prints a line; a batch may take a day, so each is named, and so is what becomes of it.

    Raises:
        ConfigError: an option is out of its range, or the URL is invalid.
    """

    most_requests, most_bytes = MOST_REQUESTS, MOST_BYTES

    def __init__(
        self,
        model: str,
        urls: str | Sequence[str] = OPENAI_URL,
        poll: float = 60.0,
        retries: int = 2,
        timeout: float = 600.0,
        patience: float = 900.0,
        backoff: float = 1.0,
        key_env: str = "OPENAI_API_KEY",
        extra: Mapping[str, Any] | None = None,
        records: RecordFiles | None = None,
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        what = "engine 'openai-batch'"
        if fault := find_bad_option((POLL, *SERVER_OPTIONS), {"poll": poll, "retries": retries}):
            raise ConfigError(f"The {what}: {fault}.")
        self.extra = dict(extra or {})
        json.dumps(self.extra)  # raises a TypeError now rather than during a run
        self.model, self.poll, self.retries, self.note = model, poll, retries, note
        self.records: RecordFiles = MemoryFiles() if records is None else records
        self.client = BatchClient(what, urls, timeout, patience, backoff, key_env)

    def run(self, pending: deque[Request]) -> Iterator[BatchOutcome]:
        """Put the requests of the queue into batches, and yield each with its completion when its batch has ended.

        Raises:
            EngineError: the server refuses the key, the model or the batches, or is silent; or a request continues a
                search.
            DataError: the record of a batch is damaged.
        """
        return BatchedRequests(self).run(pending)

    def close(self) -> None:
        """Close the connection; batches that are under way go on, and a later process reads their results."""
        self.client.close()


class BatchedRequests:
    """The requests of one call of an engine, and the batches that hold them.

    Args:
        engine: the engine.
    """

    def __init__(self, engine: OpenAIBatchEngine) -> None:
        self.engine, self.client = engine, engine.client
        self.waiting: dict[str, list[Request]] = {}
        """The requests without a completion, by name. Requests of the same name are the same draw."""
        self.to_send: deque[str] = deque()
        self.under_way: dict[str, BatchRecord] = {}
        """The batches that are to be read, by token."""
        self.holding: Counter[str] = Counter()
        """In how many batches that are to be read a request is."""
        self.earlier: dict[str, list[BatchRecord]] = {}
        """The batches of earlier calls, by the names of their requests."""
        self.attempts: Counter[str] = Counter()
        self.statuses: dict[str, str] = {}
        """The last status of each batch, by token."""
        self.queue_is_full = False

    def run(self, pending: deque[Request]) -> Iterator[BatchOutcome]:
        """Yield every request of the queue with its completion."""
        self._read_records()
        while True:
            self._take_requests(pending)
            self._send_batches()
            if not self.under_way:
                if not self.to_send:
                    return
                self.engine.note("the account's queue is full; waiting for its other batches to end")
                time.sleep(self.engine.poll)
                self.queue_is_full = False
                continue
            ended = False
            for record in list(self.under_way.values()):
                state = self._fetch_state(record)
                if state.is_ended:
                    ended, self.queue_is_full = True, False
                    yield from self._finish_batch(record, state)
            if not ended and not pending:
                time.sleep(self.engine.poll)

    def _read_records(self) -> None:
        """Read which batches were made before, and find those whose names never arrived by their tokens."""
        records = read_records(self.engine.records)
        if any(record.batch is None for record in records):
            made = {state.token: state.batch for state in self.client.list_batches()}  # the oldest of two stands last
            records = [replace(record, batch=record.batch or made.get(record.token)) for record in records]
        for record in records:
            for name in record.requests if record.batch is not None else ():
                self.earlier.setdefault(name, []).append(record)

    def _take_requests(self, pending: deque[Request]) -> None:
        """Take all requests from the queue; those in an earlier batch wait for it."""
        while pending:
            request = pending.popleft()
            if request.sampling.step is not None:
                raise EngineError(
                    "The engine 'openai-batch' cannot search, because each step would wait for a batch of its own; use "
                    "the engine 'openai'."
                )
            name = self._encode(request).name
            if name in self.waiting:
                self.waiting[name].append(request)
                continue
            self.waiting[name] = [request]
            for record in self.earlier.get(name, ()):
                self._follow_batch(record)
            if not self.holding[name]:
                self.to_send.append(name)

    def _encode(self, request: Request) -> BatchRequest:
        return encode_batch_request(request, self.engine.model, self.engine.extra)

    def _follow_batch(self, record: BatchRecord) -> None:
        if record.token not in self.under_way:
            when = "sent" if record.is_new else "sent before"
            self._note_batch(record, f"{format_count(len(record.requests), 'request')} {when}")
            self.under_way[record.token] = record
            self.holding.update(set(record.requests))

    def _send_batches(self) -> None:
        """Make batches of the requests that are in none."""
        if self.queue_is_full or not self.to_send:
            return
        names = sorted(self.to_send, key=lambda name: self.waiting[name][0].chat)  # one endpoint after the other
        encoded = (self._encode(self.waiting[name][0]) for name in names)
        for requests in split_into_files(encoded, self.engine.most_requests, self.engine.most_bytes):
            self._make_batch(requests)
        self.to_send.clear()

    def _make_batch(self, requests: list[BatchRequest]) -> None:
        """Write the record of a batch, make the batch, and write its name into the record."""
        record = BatchRecord(token_hex(8), [request.name for request in requests], is_new=True)
        records = self.engine.records
        try:
            file = self.client.send_file(f"{record.token}.jsonl", b"".join(request.line for request in requests))
            records.write_file(record.file, encode_record(record))
            made = self.client.make_batch(file, requests[0].path, record.token)
        except RefusedError as refused:
            raise EngineError(f"{refused}.") from None
        record = replace(record, batch=made.batch)
        records.write_file(record.file, encode_record(record))
        self._follow_batch(record)

    def _fetch_state(self, record: BatchRecord) -> BatchState:
        assert record.batch is not None, "only batches that were made are watched"
        try:
            state = self.client.fetch_batch(record.batch)
        except RefusedError as refused:
            raise self._explain_lost_batch(record, refused) from None
        if state.status != self.statuses.get(record.token):
            self.statuses[record.token] = state.status
            self._note_batch(record, state.status)
        return state

    def _note_batch(self, record: BatchRecord, what: str) -> None:
        self.engine.note(cut_message(self.client.redact_message(f"batch {record.batch}: {what}")))

    def _explain_lost_batch(self, record: BatchRecord, refused: RefusedError) -> EngineError:
        where = self.engine.records.describe_file(record.file)
        return EngineError(
            f"The results of the batch '{record.batch}' cannot be read: {refused}. Give the URL and key with which it "
            f"was made, or delete {where} to ask for its {len(record.requests):,} requests again."
        )

    def _finish_batch(self, record: BatchRecord, state: BatchState) -> Iterator[BatchOutcome]:
        """Yield what a batch that has ended brought; what failed waits for its other batches, or is sent again."""
        failed = dict.fromkeys(record.requests, build_failed_completion("the batch's results leave it out"))
        refused: set[str] = set()
        if state.status == "failed":
            failed, refused = self._read_faults(record, state)
        for name, completion, is_final in self._read_results(record, state):
            if completion.status == "ok":
                failed.pop(name, None)
                for request in self.waiting.pop(name, ()):
                    yield request, completion
            else:
                failed[name] = completion
                refused |= {name} if is_final and record.is_new else set()
        del self.under_way[record.token]
        self.holding.subtract(set(record.requests))
        for name, completion in failed.items():
            if name not in self.waiting or self.holding[name]:
                continue
            was_tried = record.is_new and state.status != "failed"
            if name in refused or (was_tried and self.attempts[name] >= self.engine.retries):
                for request in self.waiting.pop(name):
                    yield request, completion
            else:
                self.attempts[name] += was_tried
                self.to_send.append(name)

    def _read_results(self, record: BatchRecord, state: BatchState) -> Iterator[tuple[str, Completion, bool]]:
        """Yield the completions in a batch's files with the names of their requests, and whether a failure is final."""
        names = set(record.requests)
        for file in state.files:
            lines = self.client.download_lines(file, len(record.requests))
            while True:
                try:
                    line = next(lines, None)
                except RefusedError as refused:
                    raise self._explain_lost_batch(record, refused) from None
                if line is None:
                    break
                result = parse_result_line(line, self.client.redact_message)
                if result is not None and result.name in names and result.name in self.waiting:
                    request = self.waiting[result.name][0]
                    completion = parse_result(result, request, self.client.redact_message, self.client.redact_text)
                    yield result.name, completion, result.is_final

    def _read_faults(self, record: BatchRecord, state: BatchState) -> tuple[dict[str, Completion], set[str]]:
        """Return the completions of a batch that the server did not begin, by name, and those that it would refuse.

        Raises:
            EngineError: the server would refuse any batch of these requests.
        """
        failed = dict.fromkeys(record.requests, build_failed_completion("the batch was not begun"))
        if not record.is_new:
            return failed, set()
        if any(fault.code in FULL_QUEUE_CODES for fault in state.faults):
            self.queue_is_full = True
            if len(self.under_way) == 1:  # no other batch of this run is in the way, so it is too large by itself
                if len(record.requests) == 1:
                    raise EngineError(self._describe_fault(record, state))
                self.engine.most_requests = max(1, len(record.requests) // 2)
            return failed, set()
        lines = {fault.line: fault for fault in state.faults if fault.line and fault.line <= len(record.requests)}
        if not lines:
            raise EngineError(self._describe_fault(record, state))
        for line, fault in lines.items():
            why = cut_message(self.client.redact_message(f"{fault.code}: {fault.message}"))
            failed[record.requests[line - 1]] = build_failed_completion(f"refused: {why}")
        return failed, {record.requests[line - 1] for line in lines}

    def _describe_fault(self, record: BatchRecord, state: BatchState) -> str:
        words = "; ".join(f"{fault.code}: {fault.message}" for fault in state.faults) or "it does not say why"
        why = cut_message(self.client.redact_message(words))
        return f"{self.client.server.url} did not begin the batch '{record.batch}' ({why})."
