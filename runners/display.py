"""Progress display of a sweep: phases, rows, tokens a second, time left, accuracy and failures."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from isocompute.terminal import make_printable


class SpeedColumn(ProgressColumn):
    """Completion tokens a second since this process began the phase."""

    def render(self, task: Task) -> Text:
        """Return the speed; empty before the first row."""
        tokens, elapsed = task.fields["tokens"], task.elapsed
        return Text(f"{tokens / elapsed:,.0f} tok/s" if tokens and elapsed else "", style="cyan")


class Display(Protocol):
    """The interface through which a sweep reports its progress."""

    def start_phase(self, name: str, total: int, done: int) -> None:
        """Begin a phase of ``total`` rows, ``done`` of which exist already."""

    def update_progress(self, rows: int, tokens: int, detail: str = "") -> None:
        """Count finished rows and their completion tokens; ``detail`` is a text shown beside them."""

    def note(self, text: str) -> None:
        """Print one line."""


class LiveDisplay:
    """A progress bar for each phase on a terminal, and plain lines every ten seconds elsewhere."""

    EVERY = 10.0

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description:<10}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn("rows"),
            SpeedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[detail]}", markup=False),
            console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self.said = 0.0

    def __enter__(self) -> LiveDisplay:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def start_phase(self, name: str, total: int, done: int) -> None:
        """Begin a phase of ``total`` rows, ``done`` of which exist already."""
        self.task = self.progress.add_task(name, total=total, completed=done, tokens=0, detail="")
        self.begun, self.said = time.monotonic(), 0.0
        if not self.console.is_terminal and done < total:  # a model may take minutes to load
            self.note(f"{name}: {done:,} of {total:,} rows are there")

    def update_progress(self, rows: int, tokens: int, detail: str = "") -> None:
        """Count finished rows and their completion tokens; ``detail`` is a text shown beside them."""
        task = next(t for t in self.progress.tasks if t.id == self.task)
        self.progress.update(self.task, advance=rows, tokens=task.fields["tokens"] + tokens, detail=detail)
        now = time.monotonic()
        last = task.completed == task.total
        if not self.console.is_terminal and (last or now - self.said >= self.EVERY):
            self.said = now
            rate = task.fields["tokens"] / max(now - self.begun, 1e-9)
            self.note(
                f"{task.description}: {task.completed:,.0f} of {task.total:,.0f} rows, {rate:,.0f} tok/s"
                + (f", {detail}" if detail else "")
            )

    def note(self, text: str) -> None:
        """Print one line; if it cannot be printed, as on a full disk, the sweep goes on."""
        with suppress(OSError):
            self.console.print(make_printable(text, keep=""), highlight=False, markup=False)


class SilentDisplay:
    """A display that shows nothing, for programs and tests."""

    def start_phase(self, name: str, total: int, done: int) -> None:
        """Show nothing."""

    def update_progress(self, rows: int, tokens: int, detail: str = "") -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""
