"""Comparison of hostile answers in a process that can be killed."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from isocompute.errors import RunError

COMPARISON_SECONDS = 0.75
"""Most CPU seconds of one comparison."""

WALL_CLOCK_FACTOR = 10
"""Most wall time of a comparison, as a multiple of its CPU time, for busy machines."""

COMPARISON_MEGABYTES = 512
"""Most memory that a comparison may take in addition to the process's own."""

STARTUP_SECONDS = 300.0
"""Most seconds until the process has loaded its parser, and slack for a machine that sleeps."""

KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""Environment variables that the process gets; no keys are among them."""


@dataclass(frozen=True)
class ComparisonResult:
    """The result of comparing an answer with others.

    Args:
        equal: index of the first equal answer; None if there is none.
        refused: index at which the comparison was refused, -1 if the answer itself was; None if it was not refused.
    """

    equal: int | None
    refused: int | None


class AnswerComparer:
    """Finds the first of several answers that equals another, in a process that is started when it is needed.

    An answer that computes for more than ``seconds``, takes more than ``megabytes`` or crashes the process is refused
    and counted, without effect on later ones. Not to be shared between threads.

    Args:
        seconds: most CPU seconds of a comparison.
        megabytes: most memory of a comparison beyond the process's own.
        by_library: whether whole texts are compared by math-verify as it is, and not answers by our own parser.
    """

    def __init__(
        self, seconds: float = COMPARISON_SECONDS, megabytes: int = COMPARISON_MEGABYTES, by_library: bool = False
    ) -> None:
        self.seconds, self.megabytes, self.by_library = seconds, megabytes, by_library
        self.comparison_count = self.refused_count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def find_first_equal(self, answer: str, among: Sequence[str]) -> ComparisonResult:
        """Return the first of several answers that equals ``answer``; there must be at least one.

        Raises:
            RunError: the process does not start.
        """
        self.comparison_count += 1
        reply = self._send_request(
            {"answer": answer, "among": list(among), "by_library": self.by_library},
            WALL_CLOCK_FACTOR * self.seconds * len(among),
        )
        if reply is None:  # the process that guards the worker crashed itself
            self.close()
        judgement = ComparisonResult(None, -1) if reply is None else ComparisonResult(**reply)
        self.refused_count += judgement.refused is not None
        return judgement

    def close(self) -> None:
        """End the process; it is started again when it is needed."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def _send_request(self, request: dict[str, object], seconds: float) -> dict[str, int | None] | None:
        if self._process is None or self._process.poll() is not None:
            self._start_process()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
            process.stdin.flush()
        except OSError:
            return None
        line = self._receive_line(seconds + STARTUP_SECONDS)
        return json.loads(line) if line else None

    def _start_process(self) -> None:
        self.close()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
        limits = (self.seconds, WALL_CLOCK_FACTOR * self.seconds, self.megabytes)
        environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.comparison_worker", *map(str, limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={
                **environment,
                "PYTHONPATH": path,
                "PYTHONHASHSEED": "0",
                "PYTHONWARNINGS": "ignore",
                "LC_ALL": "C.UTF-8",
            },
            start_new_session=True,  # Ctrl-C must not reach the process
        )
        if not self._receive_line(STARTUP_SECONDS):
            self._errors.seek(0)
            messages = self._errors.read().decode(errors="replace").strip().splitlines() or ["it gave no message"]
            self.close()
            raise RunError(f"The process that compares answers does not start: {messages[-1]}.")

    def _receive_line(self, seconds: float) -> bytes:
        """Return the next line from the process; empty if the process dies or the time runs out."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        return process.stdout.readline() if ready else b""
