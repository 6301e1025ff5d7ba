"""`isocompute check`: whether a run is whole."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from isocompute.cli.options import Json, print_json

commands = typer.Typer()


@commands.command()
def check(
    run: Annotated[str, typer.Argument(help="A run's folder.", show_default=False)],
    repair: Annotated[
        bool, typer.Option("--repair", help="Rename damaged parts to ….damaged, and keep their sound rows.")
    ] = False,
    json_: Json = False,
) -> None:
    """Read every part of a run and say what is damaged, what would be lost, and what to do. Ends in 1 if any is.

    [bold]Example[/]

      isocompute check runs/demo
    """
    from dataclasses import asdict

    from isocompute.cli.screens.runs import checked
    from isocompute.runners.storage.check import check as examined
    from isocompute.runners.storage.check import repair as mended
    from isocompute.runners.storage.run import Run

    report = mended(Run(run)) if repair else examined(Run(run))
    whole = report.whole or (repair and examined(Run(run)).whole)
    if json_:
        print_json({"whole": whole, **asdict(report)})
    else:
        checked(Console(), report, repair)
    raise typer.Exit(0 if whole else 1)
