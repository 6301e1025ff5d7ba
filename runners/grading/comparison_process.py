"""Comparing hostile answers in a process that can be killed."""

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
"""Longest that one comparison may compute …"""

WALL_CLOCK_FACTOR = 10
"""… and how many times as long it may take by the clock, on a machine that is busy with other things."""

COMPARISON_MEGABYTES = 512
"""Most memory that a comparison may add to what the process takes."""

STARTUP_SECONDS = 300.0
"""Longest that the process may take to load its parser, and slack for a machine that sleeps."""

KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""What of the environment the process gets: no keys."""


@dataclass(frozen=True)
class ComparisonResult:
    """What an answer is among others: equal to the one at a place, to none, or refused at a place (-1: by itself)."""

    equal: int | None
    refused: int | None


class AnswerComparer:
    """Says which of several answers another is equal to; started when first asked.

    An answer that computes for more than ``seconds``, takes more than ``megabytes`` or brings the process down is
    refused and counted; the next is judged as if nothing had been. Not to be shared between threads.
    """

    def __init__(self, seconds: float = COMPARISON_SECONDS, megabytes: int = COMPARISON_MEGABYTES) -> None:
        self.seconds, self.megabytes = seconds, megabytes
        self.comparison_count = self.refused_count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def find_first_equal(self, answer: str, among: Sequence[str]) -> ComparisonResult:
        """Return the first answer among others, of which there is one at least, that one is equal to.

        Raises:
            RunError: the process does not start.
        """
        self.comparison_count += 1
        reply = self._send_request(
            {"answer": answer, "among": list(among)}, WALL_CLOCK_FACTOR * self.seconds * len(among)
        )
        if reply is None:  # the process that guards the worker went down itself
            self.close()
        judgement = ComparisonResult(None, -1) if reply is None else ComparisonResult(**reply)
        self.refused_count += judgement.refused is not None
        return judgement

    def close(self) -> None:
        """End the process; it starts again if there is more to judge."""
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
        kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.comparison_worker", *map(str, limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**kept, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", "LC_ALL": "C.UTF-8"},
            start_new_session=True,  # Ctrl-C is for us alone
        )
        if not self._receive_line(STARTUP_SECONDS):
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines() or ["it says nothing"]
            self.close()
            raise RunError(f"The process that compares answers does not start: {said[-1]}.")

    def _receive_line(self, seconds: float) -> bytes:
        """Return the next line that the process says; none if it dies or does not say it in time."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        return process.stdout.readline() if ready else b""
