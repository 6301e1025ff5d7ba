"""`isocompute tasks`: list the tasks."""

from __future__ import annotations

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def tasks(json_: JsonOption = False) -> None:
    """List the tasks: number of problems, grader, source, licence, and the extra to install."""
    from isocompute.cli.screens.runs import print_tasks
    from isocompute.runners.tasks import list_generators, list_tasks

    if json_:
        from isocompute.api.json_schema.runs import build_tasks_json

        print_json(build_tasks_json(list_tasks(), list_generators()))
    else:
        print_tasks(open_console(), list_tasks(), list_generators())
