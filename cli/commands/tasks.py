"""`isocompute tasks`: list the tasks."""

from __future__ import annotations

import typer
from rich.console import Console

commands = typer.Typer()


@commands.command()
def tasks() -> None:
    """List the tasks: number of problems, grader, source, licence, and the extra to install."""
    from isocompute.cli.screens.runs import print_tasks
    from isocompute.runners.tasks import list_generators, list_tasks

    print_tasks(Console(), list_tasks(), list_generators())
