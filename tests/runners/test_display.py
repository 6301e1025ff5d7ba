from __future__ import annotations

import errno
import io

from rich.console import Console

from isocompute.runners.display import LiveDisplay
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE


def shown(terminal: bool, monkeypatch, every: float = 0.0) -> tuple[io.StringIO, LiveDisplay]:
    monkeypatch.setattr(LiveDisplay, "EVERY", every)
    out = io.StringIO()
    return out, LiveDisplay(Console(file=out, force_terminal=terminal, width=200))


def test_without_a_terminal_progress_is_plain_lines(monkeypatch):
    out, live = shown(False, monkeypatch)
    with live:
        live.start_phase("solving", total=1200, done=1197)
        for _ in range(3):
            live.update_progress(1, 50, "50.0% right, 2 failed")
        live.note("[bold]as it is[/]")
    first, *lines = out.getvalue().splitlines()
    assert first == "solving: 1,197 of 1,200 rows are there"
    assert [line.partition(" rows, ")[0] for line in lines[:3]] == [f"solving: 1,{n} of 1,200" for n in (198, 199, 200)]
    assert all(line.endswith(" tok/s, 50.0% right, 2 failed") for line in lines[:3])
    assert lines[3:] == ["[bold]as it is[/]"]
    assert "\x1b" not in out.getvalue()


def test_plain_lines_are_few_and_the_last_one_comes(monkeypatch):
    out, live = shown(False, monkeypatch, every=3600.0)
    with live:
        live.start_phase("solving", total=50, done=0)
        live.said = live.begun
        for _ in range(50):
            live.update_progress(1, 1)
    assert [line.partition(" rows")[0] for line in out.getvalue().splitlines()] == [
        "solving: 0 of 50",
        "solving: 50 of 50",
    ]


def test_a_terminal_shows_a_bar(monkeypatch):
    out, live = shown(True, monkeypatch)
    with live:
        live.start_phase("verifying", total=2, done=0)
        live.update_progress(2, 10, "1 failed")
    for part in ("verifying", "2/2", "rows", "left", "1 failed"):
        assert part in out.getvalue()


def test_a_sweep_counts_every_row_in_its_phase(small, scripted, monkeypatch):
    out, live = shown(False, monkeypatch)
    with live:
        run_sweep(small(), live, scripted())
    lines = out.getvalue().splitlines()
    rows = [line.partition(" rows")[0] for line in lines]
    assert rows == [f"solving: {i} of 24" for i in range(25)] + [f"verifying: {i} of 72" for i in range(73)]
    solutions = Run(small().run).read_frame(SOLUTIONS_TABLE)
    right, unread = solutions["correct"].astype(float).mean(), solutions["answer"].isna().sum()
    assert lines[24].endswith(f"{right:.1%} right, {unread} answers unread")


def test_one_engine_is_one_phase(small, scripted, monkeypatch):
    out, live = shown(False, monkeypatch)
    with live:
        run_sweep(small(verifier={"model": "scripted/solver", "prompt": "lab-verify"}), live, scripted())
    assert out.getvalue().splitlines()[-1].startswith("sampling: 96 of 96 rows")


class FullDisk(io.StringIO):
    """A test double of an output on a full disk."""

    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_sweep_goes_on_if_its_progress_cannot_be_printed():
    display = LiveDisplay(Console(file=FullDisk(), force_terminal=False))
    with display:
        display.start_phase("solving", 2, 0)
        display.update_progress(1, 10)
        display.update_progress(1, 10)
        display.note("done")


def test_what_a_sweep_says_is_printable():
    out = io.StringIO()
    display = LiveDisplay(Console(file=out, force_terminal=False, width=200))
    display.note("a\x1b[2J[/red]\u202eb")
    display.start_phase("x\x07", 1, 0)
    display.update_progress(1, 1, "[red]\x1b]0;pwn\x1b\\")
    assert all(line.isprintable() for line in out.getvalue().split("\n"))
    assert "a [2J[/red] b" in out.getvalue()
