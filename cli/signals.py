"""How a command ends when it is told to, by Ctrl-C or by a signal: what is done reaches the disk, the run is free."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from isocompute.cli.screens.plan import print_note


class StopSignal(BaseException):
    """A signal has come; its number is the first argument.

    No `KeyboardInterrupt`: vLLM takes that one for itself while an engine starts, and goes on waiting for the engine
    (``zmq_socket_ctx``, seen in 0.32).
    """


@contextmanager
def stop_on_signals(said: str) -> Iterator[None]:
    """End what is inside on SIGINT and SIGTERM, say so, and exit with 128 and the signal's number.

    A signal that is ignored, as SIGINT is by what a shell starts in the background, stays so.

    Args:
        said: what to tell whoever stopped it.

    Raises:
        typer.Exit: it was stopped.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, raise_stop_signal)
        yield
    except (KeyboardInterrupt, StopSignal) as stopped:
        print_note(Console(stderr=True), said)
        raise typer.Exit(128 + (stopped.args or (signal.SIGINT,))[0]) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_stop_signal(number: int, frame: object) -> None:
    """Raise in the main thread, wherever it is."""
    raise StopSignal(number)
