"""`isocompute grade`: read the answers of a run again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from isocompute.cli.options import Json, NamesInHelp, print_json

commands = typer.Typer()


@commands.command(cls=NamesInHelp)
def grade(
    run: Annotated[str, typer.Argument(help="A run's folder.", show_default=False)],
    grader: Annotated[str | None, typer.Option(help="One of {graders}; the run's own if not given.")] = None,
    json_: Json = False,
) -> None:
    """Read the answers of a run again, without sampling, and say how many changed.

    [bold]Example[/]

      isocompute grade runs/mine --grader math
    """
    from isocompute.cli.screens.runs import regraded
    from isocompute.runners.grading import load
    from isocompute.runners.storage.regrade import own_grader, regrade
    from isocompute.runners.storage.run import Run

    there = Run(run)
    with load(grader or own_grader(there)) as chosen, Console(stderr=True).status("grading …"):
        found = regrade(there, chosen)
    if json_:
        print_json(vars(found))
    else:
        regraded(Console(), found)
