"""The process that compares answers: it starts workers, and replaces those that crash or run out of time or memory.

Started by `comparison_process` as ``python -m isocompute.runners.grading.comparison_worker SECONDS PATIENCE
MEGABYTES``. It loads SymPy once and forks, so a new worker starts within milliseconds. Requests and replies are JSON,
one a line:

    {"answer": "2^{-1}", "among": ["1/3", "\\\\frac{1}{2}"], "by_library": false}     {"equal": 1, "refused": null}
    {"answer": "9^{9^{9}}", "among": ["1/3"], "by_library": false}                 {"equal": null, "refused": -1}

``equal`` is the index of the first equal answer, ``refused`` the index at which the worker gave up, -1 for the answer
itself.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import re
import select
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from isocompute.runners.resource_limits import limit_cpu_time, limit_resources

REPLY_READABLE, REPLY_EQUAL, REPLY_DIFFERENT, REPLY_REFUSED = b".", b"=", b"/", b"!"
"""A worker's replies, a byte each: one once the answer was parsed, then one for each comparison in turn."""

WARM_UP_ANSWERS = (
    r"-\frac{1}{2}+3\sqrt{5}x^2", r"\begin{pmatrix} 1 & a \\ 2\pi & b \end{pmatrix}", r"x > 2", r"(x+1)(y-2)",
    r"\sin x\cos\frac{\pi}{3}", r"\log_{2} 3 + \ln 5", r"1 \pm 2i", r"y = 2x + 3", r"\binom{5}{2}3!", r"e^{i\pi}",
    r"2^{10}", r"|x-1|", r"\sum_{n=1}^{\infty} \frac{1}{2^n}", r"\begin{cases} x & x > 1 \\ 0 & x \le 1 \end{cases}",
)  # fmt: skip
"""Answers compared before the first fork, so that all workers share the parser's caches and SymPy's lazy imports."""


HARMLESS_CODE_PATTERN = re.compile(r"(?:(?:Integer|Float|Symbol) ?\( ?(?:\d+|'[\w.+-]*') ?\)|[-+*/() \n])*", re.ASCII)
"""Python code that only combines numbers and symbols."""


class ComparisonWorker:
    """A forked process that compares, and the pipes to it."""

    def __init__(self, seconds: float, megabytes: int) -> None:
        self.is_alive = True
        requests, self.requests = os.pipe()
        self.replies, replies = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.requests)
                os.close(self.replies)
                limit_resources(megabytes)
                with open(requests, encoding="ascii") as lines:
                    compare_answers(lines, replies, seconds)
            finally:
                os._exit(1)  # after any error the parent sees the pipe close
        os.close(requests)
        os.close(replies)

    def request_comparison(self, line: str, count: int, patience: float) -> dict[str, int | None]:
        """Send one request and return the reply; a worker that died or timed out is marked as not alive."""
        place = -1
        with contextlib.suppress(OSError):
            os.write(self.requests, line.encode("ascii"))
            while reply := self.receive_byte(patience):
                if reply == REPLY_REFUSED:
                    return {"equal": None, "refused": place}
                if reply == REPLY_EQUAL:
                    return {"equal": place, "refused": None}
                place += 1
                if place == count:
                    return {"equal": None, "refused": None}
        self.is_alive = False
        return {"equal": None, "refused": place}

    def receive_byte(self, patience: float) -> bytes:
        """Return the worker's next byte; empty if the worker dies or the time runs out."""
        ready, _, _ = select.select([self.replies], [], [], patience)
        return os.read(self.replies, 1) if ready else b""

    def kill(self) -> None:
        """Kill the worker."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.requests)
        os.close(self.replies)


def compare_answers(lines: TextIO, replies: int, seconds: float) -> None:
    """Answer requests until there are no more; an answer that exhausts time, memory or stack ends the process.

    The first comparison's time includes parsing the answer.
    """
    from isocompute.runners.grading.equality import is_equal_answer
    from isocompute.runners.grading.expression import ExpressionTooLargeError
    from isocompute.runners.grading.library import is_equal_by_library
    from isocompute.runners.grading.parse_answer import parse_answer

    for line in lines:
        request = json.loads(line)
        answer, among, by_library = request["answer"], request["among"], request["by_library"]
        is_equal = is_equal_by_library if by_library else is_equal_answer
        limit_cpu_time(seconds)
        try:
            if not by_library:
                parse_answer(answer)
        except ExpressionTooLargeError:
            among = []
        os.write(replies, REPLY_READABLE if among else REPLY_REFUSED)
        for other in among:
            try:
                same = is_equal(other, answer)
            except ExpressionTooLargeError:
                same = False
            os.write(replies, REPLY_EQUAL if same else REPLY_DIFFERENT)
            if same:
                break
            limit_cpu_time(seconds)
        limit_cpu_time(0)  # no limit while waiting for the next request


def guard_evaluation(evaluate: Callable[..., object]) -> Callable[..., object]:
    """Wrap SymPy's evaluation of strings as Python, so that it only makes numbers and symbols."""

    def evaluate_harmless_code(code: str, *arguments: object) -> object:
        if HARMLESS_CODE_PATTERN.fullmatch(code) is None:
            raise ValueError("an answer is not evaluated")
        return evaluate(code, *arguments)

    return evaluate_harmless_code


def serve_requests(seconds: float, patience: float, megabytes: int) -> None:
    """Answer the requests from standard input on standard output, until there are no more.

    Args:
        seconds: most CPU seconds of a comparison.
        patience: most wall seconds of a comparison.
        megabytes: most memory of a worker beyond what it shares.
    """
    logging.disable(logging.CRITICAL)
    replies = os.fdopen(os.dup(1), "w", buffering=1, encoding="ascii")
    os.dup2(2, 1)  # libraries' prints go to stderr
    from sympy.parsing import sympy_parser

    from isocompute.runners.grading.equality import is_equal_answer

    for text in WARM_UP_ANSWERS:
        is_equal_answer(text, "x")
    sympy_parser.eval_expr = guard_evaluation(
        sympy_parser.eval_expr
    )  # only now: SymPy's own modules evaluate as they load
    gc.collect()
    gc.freeze()
    replies.write("{}\n")
    worker = ComparisonWorker(seconds, megabytes)
    try:
        for line in sys.stdin:
            reply = worker.request_comparison(line, len(json.loads(line)["among"]), patience)
            if not worker.is_alive:
                worker.kill()
                worker = ComparisonWorker(seconds, megabytes)
            replies.write(json.dumps(reply) + "\n")
    finally:
        worker.kill()


if __name__ == "__main__":
    serve_requests(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
