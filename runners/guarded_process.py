"""A process of isocompute's own that works on hostile input: it has no keys, and can be killed and started again.

Requests and replies are JSON, one a line. The process sets its own limits of time and memory, see `resource_limits`.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO, Any

from isocompute.errors import IsocomputeError

WALL_CLOCK_FACTOR = 10
"""Most wall time of a request, as a multiple of its CPU time, for busy machines."""

STARTUP_SECONDS = 300.0
"""Most seconds until the process has loaded its libraries, and slack for a machine that sleeps."""

KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""Environment variables that the process gets; no keys are among them."""


class GuardedProcess:
    """A process that is started when it is needed. Not to be shared between threads.

    Args:
        module: the module that runs in it. It writes a line once it is ready, and a line for each line that it reads.
        arguments: the arguments of its command line.
        task: what it does, for errors: "compares answers".
        error: what is raised if it does not start.
        environment: further environment variables.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[float],
        task: str,
        error: type[IsocomputeError],
        environment: dict[str, str] | None = None,
    ) -> None:
        self._module, self._arguments, self._task, self._error = module, arguments, task, error
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def close(self) -> None:
        """End the process; it is started again when it is needed."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def send_request(self, request: dict[str, Any], seconds: float) -> Any:
        """Return the reply to a request; None if the process dies or does not reply in time.

        Raises:
            IsocomputeError: the process does not start.
        """
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
        environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", self._module, *map(str, self._arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={
                **environment,
                "PYTHONPATH": path,
                "PYTHONHASHSEED": "0",
                "PYTHONWARNINGS": "ignore",
                "LC_ALL": "C.UTF-8",
                **self._environment,
            },
            start_new_session=True,  # Ctrl-C must not reach the process
        )
        if not self._receive_line(STARTUP_SECONDS):
            self._errors.seek(0)
            messages = self._errors.read().decode(errors="replace").strip().splitlines() or ["it gave no message"]
            self.close()
            raise self._error(f"The process that {self._task} does not start: {messages[-1]}.")

    def _receive_line(self, seconds: float) -> bytes:
        """Return the next line from the process; empty if the process dies or the time runs out."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        return process.stdout.readline() if ready else b""
