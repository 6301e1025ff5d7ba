"""`isocompute evaluate`: how good the planner's advice is on a run."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, LambdaOption, RhoOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)],
    problems: Annotated[
        int | None,
        typer.Option(
            help="Problems of a pilot. Default: three fifths; the rest scores the advice.", show_default=False
        ),
    ] = None,
    solutions: Annotated[
        int | None, typer.Option(help="Solutions of each of them. Default: half.", show_default=False)
    ] = None,
    verified: Annotated[
        int | None, typer.Option(help="Verified solutions of each of them. Default: all there are.", show_default=False)
    ] = None,
    verifications: Annotated[
        int | None,
        typer.Option(
            help="Verifications of each of those. Default: as many as keep the pilot at a tenth of the run's cost.",
            show_default=False,
        ),
    ] = None,
    splits: Annotated[int, typer.Option(help="How many pilots are drawn.", min=2, max=10**5)] = 200,
    lam: LambdaOption = None,
    rho: RhoOption = None,
    json_: JsonOption = False,
) -> None:
    """Evaluate the advice: plan from a part of a run, and score the plan on the other problems.

    A part of the problems, with a part of their solutions and verifications, is drawn as a pilot. The planner advises
    from the pilot alone, at 8x to 512x as far as the run goes. The other problems show its regret: the points of
    accuracy that it loses against the best allocation in hindsight. Beside it stand always SC, the published law (the
    study's S and V for its own model) and the best fixed rule in hindsight, which need no pilot.

    [bold]Examples[/]

      isocompute evaluate runs/mine --splits 50
      isocompute evaluate runs/mine --problems 20 --verifications 2 --json
    """
    from isocompute.cli.screens.evaluate import print_evaluation, show_split_progress
    from isocompute.planner.evaluation.run_evaluation import evaluate_run

    given = {"problems": problems, "solutions": solutions, "verified": verified, "verifications": verifications}
    with show_split_progress(open_console(stderr=True), splits) as report:
        found = evaluate_run(run, given, splits, lam, rho, report)
    if json_:
        from isocompute.api.json_schema.evaluations import build_evaluation_json

        print_json(build_evaluation_json(found))
    else:
        print_evaluation(open_console(), found)
