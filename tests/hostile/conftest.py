from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.cases import HostileInput
from tests.hostile.judging import MOST_OUTPUT, Ending, find_faults

ROOT = Path(__file__).resolve().parents[2]
IDLE_COMMAND = 120 << 20
"""Bytes of memory of a command that does nothing."""
SECONDS_OF_A_COMMAND = 30.0
"""20 seconds, and what Python takes to start and import on a busy machine."""
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "120",
    "NO_COLOR": "1",
    "MPLBACKEND": "agg",
    # what goes out by itself ends here
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "no_proxy": "127.0.0.1,localhost",
}


def order_command(case: HostileInput, folder: Path) -> dict[str, Any]:
    """Return what the fork server runs for an input."""
    return {
        "command": [os.fsencode(word).hex() for word in case.command],
        "folder": str(folder),
        "stdout": "/dev/full" if case.stdout == "full" else f"{folder}.stdout",
        "stderr": f"{folder}.stderr",
        "encoding": "ascii" if case.stdout == "ascii" else "utf-8",
        "closed": case.stdout == "closed",
        "environment": dict(case.environment),
        "lost_folder": case.lost_folder,
        "unprivileged": case.unprivileged,
    }


def read_output(folder: Path, name: str) -> bytes:
    """Return what a command wrote, up to a little more than is right."""
    path = Path(f"{folder}.{name}")
    if not path.exists():
        return b""
    with path.open("rb") as file:
        return file.read(4 * MOST_OUTPUT)


class ForkServer:
    """The process that runs commands in forked children."""

    def __init__(self) -> None:
        paths = [str(ROOT), *(path for path in sys.path if path)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self.idle = self.read_reply()["idle"]

    def read_reply(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        assert line, "the process that runs hostile inputs ended"
        return json.loads(line)

    def run(self, case: HostileInput, folder: Path) -> Ending:
        print(json.dumps(order_command(case, folder)), file=self.process.stdin, flush=True)
        ended = self.read_reply()
        return Ending(**ended, out=read_output(folder, "stdout"), err=read_output(folder, "stderr"))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)


def run_real_command(case: HostileInput, folder: Path) -> Ending:
    """Run an input as a command of its own, as in a shell, and return how it ended."""
    python = [sys.executable, "-m", "isocompute"]
    words = ["sh", "-c", 'exec "$@" >&-', "sh", *python] if case.stdout == "closed" else python
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT / "src")}
    environment["PYTHONIOENCODING"] = "ascii" if case.stdout == "ascii" else "utf-8"
    changed = {name: value for name, value in case.environment.items() if value is not None}
    if "PYTHONPATH" in changed:  # relative to the folder in which it runs
        changed["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), changed["PYTHONPATH"]])
    environment = {name: value for name, value in environment.items() if name not in case.environment} | changed
    stdout = Path("/dev/full") if case.stdout == "full" else Path(f"{folder}.stdout")
    with stdout.open("wb") as out, Path(f"{folder}.stderr").open("wb") as err:
        begun = time.monotonic()
        process = subprocess.Popen(
            [*words, *case.command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        handle = os.pidfd_open(process.pid)
        in_time = bool(select.select([handle], [], [], SECONDS_OF_A_COMMAND)[0])
        os.kill(process.pid, signal.SIGKILL)  # Popen.kill would collect the status of one that has ended
        _, status, usage = os.wait4(process.pid, 0)
        os.close(handle)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ending(
        code=process.returncode if in_time else None,
        seconds=time.monotonic() - begun,
        memory=(usage.ru_maxrss << 10) - IDLE_COMMAND,
        out=read_output(folder, "stdout"),
        err=read_output(folder, "stderr"),
    )


@contextmanager
def make_files(case: HostileInput) -> Iterator[Path]:
    """Make an input's files in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        folder = Path(name, "w")
        folder.mkdir()
        case.make_files(folder)
        yield folder


@pytest.fixture
def judge_real() -> Callable[[HostileInput], tuple[Ending, list[str]]]:
    """Runs an input as a command of its own, and returns how it ended with its faults."""

    def run(case: HostileInput) -> tuple[Ending, list[str]]:
        with make_files(case) as folder:
            ending = run_real_command(case, folder)
            return ending, find_faults(case, ending, folder)

    return run


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def judge(fork_server) -> Callable[[HostileInput], tuple[Ending, list[str]]]:
    """Runs an input in a forked child, and returns how it ended with its faults."""

    def run(case: HostileInput) -> tuple[Ending, list[str]]:
        with make_files(case) as folder:
            ending = fork_server.run(case, folder)
            return ending, find_faults(case, ending, folder)

    return run
