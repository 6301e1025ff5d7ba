"""`isocompute check`: check whether a run is intact."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def check(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)],
    repair: Annotated[
        bool, typer.Option("--repair", help="Rename damaged parts to ….damaged, and keep their intact rows.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Read every part of a run, and report damage, lost rows and what to do. The exit code is 1 if there is damage.

    [bold]Example[/]

      isocompute check runs/mine
    """
    from isocompute.cli.screens.runs import print_check_report
    from isocompute.runners.storage.check import check_run, repair_run
    from isocompute.runners.storage.run import Run

    report = repair_run(Run(run)) if repair else check_run(Run(run))
    whole = report.is_whole or (repair and check_run(Run(run)).is_whole)
    if json_:
        from isocompute.api.json_schema.runs import build_check_json

        print_json(build_check_json(report, whole))
    else:
        print_check_report(open_console(), report, repair)
    raise typer.Exit(0 if whole else 1)
