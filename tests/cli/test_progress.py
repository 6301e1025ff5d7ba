from __future__ import annotations

import io

from rich.console import Console

from isocompute.cli.screens.progress import show_progress


def test_off_a_terminal_a_line_is_printed_now_and_then():
    times, shown = iter([0.0, 4.0, 11.0, 11.0, 12.0, 40.0, 40.0]), io.StringIO()
    with show_progress(Console(file=shown, force_terminal=False), lambda: next(times)) as report:
        for text in ("reading", "replaying, 5%", "replaying, 6%", "replaying, 90%"):
            report(text)
    assert shown.getvalue() == "replaying, 5% …\nreplaying, 90% …\n"
