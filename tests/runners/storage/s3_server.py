"""A server of S3's protocol on the loopback, and a double of a faulty network before it.

The server is moto's: of those that pip installs, it is the one that knows conditional writes (``If-None-Match`` and
``If-Match``), uploads in pieces, and pages of lists. It does not check a condition and write in one step, as S3 does,
so writes go through it one at a time.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

Environ = dict[str, Any]


class FaultyNetwork:
    """A test double of a network that counts requests, delays them, refuses them, or cuts their connection.

    `fault` says for each request, which it is given as method and path, what happens to it: ``""`` nothing, ``503``,
    ``cut`` before it arrives, ``lost`` if it arrives and its answer does not, ``half`` if half of what it reads comes
    and then nothing more, ``slow`` if that comes in pieces with pauses, or a number of seconds to wait.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.writing = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.log: list[tuple[str, str]] = []
        self.heal()

    def heal(self) -> None:
        """Let every request through, and count anew."""
        self.fault: Callable[[str, str], str | float] = lambda method, path: ""
        self.requests.clear()
        self.log.clear()

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        what = "LIST" if "list-type" in environ.get("QUERY_STRING", "") else method
        self.requests[what] += 1
        self.log.append((what, path))
        fault = self.fault(what, path)
        if isinstance(fault, float):
            time.sleep(fault)
        if fault == "cut":
            self.cut(environ)
        if fault == "503":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(SLOW_DOWN)))])
            return [SLOW_DOWN]
        if method == "GET" and fault in ("half", "slow"):
            return self.dribble(environ, start, fault)
        if method == "GET":
            return self.app(environ, start)
        with self.writing:
            answer = list(self.app(environ, start))
        if fault == "lost":
            self.cut(environ)
        return answer

    def dribble(self, environ: Environ, start: Callable[..., Any], fault: str) -> Iterable[bytes]:
        """Answer in pieces with pauses, to the end or half way."""
        answer = b"".join(self.app(environ, start))
        size = max(1, len(answer) // 8)
        for place in range(0, len(answer), size):
            if fault == "half" and place >= len(answer) // 2:
                self.cut(environ)
            time.sleep(0.05)
            yield answer[place : place + size]

    def cut(self, environ: Environ) -> None:
        """Close a request's connection."""
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError


class QuietHandler(WSGIRequestHandler):
    """A handler that prints nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing."""


class S3Server:
    """A running server; its network can be made faulty."""

    def __init__(self) -> None:
        self.network = FaultyNetwork(DomainDispatcherApplication(create_backend_app))
        self.server = make_server("127.0.0.1", 0, self.network, threaded=True, request_handler=QuietHandler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}",
            "AWS_ACCESS_KEY_ID": "loopback",
            "AWS_SECRET_ACCESS_KEY": "loopback",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def stop(self) -> None:
        """Stop the server."""
        self.server.shutdown()
