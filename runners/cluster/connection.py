"""The connection to a Ray cluster, and the cluster's resources."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import current_thread, main_thread
from typing import Any

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.engines.registry import describe_missing_package

CLUSTER_CONNECT_SECONDS = 5.0
"""Seconds in which the address of a cluster must answer."""

CLUSTER_CONNECT_TRIES = 4
"""Times that a connection is tried which the cluster accepts and then aborts."""

LOCAL_ROLES = 2
"""Roles that work at the same time on this machine: solver and scorer in searches."""


@dataclass(frozen=True)
class ClusterAddress:
    """The value of ``--on``: a cluster's address, or this machine.

    Args:
        host: the cluster's host; None for this machine.
        port: the port of its Ray Client server.
        workers: on this machine, the number of replicas of each role; None for as many as it has room for.
    """

    host: str | None = None
    port: int = 0
    workers: int | None = None


def parse_cluster_address(text: str) -> ClusterAddress:
    """Read the value of ``--on``.

    Raises:
        ConfigError: it is none.

    >>> parse_cluster_address("local:2").workers, parse_cluster_address("ray://head:10001").host
    (2, 'head')
    """
    if match := re.fullmatch(r"local(?::([1-9]\d{0,3}))?", text):
        return ClusterAddress(workers=int(match[1]) if match[1] else None)
    if (match := re.fullmatch(r"ray://(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})", text)) and 0 < int(match[2]) < 65536:
        return ClusterAddress(match[1], int(match[2]))
    raise ConfigError(f"--on (on=) takes ray://HOST:PORT, local or local:N with N from 1 on; got '{text}'.")


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to.

    Args:
        workers: the number of replicas of each role; None for between their ``min`` and ``max``.
    """

    workers: int | None = None

    def list_nodes(self) -> dict[str, dict[str, float]]:
        """Return the resources of each living node, by its id."""
        return {node["NodeID"]: node["Resources"] for node in read_node_table() if node["Alive"]}

    def name_node(self, node_id: str) -> str:
        """Return a node's address and the begin of its id, for messages; two nodes may share an address."""
        addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in read_node_table()}
        return f"{addresses.get(node_id, 'a node')} ({node_id[:6]})"


def read_node_table() -> list[dict[str, Any]]:
    """Return what Ray says of each node, those that died included."""
    import ray

    return list(ray.nodes())  # type: ignore[no-untyped-call]


@contextmanager
def open_cluster(text: str, note: Callable[[str], None] = lambda line: None) -> Iterator[Cluster]:
    """Connect to a cluster, or start Ray on this machine, until the block ends.

    Args:
        text: ``ray://HOST:PORT``, ``local`` or ``local:N``.
        note: prints a line.

    Raises:
        ConfigError: it is none of these.
        EngineError: Ray is not installed, or no cluster answers at the address.
    """
    address = parse_cluster_address(text)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise EngineError(describe_missing_package("The option --on", error, "ray")) from error
    try:
        with keep_signal_handlers():
            open_ray_connection(address, text, note)
    except (ConnectionError, RuntimeError, OSError, TimeoutError, ValueError) as error:
        raise EngineError(f"No Ray cluster could be used at '{text}': {describe_ray_error(error)}") from error
    try:
        yield Cluster(address.workers)
    finally:
        ray.shutdown()


def open_ray_connection(address: ClusterAddress, text: str, note: Callable[[str], None]) -> None:
    """Start Ray on this machine, or connect to a cluster.

    Raises:
        ConnectionError, RuntimeError, OSError, TimeoutError, ValueError: it cannot be done.
    """
    import ray

    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address.host is None:
        cores = max(os.cpu_count() or 1, LOCAL_ROLES * (address.workers or 1))
        note("starting Ray on this machine")
        ray.init("local", num_cpus=cores, include_dashboard=False, **quiet)
    else:
        check_port_open(address)
        note(f"connecting to {text}")
        open_client_connection(text, quiet)


@contextmanager
def keep_signal_handlers() -> Iterator[None]:
    """Keep this process's own handlers of signals, which Ray replaces: its own abort the process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    if current_thread() is main_thread():
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)


@contextmanager
def report_lost_connection() -> Iterator[None]:
    """Turn the loss of the connection to a cluster into an error, and pass on what a signal raised.

    Raises:
        EngineError: the connection was lost.
    """
    try:
        yield
    except SystemError as error:  # an exception that a signal's handler raised within Ray's compiled code
        raise error.__cause__ or error.__context__ or error from None
    except ConnectionError as error:
        raise EngineError(
            "The connection to the Ray cluster was lost; run the same command again to continue."
        ) from error


def open_client_connection(url: str, options: dict[str, Any]) -> None:
    """Connect to a Ray Client server, which now and then kills the process that it starts for us (ray #63202).

    Raises:
        ConnectionError: it did so `CLUSTER_CONNECT_TRIES` times, or refuses this version of Ray or Python.
    """
    import ray

    for attempt in range(CLUSTER_CONNECT_TRIES):
        try:
            ray.init(url, **options)
        except ConnectionAbortedError:
            if attempt + 1 == CLUSTER_CONNECT_TRIES:
                raise
        else:
            return


def check_port_open(address: ClusterAddress) -> None:
    """Raise unless something listens at an address, because Ray itself would try for half a minute.

    Raises:
        OSError: nothing does.
    """
    assert address.host is not None, "this machine has no address"
    with socket.create_connection((address.host.strip("[]"), address.port), timeout=CLUSTER_CONNECT_SECONDS):
        pass


def describe_ray_error(error: BaseException) -> str:
    r"""Return an error of Ray in one line, because its messages are long and hold tracebacks.

    >>> describe_ray_error(ValueError("The actor died:\nTraceback …\n  File …\nKeyError: 3"))
    'The actor died: KeyError: 3.'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    text = lines[0]
    if text.startswith("ray::"):  # an error in a replica's own code: its traceback, then the error
        text = lines[-1]
    elif text.endswith(":") and len(lines) > 1:
        text = f"{text} {lines[-1]}"
    return f"{text.rstrip('.')}."
