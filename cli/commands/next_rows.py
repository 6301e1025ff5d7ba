"""`isocompute next`: choose the rows to add to a run."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, LambdaOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand, name="next")
def next_rows(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, finished or not.", show_default=False)],
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "-b",
            help="Compute per problem that is decided about. Default: 128x, or the highest measured cost below it.",
            show_default=False,
        ),
    ] = None,
    lam: LambdaOption = None,
    json_: JsonOption = False,
) -> None:
    """Choose the rows to add to a run: those that lower the expected regret of its decision most per unit of cost.

    The regret of a decision is the accuracy, in points, that it loses against the best allocation in hindsight. More
    problems are compared with more solutions, more verified solutions and more verifications on the same problems.
    Strategies and depths that are hardly near the best at the budget are named, as they can be dropped. Of searches,
    sizes to run and further seeds are named where they matter, with the entry to write in the sweep file. Scores are
    left out.

    [bold]Examples[/]

      isocompute next runs/mine
      isocompute next runs/mine --budget 32x --json
    """
    from isocompute.api.pilots import read_worth
    from isocompute.planner.pilot.next_rows import find_next_rows

    with open_console(stderr=True).status("estimating …"):
        found = find_next_rows(run, None if budget is None else read_worth(budget), lam)
    if json_:
        from isocompute.api.json_schema.pilots import build_next_json

        print_json(build_next_json(found))
    else:
        from isocompute.cli.screens.pilot import print_next_rows

        print_next_rows(open_console(), found)
