"""Progress of a long computation: a spinner on a terminal, and elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from isocompute.cli.screens.text import print_line

SECONDS_BETWEEN_LINES = 10.0
"""Least seconds between two lines, so that a short computation prints none."""


@contextmanager
def show_progress(console: Console, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what is being done, given in words.

    Args:
        console: where it is shown.
        clock: returns the time in seconds.
    """
    if console.is_terminal:
        with console.status("reading …") as status:
            yield lambda text: status.update(Text(f"{text} …"))
        return
    printed_at = clock()

    def print_now_and_then(text: str) -> None:
        nonlocal printed_at
        if clock() - printed_at >= SECONDS_BETWEEN_LINES:
            printed_at = clock()
            print_line(console, f"{text} …")

    yield print_now_and_then
