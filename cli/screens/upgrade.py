"""What a person reads of an upgrade: what was written, and what stayed unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from isocompute.cli.screens.runs import line
from isocompute.planner.profile import Profile
from isocompute.runners.storage.run import FORMAT

if TYPE_CHECKING:
    from isocompute.runners.storage.upgrade import UpgradedRun


def upgraded_run(console: Console, source: str, found: UpgradedRun | None) -> None:
    """Print what an upgrade of a run wrote, or that there was nothing to do."""
    if found is None:
        newest(console, source)
        return
    rows = ", ".join(f"{count:,} {name}" for name, count in found.rows.items()) or "no rows yet"
    line(console, f"{found.run} is {source} in format {FORMAT}: {rows}.")
    if found.moved:
        line(console, f"The step scores of {found.moved:,} solutions are rows of scores now.")
    sizes = [f"{role} {size:,.0f}" for role, size in found.parameters.items()]
    if sizes:
        line(console, f"Parameters: {', '.join(sizes)}.")
    unknown(console, list(found.unknown))


def upgraded_profile(console: Console, source: str, profile: Profile | None, target: str) -> None:
    """Print what an upgrade of a profile wrote, or that there was nothing to do."""
    if profile is None:
        newest(console, source)
        return
    line(console, f"{target} is {source} in format {profile.format}: {', '.join(profile.strategies)}.")
    unknown(console, profile.unknown_parts)


def newest(console: Console, source: str) -> None:
    """Say that there is nothing to upgrade."""
    line(console, f"{source} has the newest format already; nothing was written.")


def unknown(console: Console, names: list[str]) -> None:
    """Print what stayed unknown."""
    if names:
        line(console, f"Unknown, as the old one does not say it: {', '.join(names)}.")
