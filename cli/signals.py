"""Clean exit of a command on Ctrl-C or a signal: finished rows are written, and the run is unlocked."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from isocompute.cli.console import open_console
from isocompute.cli.screens.text import print_note


class StopSignal(BaseException):
    """Raised when a signal arrives; its number is the first argument.

    It is not a `KeyboardInterrupt`, because vLLM catches that while an engine starts, and continues to wait for the
    engine (``zmq_socket_ctx``, seen in 0.32).
    """


@contextmanager
def stop_on_signals(note: str) -> Iterator[None]:
    """Stop the block on SIGINT and SIGTERM, print a note, and exit with 128 plus the signal's number.

    A signal that is already ignored stays ignored, such as SIGINT in a process that a shell starts in the background.

    Args:
        note: the note to print.

    Raises:
        typer.Exit: the block was stopped.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, raise_stop_signal)
        yield
    except (KeyboardInterrupt, StopSignal) as stopped:
        print_note(open_console(stderr=True), note)
        raise typer.Exit(128 + (stopped.args or (signal.SIGINT,))[0]) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_stop_signal(number: int, frame: object) -> None:
    """Raise `StopSignal` in the main thread."""
    raise StopSignal(number)
