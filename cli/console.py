"""The consoles that commands print on: text stays text, whatever a file, a model or a path holds."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.segment import Segment

from isocompute.terminal import make_printable


class PrintableConsole(Console):
    """A console that reads no markup in strings, and prints no character that a terminal obeys.

    Colours and the lines of tables and progress bars are Rich's own. A text is one line, so that no name with a line
    break in it begins a line that reads like a message.
    """

    def print(self, *objects: Any, **settings: Any) -> None:
        """Print texts on one line each, and other objects as Rich does."""
        super().print(
            *(make_printable(each, keep="") if isinstance(each, str) else each for each in objects), **settings
        )

    def render(self, renderable: RenderableType, options: Any = None) -> Iterable[Segment]:
        """Yield what is printed, with every text made printable."""
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else make_printable(segment.text)
            yield segment if shown == segment.text else Segment(shown, segment.style)

    def on_broken_pipe(self) -> None:
        """Go on without messages if nobody reads standard error any more; without standard output there is no use.

        Raises:
            BrokenPipeError: nobody reads standard output any more.
        """
        if not self.stderr:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        self.quiet = True
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - open as long as the command


def open_console(stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Return a console for standard output or standard error.

    Args:
        stderr: whether it prints on standard error.
        soft_wrap: whether long lines are left to the terminal.
    """
    return PrintableConsole(stderr=stderr, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False)
