"""The process that compares answers: it starts workers, gives each pair a second, and ends those that take longer.

Started by `judge` as ``python -m isocompute.runners.grading.worker SECONDS MEGABYTES``. It loads SymPy once and forks:
a worker that hung, crashed or ran out of memory is replaced in milliseconds. Requests and replies are JSON, one a line:

    {"answer": "2^{-1}", "among": ["1/3", "\\\\frac{1}{2}"]}     {"equal": 1, "refused": null}
    {"answer": "9^{9^{9}}", "among": ["1/3"]}                 {"equal": null, "refused": -1}

``equal`` is the place of the first that is equal, ``refused`` the place at which the worker gave up, -1 for the answer
itself.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import re
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import TextIO

READ, EQUAL, DIFFERENT, REFUSED = b".", b"=", b"/", b"!"
"""What a worker says, a byte each: the answer could be read; for each of the others in turn, what it is to it."""

WARMING = (
    r"-\frac{1}{2}+3\sqrt{5}x^2", r"\begin{pmatrix} 1 & a \\ 2\pi & b \end{pmatrix}", r"x > 2", r"(x+1)(y-2)",
    r"\sin x\cos\frac{\pi}{3}", r"\log_{2} 3 + \ln 5", r"1 \pm 2i", r"y = 2x + 3", r"\binom{5}{2}3!", r"e^{i\pi}",
    r"2^{10}", r"|x-1|", r"\sum_{n=1}^{\infty} \frac{1}{2^n}", r"\begin{cases} x & x > 1 \\ 0 & x \le 1 \end{cases}",
)  # fmt: skip
"""Compared before the first fork: the parser learns and SymPy loads parts of itself, and all workers share that."""


HARMLESS = re.compile(r"(?:(?:Integer|Float|Symbol) ?\( ?(?:\d+|'[\w.+-]*') ?\)|[-+*/() \n])*", re.ASCII)
"""Python that only names numbers and symbols and joins them."""


class Worker:
    """A forked process that compares, and the pipes to it."""

    def __init__(self, megabytes: int) -> None:
        self.alive = True
        requests, self.requests = os.pipe()
        self.replies, replies = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.requests)
                os.close(self.replies)
                limit(megabytes)
                with open(requests, encoding="ascii") as lines:
                    compare(lines, replies)
            finally:
                os._exit(1)  # whatever it was, the parent sees the pipe close
        os.close(requests)
        os.close(replies)

    def ask(self, line: str, count: int, seconds: float) -> dict[str, int | None]:
        """Put one request; return the reply. A worker that died or took too long over a pair is not to be asked again.

        The first pair's time begins with reading the answer.
        """
        place, until = -1, time.monotonic() + seconds
        with contextlib.suppress(OSError):
            os.write(self.requests, line.encode("ascii"))
            while said := self.hear(until):
                if said == REFUSED:
                    return {"equal": None, "refused": place}
                if said == EQUAL:
                    return {"equal": place, "refused": None}
                place += 1
                if place == count:
                    return {"equal": None, "refused": None}
                if said == DIFFERENT:
                    until = time.monotonic() + seconds
        self.alive = False
        return {"equal": None, "refused": place}

    def hear(self, until: float) -> bytes:
        """Return the next byte that the worker says; none if it dies or does not say it in time."""
        ready, _, _ = select.select([self.replies], [], [], max(0.0, until - time.monotonic()))
        return os.read(self.replies, 1) if ready else b""

    def end(self) -> None:
        """Kill the worker."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.requests)
        os.close(self.replies)


def limit(megabytes: int) -> None:
    """Bound what this process may use: memory beyond what it has, no files, no core."""
    memory = size() + megabytes * 2**20
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        with contextlib.suppress(ValueError, OSError):  # macOS knows no limit of the address space; the clock remains
            resource.setrlimit(kind, (most, most))


def size() -> int:
    """Return the bytes of address space that this process has, or an ample guess where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 2**30


def allow(seconds: int) -> None:
    """Let this process run for some more seconds: no orphan burns a core for ever."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, hard))


def compare(lines: TextIO, replies: int) -> None:
    """Answer requests until there are no more; an answer that exhausts memory or stack ends the process."""
    from isocompute.runners.grading.equality import equal
    from isocompute.runners.grading.expression import Refused
    from isocompute.runners.grading.reading import read

    for line in lines:
        request = json.loads(line)
        answer, among = request["answer"], request["among"]
        try:
            allow(3)
            read(answer)
        except Refused:
            os.write(replies, REFUSED)
            continue
        os.write(replies, READ)
        for other in among:
            allow(3)
            try:
                same = equal(other, answer)
            except Refused:
                same = False
            os.write(replies, EQUAL if same else DIFFERENT)
            if same:
                break


def guarded(evaluate: Callable[..., object]) -> Callable[..., object]:
    """Wrap SymPy's evaluation of strings as Python, by which it makes its numbers, so that it makes nothing else."""

    def wrapped(code: str, *arguments: object) -> object:
        if HARMLESS.fullmatch(code) is None:
            raise ValueError("an answer is not evaluated")
        return evaluate(code, *arguments)

    return wrapped


def serve(seconds: float, megabytes: int) -> None:
    """Answer the requests of the standard input on the standard output, until there are no more."""
    logging.disable(logging.CRITICAL)
    replies = os.fdopen(os.dup(1), "w", buffering=1, encoding="ascii")
    os.dup2(2, 1)  # whatever a library prints goes elsewhere
    from sympy.parsing import sympy_parser

    from isocompute.runners.grading.equality import equal

    for text in WARMING:
        equal(text, "x")
    sympy_parser.eval_expr = guarded(sympy_parser.eval_expr)  # only now: SymPy's own modules evaluate as they load
    gc.collect()
    gc.freeze()
    replies.write("{}\n")
    worker = Worker(megabytes)
    try:
        for line in sys.stdin:
            reply = worker.ask(line, len(json.loads(line)["among"]), seconds)
            if not worker.alive:
                worker.end()
                worker = Worker(megabytes)
            replies.write(json.dumps(reply) + "\n")
    finally:
        worker.end()


if __name__ == "__main__":
    serve(float(sys.argv[1]), int(sys.argv[2]))
