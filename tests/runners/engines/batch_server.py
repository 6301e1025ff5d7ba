"""A test double of OpenAI's batch API on loopback: files, batches, their states and results, and faults on demand."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

STATES = ("validating", "in_progress", "finalizing")
MOST_REQUESTS = 50_000


def write_text(body: dict) -> dict:
    """The response to a request of a batch: a text that follows from prompt and seed, a token a character."""
    chat = "messages" in body
    prompt = body["messages"][0]["content"] if chat else body["prompt"]
    rng = random.Random(repr((prompt, body.get("seed") if body["temperature"] else 0)))
    return build_response(body, "".join(rng.choice("abcdef ") for _ in range(40)) + ".")


def build_response(body: dict, text: str) -> dict:
    """The response that gives a text, ended by the request's stop strings and limit."""
    ends = [text.index(stop) for stop in body.get("stop", ()) if stop in text]
    text, reason = text[: min(ends, default=len(text))], "stop"
    if len(text) > body["max_tokens"]:
        text, reason = text[: body["max_tokens"]], "length"
    said = {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
    usage = {"prompt_tokens": 3, "completion_tokens": max(len(text), 1), "total_tokens": 3 + max(len(text), 1)}
    return {"choices": [{"index": 0, "finish_reason": reason, **said}], "usage": usage}


class BatchServer:
    """The double. It counts how often it was paid for a request, by ``custom_id``: each time that it wrote a text.

    Args:
        says: the response to the body of a request.

    Attributes:
        looks: how often a batch is looked at before it has ended.
        change: called with a batch and the lines of its output and error files, may change both.
        status: called with the number of a batch; returns its last state.
        fault: called with method and path of what comes; returns a status to refuse with, "drop" to act and then break
            off, or None.
        faults: called with the lines of a batch's file; returns what is wrong with it, as the API does.
    """

    def __init__(self, says: Callable[[dict], dict] = write_text) -> None:
        self.says, self.looks = says, 2
        self.change: Callable = lambda batch, output, errors: (output, errors)
        self.status: Callable = lambda number: "completed"
        self.fault: Callable = lambda method, path: None
        self.faults: Callable = lambda lines: []
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}
        self.asked: list[tuple[str, str]] = []
        self.keys: set[str | None] = set()
        self.paid: Counter[str] = Counter()
        self.lock = threading.RLock()
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                double.answer(self)

            def do_POST(self) -> None:
                double.answer(self)

            def log_message(self, *words: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def count(self, method: str, path: str) -> int:
        """How often something was asked for whose path begins so."""
        return sum(one == method and where.startswith(path) for one, where in self.asked)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        where = urlsplit(handler.path)
        path = where.path.removeprefix("/v1")
        with self.lock:
            self.asked.append((handler.command, path))
            self.keys.add(handler.headers.get("Authorization"))
            fault = self.fault(handler.command, path)
            status, body = 200, b""
            if isinstance(fault, int):
                status, said = fault, {"error": {"message": f"no: {handler.headers.get('Authorization')}"}}
            else:
                status, said = self.act(handler.command, path, parse_qs(where.query), handler.headers, content)
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
        if fault == "drop":
            handler.close_connection = True
            return
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def act(self, method: str, path: str, query: dict, headers: object, content: bytes) -> tuple[int, object]:
        missing = 404, {"error": {"message": f"no such thing: {path}"}}
        parts = path.strip("/").split("/")
        if (method, path) == ("POST", "/files"):
            return self.keep_file(headers, content)
        if method == "GET" and parts[0] == "files" and parts[-1] == "content":
            return (200, self.files[parts[1]]) if parts[1] in self.files else missing
        if (method, path) == ("POST", "/batches"):
            return self.make_batch(json.loads(content))
        if (method, path) == ("GET", "/batches"):
            return self.list_batches(query)
        if parts[0] == "batches" and parts[1] in self.batches:
            batch = self.batches[parts[1]]
            if method == "POST":
                batch["status"] = "cancelled"
                return 200, batch
            return 200, self.look(batch)
        return missing

    def keep_file(self, headers: object, content: bytes) -> tuple[int, object]:
        boundary = b"--" + headers["Content-Type"].split("boundary=")[1].encode()
        fields = {}
        for part in content.split(boundary)[1:-1]:
            head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            name = head.split(b'name="')[1].split(b'"')[0].decode()
            fields[name] = value.removesuffix(b"\r\n")
        assert fields["purpose"] == b"batch"
        return 200, {"id": self.add_file(fields["file"]), "purpose": "batch"}

    def add_file(self, content: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    def make_batch(self, asked: dict) -> tuple[int, object]:
        assert asked["completion_window"] == "24h"
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        batch = {"id": f"batch_{len(self.batches)}", "status": "validating", "seen": 0, "errors": None, **asked}
        faults = self.faults(lines) or self.validate(lines, asked["endpoint"])
        if faults:
            batch |= {"errors": {"object": "list", "data": faults}, "last": "failed"}
        self.batches[batch["id"]] = batch
        return 200, batch

    def validate(self, lines: list[dict], endpoint: str) -> list[dict]:
        names = [line["custom_id"] for line in lines]
        faults = [] if len(lines) <= MOST_REQUESTS else [{"code": "too_many", "message": "too many requests"}]
        if len(set(names)) < len(names):
            faults.append({"code": "duplicate_custom_id", "message": "twice", "line": 1})
        bad = [i for i, line in enumerate(lines, 1) if (line["url"], line["method"]) != (endpoint, "POST")]
        return faults + [{"code": "mismatched_url", "message": "not the endpoint's", "line": i} for i in bad]

    def list_batches(self, query: dict) -> tuple[int, object]:
        names = list(self.batches)[::-1]
        if "after" in query:
            names = names[names.index(query["after"][0]) + 1 :]
        limit = min(int(query["limit"][0]), 2)  # pages are short, so that there are several
        return 200, {"data": [self.batches[name] for name in names[:limit]], "has_more": len(names) > limit}

    def look(self, batch: dict) -> dict:
        if batch["status"] not in STATES:
            return batch
        batch["seen"] += 1
        if batch["seen"] <= self.looks:
            batch["status"] = STATES[min(batch["seen"] - 1, 2)]
        elif "last" in batch:
            batch["status"] = batch["last"]
        else:
            self.finish(batch)
        return batch

    def finish(self, batch: dict) -> None:
        number = int(batch["id"].removeprefix("batch_"))
        status = self.status(number)
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        output, errors = [], []
        for i, line in enumerate(lines):
            if status == "expired" and i % 2:
                errors.append(expire(line["custom_id"]))
                continue
            self.paid[line["custom_id"]] += 1
            output.append(respond(line["custom_id"], self.says(line["body"])))
        random.Random(number).shuffle(output)
        output, errors = self.change(batch, output, errors)
        batch["status"] = status
        for key, those in (("output_file_id", output), ("error_file_id", errors)):
            rows = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in those]
            batch[key] = self.add_file(b"\n".join(rows)) if rows else None


def respond(name: str, body: dict, code: int = 200) -> dict:
    """A line of results."""
    return {"id": "r", "custom_id": name, "response": {"status_code": code, "body": body}, "error": None}


def expire(name: str) -> dict:
    """A line of a request that the batch did not come to."""
    error = {"code": "batch_expired", "message": "This request could not be executed before the window expired."}
    return {"id": "r", "custom_id": name, "response": None, "error": error}
