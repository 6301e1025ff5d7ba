"""`isocompute compact`: join the small parts of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def compact(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's folder, or its URL in an object store.", show_default=False)
    ],
    json_: JsonOption = False,
) -> None:
    """Join the small parts of a run into large ones, so that it is read in few requests. Its rows do not change.

    The run may be read meanwhile. If the command is stopped, the run is whole; the next one does the rest.

    [bold]Example[/]

      isocompute compact runs/mine
    """
    from isocompute.cli.screens.runs import print_joined_tables
    from isocompute.runners.storage.joining import join_run_parts
    from isocompute.runners.storage.run import Run

    tables = join_run_parts(Run(run))
    if json_:
        from isocompute.api.json_schema.runs import build_compact_json

        print_json(build_compact_json(run, tables))
    else:
        print_joined_tables(open_console(), run, tables)
