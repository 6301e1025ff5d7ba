"""Terminal output of `isocompute upgrade`: the written files, and the fields that stay unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from isocompute.cli.screens.runs import print_plain_line
from isocompute.planner.profile import Profile
from isocompute.runners.storage.run import RUN_FORMAT

if TYPE_CHECKING:
    from isocompute.runners.storage.upgrade import UpgradedRun


def print_upgraded_run(console: Console, source: str, upgraded: UpgradedRun | None) -> None:
    """Print the result of upgrading a run, or that it needs no upgrade."""
    if upgraded is None:
        print_nothing_to_upgrade(console, source)
        return
    rows = ", ".join(f"{count:,} {name}" for name, count in upgraded.rows.items()) or "no rows yet"
    print_plain_line(console, f"Wrote {upgraded.run}, which is {source} in format {RUN_FORMAT}: {rows}.")
    if upgraded.moved:
        print_plain_line(console, f"The step scores of {upgraded.moved:,} solutions are now rows of the table scores.")
    sizes = [f"{role} {size:,.0f}" for role, size in upgraded.parameters.items()]
    if sizes:
        print_plain_line(console, f"Parameters: {', '.join(sizes)}.")
    print_unknown_fields(console, list(upgraded.unknown))


def print_upgraded_profile(console: Console, source: str, profile: Profile | None, target: str) -> None:
    """Print the result of upgrading a profile, or that it needs no upgrade."""
    if profile is None:
        print_nothing_to_upgrade(console, source)
        return
    print_plain_line(
        console, f"Wrote {target}, which is {source} in format {profile.format}: {', '.join(profile.strategies)}."
    )
    print_unknown_fields(console, profile.unknown_parts)


def print_nothing_to_upgrade(console: Console, source: str) -> None:
    """Print that there is nothing to upgrade."""
    print_plain_line(console, f"{source} already has the newest format; nothing was written.")


def print_unknown_fields(console: Console, names: list[str]) -> None:
    """Print the fields that stay unknown."""
    if names:
        print_plain_line(console, f"Unknown, because the old format does not record it: {', '.join(names)}.")
