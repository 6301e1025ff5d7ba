"""`isocompute pilot`: choose how much to sample before a sweep."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, LambdaOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def pilot(
    budget: Annotated[
        str | None,
        typer.Option("--budget", "-b", help="Total cost of the pilot, such as 10000x.", show_default=False),
    ] = None,
    regret: Annotated[
        float | None, typer.Option(help="Points of accuracy that its advice may lose.", show_default=False)
    ] = None,
    gap: Annotated[
        float | None,
        typer.Option(
            help="Lead of the best strategy over voting that a test should find with probability 0.8, in points.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="Budget per problem that the advice is for, such as 128x. Default: 8x to 512x.", show_default=False
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="A profile of a similar task.", show_default=False)
    ] = None,
    run: Annotated[str | None, typer.Option(help="A run of a similar task.", show_default=False)] = None,
    problems: Annotated[int, typer.Option(help="The number of problems that there are.", min=8, max=10**9)] = 500,
    lam: LambdaOption = None,
    json_: JsonOption = False,
) -> None:
    """Choose how many problems, solutions and verifications to sample before a sweep, and what regret to expect.

    The regret is how much the advice that the pilot gives loses against the best allocation in hindsight. It is
    simulated: on tasks like a profile's or a run's, or else on the planner's own simulated worlds. Scorers and searches
    are left out.

    [bold]Examples[/]

      isocompute pilot --budget 10000x
      isocompute pilot --regret 0.8 --profile lab
      isocompute pilot --gap 8 --at 128x --run runs/mine --json
    """
    from isocompute.api.pilots import read_worth
    from isocompute.planner.pilot.planning import PilotGoal, choose_pilot

    goal = PilotGoal(None if budget is None else read_worth(budget), regret, gap)
    with open_console(stderr=True).status("simulating pilots …"):
        found = choose_pilot(goal, profile, run, None if at is None else read_worth(at), lam, problems)
    if json_:
        from isocompute.api.json_schema.pilots import build_pilot_json

        print_json(build_pilot_json(found))
    else:
        from isocompute.cli.screens.pilot import print_pilot

        print_pilot(open_console(), found)
