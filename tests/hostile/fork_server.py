"""A process that imports isocompute once, and runs commands in forked children, each with its own limits.

It reads a JSON object a line: the command, the folder, the environment, where output goes. It answers one a line: the
exit code, the seconds, and the memory beyond its own. It has no threads of Python when it forks.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import resource
import select
import signal
import sys
import tempfile
import threading
import time
from typing import Any

NOT_IMPORTED = (
    "isocompute.runners.cluster",
    "isocompute.runners.engines",
    "isocompute.runners.scorers",
    "isocompute.serving.endpoint",
    "isocompute.testing",
    "isocompute.__main__",
)
"""Modules of models, servers and clusters, which start threads or take long; children import what they need."""
SECONDS = 20.0
"""The most seconds of a command, on a clock or of its processor: a busy machine lets it wait for one."""
BUSY_SECONDS = 60.0
"""The seconds on a clock after which it is stopped."""
ADDRESS_SPACE = 8 << 30
"""Bytes of address space beyond this process's own, so that no input can exhaust the machine; memory is measured."""
LARGEST_FILE = 4 << 30
NOBODY = 65534
"""The user and the group without rights."""


def import_package() -> None:
    """Import every module that needs no model."""
    import isocompute

    for module in pkgutil.walk_packages(isocompute.__path__, "isocompute."):
        if not module.name.startswith(NOT_IMPORTED):
            importlib.import_module(module.name)
    for encoding in ("ascii", "utf_8_sig", "latin_1", "idna"):  # a child without rights may not read the library
        importlib.import_module(f"encodings.{encoding}")


def read_memory(name: str) -> int:
    """Return a field of this process's memory in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) << 10


def run_command(order: dict[str, Any]) -> None:
    """Run a command in this process, a child; it does not return."""
    os.setsid()
    os.chdir(order["folder"])
    stderr = os.open(order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    stdout = os.open(order["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.closerange(3, 256)
    if order["closed"]:
        os.close(1)
    if order["lost_folder"]:
        os.mkdir("lost")
        os.chdir("lost")
        os.rmdir(os.path.join("..", "lost"))
    most = read_memory("VmSize") + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if order["unprivileged"] and os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    for name, value in order["environment"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    encoding = order["encoding"]
    sys.stdout = open(1, "w", encoding=encoding, closefd=False) if not order["closed"] else None  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.argv = ["isocompute", *map(os.fsdecode, map(bytes.fromhex, order["command"]))]
    from isocompute.cli.main import main

    main()


def fork_command(order: dict[str, Any]) -> int:
    """Start a command in a child, and return its process id."""
    if child := os.fork():
        return child
    code = 70
    try:
        run_command(order)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:  # noqa: BLE001 - a child must not go on as the server
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    finally:
        code = close_output(code)
        os._exit(code)
    return 0


def close_output(code: int) -> int:
    """Run what runs at the end of a Python process, and return its exit code."""
    import atexit

    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            code = 120  # as Python ends
    return code


def fill_kernel_cache() -> None:
    """Compile the kernels of a fit once, in a child without limits; every later process reads them from the disk."""
    if child := os.fork():
        os.waitpid(child, 0)
        return
    try:
        from isocompute.cli.main import main

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        with tempfile.TemporaryDirectory() as folder:
            sys.argv = ["isocompute", "fit", "data/runs/qwen-gsm-symbolic", "-o", os.path.join(folder, "p.json")]
            main()
    finally:
        os._exit(0)


def measure_idle_child() -> int:
    """Return the peak memory of a child that does nothing, in bytes."""
    if not (child := os.fork()):
        os._exit(0)
    return os.wait4(child, 0)[2].ru_maxrss << 10


def answer_order(order: dict[str, Any], idle: int) -> dict[str, Any]:
    """Run a command, and return how it ended."""
    assert threading.active_count() == 1, "a child would inherit locks that no thread releases"
    begun = time.monotonic()
    child = fork_command(order)
    handle = os.pidfd_open(child)
    is_ended = bool(select.select([handle], [], [], BUSY_SECONDS)[0])
    seconds = time.monotonic() - begun
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # a child that hangs, and what a child left behind
    if not is_ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    os.close(handle)
    in_time = is_ended and min(seconds, usage.ru_utime + usage.ru_stime) <= SECONDS
    return {
        "code": os.waitstatus_to_exitcode(status) if in_time else None,
        "seconds": seconds,
        "memory": (usage.ru_maxrss << 10) - idle,
    }


def answer_orders() -> None:
    """Answer orders until there are no more."""
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    import_package()
    fill_kernel_cache()
    idle = measure_idle_child()
    print(json.dumps({"idle": idle}), file=replies, flush=True)
    for line in iter(sys.stdin.readline, ""):
        print(json.dumps(answer_order(json.loads(line), idle)), file=replies, flush=True)


if __name__ == "__main__":
    answer_orders()
