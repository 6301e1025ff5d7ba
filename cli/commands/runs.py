"""`isocompute runs`: print the progress of runs."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def runs(
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders to search, with their subfolders; the current folder if not given.",
            show_default=False,
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Show the progress of runs: rows, failures, tokens, accuracy. A sweep may write them at the same time.

    [bold]Examples[/]

      isocompute runs
      isocompute runs runs/mine --json
    """
    from isocompute.cli.screens.runs import print_run_survey
    from isocompute.runners.storage.progress import list_run_progress

    folders = list(dict.fromkeys(folders or ["."]))
    found = [run for folder in folders for run in list_run_progress(folder)]
    if json_:
        from isocompute.api.json_schema.runs import build_runs_json

        print_json(build_runs_json(found))
    else:
        print_run_survey(open_console(), found, folders)
