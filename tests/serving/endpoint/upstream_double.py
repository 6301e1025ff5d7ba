"""A test double of an OpenAI-compatible server, and of one that harms a share of what it is asked."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Say = Callable[[dict[str, Any], int], str]
"""A function of a request's body and of how many came before it; returns the text."""


@dataclass
class Seen:
    """What the double saw: bodies and headers, and how its calls ended."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    sent_tokens: int = 0
    running: int = 0
    most_running: int = 0


def say_seven(body: dict[str, Any], number: int) -> str:
    return "I count. The answer is \\boxed{7}."


class UpstreamDouble:
    """A scripted server on loopback, in a thread of its own. A word of its text is a token and a chunk.

    Args:
        say: what it says.
        seconds: time of a whole text, or a function of the text that returns it.
        owner: the field ``owned_by`` of its model.
        harm: kinds of faults, each of which befalls a tenth of the calls.
        port: where it listens; 0 for any.
    """

    KINDS = ("drop", "delay", "429", "500", "truncate")

    def __init__(
        self,
        say: Say = say_seven,
        seconds: float | Callable[[str], float] = 0.0,
        owner: str = "double",
        harm: tuple[str, ...] = (),
        seed: int = 0,
        models: tuple[str, ...] = ("double",),
        port: int = 0,
    ) -> None:
        self.say, self.seconds, self.owner, self.harm, self.models = say, seconds, owner, harm, models
        self.rng, self.seen, self.status = random.Random(seed), Seen(), 200
        self.harmed: Counter[str] = Counter()
        self.loop = asyncio.new_event_loop()
        self.port = port
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Listen, at the port of before if there was one."""
        self.writers: set[asyncio.StreamWriter] = set()
        opening = asyncio.start_server(self._hold_connection, "127.0.0.1", self.port)
        self.server = asyncio.run_coroutine_threadsafe(opening, self.loop).result()
        self.port = self.server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Close the port, and break off every connection, as a killed server does."""

        async def close_all() -> None:
            self.server.close()
            for writer in list(self.writers):
                writer.transport.abort()

        asyncio.run_coroutine_threadsafe(close_all(), self.loop).result()

    def close(self) -> None:
        self.stop()

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _hold_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                request, *lines = head.strip().split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
                content = await reader.readexactly(int(headers.get("content-length", 0)))
                path = request.split()[1]
                if path == "/v1/models":
                    data = [{"id": name, "object": "model", "owned_by": self.owner} for name in self.models]
                    self._write_json(writer, 200, {"object": "list", "data": data})
                elif not await self._answer(json.loads(content), headers, reader, writer):
                    break
                await writer.drain()
        self.writers.discard(writer)
        writer.close()

    async def _answer(self, body, headers, reader, writer) -> bool:
        seen = self.seen
        number = len(seen.bodies)
        seen.bodies.append(body)
        seen.headers.append(headers)
        kind = self.rng.choice([*self.harm, *["none"] * (10 - len(self.harm))])
        self.harmed[kind] += 1
        if self.status != 200 or kind in ("429", "500"):
            status = int(kind) if kind in ("429", "500") else self.status
            self._write_json(writer, status, {"error": {"message": "scripted", "code": None}}, {"Retry-After": "0.02"})
            return True
        if kind == "drop":
            return False
        seen.running += 1
        seen.most_running = max(seen.most_running, seen.running)
        leaving = asyncio.ensure_future(reader.read(1))
        end = "abandoned"
        try:
            if kind == "delay":
                await asyncio.wait({leaving}, timeout=0.2)
            end = await self._send_text(body, self.say(body, number), writer, leaving, kind == "truncate")
        finally:
            seen.running -= 1
            seen.ends[end] += 1
            leaving.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await leaving
        return end == "finished"

    async def _send_text(self, body, text, writer, leaving, cut: bool) -> str:
        words = [word + " " for word in text.split(" ")]
        words[-1] = words[-1][:-1]
        seconds = self.seconds(text) if callable(self.seconds) else self.seconds
        chat = "messages" in body
        usage = {"prompt_tokens": 5, "completion_tokens": len(words), "total_tokens": 5 + len(words)}
        if not body.get("stream"):
            await asyncio.wait({leaving}, timeout=seconds)
            if leaving.done():
                return "abandoned"
            message = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
            choices = [{"index": i, "finish_reason": "stop", **message} for i in range(body.get("n", 1))]
            self._write_json(writer, 200, {"id": "double", "choices": choices, "usage": usage}, cut=cut)
            self.seen.sent_tokens += len(words)
            return "cut" if cut else "finished"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        head = {"id": "double", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        options = body.get("stream_options") or {}
        for i, word in enumerate(words):
            if seconds:
                await asyncio.wait({leaving}, timeout=seconds / len(words))
            if leaving.done():
                return "abandoned"
            if cut and i == len(words) // 2:
                return "cut"
            piece = {"delta": {"content": word}} if chat else {"text": word}
            event = {**head, "choices": [{"index": 0, "finish_reason": None, **piece}]}
            if options.get("continuous_usage_stats"):
                event["usage"] = {"prompt_tokens": 5, "completion_tokens": i + 1}
            self._write_event(writer, event)
            self.seen.sent_tokens += 1
        last = {"delta": {}} if chat else {"text": ""}
        self._write_event(writer, {**head, "choices": [{"index": 0, "finish_reason": "stop", **last}]})
        if options.get("include_usage"):
            self._write_event(writer, {**head, "choices": [], "usage": usage})
        self._write_chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        return "finished"

    def _write_event(self, writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
        self._write_chunk(writer, b"data: " + json.dumps(event).encode() + b"\n\n")

    def _write_chunk(self, writer: asyncio.StreamWriter, content: bytes) -> None:
        writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def _write_json(self, writer, status, value, headers=None, cut: bool = False) -> None:
        content = json.dumps(value).encode()
        lines = [f"HTTP/1.1 {status} Scripted", "Content-Type: application/json", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (content[: len(content) // 2] if cut else content))
