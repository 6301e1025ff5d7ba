"""Limits that a process sets itself before it works on hostile input."""

from __future__ import annotations

import contextlib
import resource
import signal


def limit_resources(megabytes: int) -> None:
    """Limit this process's memory beyond its current size, and forbid files and core dumps."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    memory = measure_address_space() + megabytes * 2**20
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        with contextlib.suppress(ValueError, OSError):  # macOS cannot limit the address space; time is still limited
            resource.setrlimit(kind, (most, most))


def measure_address_space() -> int:
    """Return the bytes of this process's address space, or an ample guess if the system does not report them."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 2**30


def limit_cpu_time(seconds: float) -> None:
    """End this process after so many more seconds of CPU time; 0 removes the limit.

    CPU time does not grow while a busy machine runs other processes.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
