"""`isocompute fit`: estimate a profile from a run or a grid."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, LambdaOption, ProblemsWithOption, RhoOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def fit(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN|GRID.json",
            help="A run's folder, or a file with a grid of mean accuracies.",
            show_default=False,
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="The profile's file.", show_default=False)],
    entry: Annotated[str | None, typer.Option(help="The entry to use, if the grid's file has several.")] = None,
    lam: LambdaOption = None,
    rho: RhoOption = None,
    parameters: Annotated[
        list[float] | None,
        typer.Option(
            help="Parameter count of a model that is not in a local folder, such as 8e9; repeat it in the "
            "order solver, verifier, scorer.",
            show_default=False,
        ),
    ] = None,
    read: Annotated[float, typer.Option(help="Cost of a token that is only read, if a decoded token costs 1.")] = 1.0,
    problems_with: ProblemsWithOption = None,
    json_: JsonOption = False,
) -> None:
    """Estimate from a run what every number of solutions and verifications gives, and write it as a profile.

    `isocompute plan --profile FILE` needs nothing but the profile. A published grid of mean accuracies can be fitted
    instead of a run. Printed are the best strategy within each budget, the budgets from which others beat voting, and
    how the numbers of solutions and verifications should grow with the budget.

    [bold]Examples[/]

      isocompute fit runs/mine -o mine.json
      isocompute fit runs/mine -o mine.json --problems-with 8
      isocompute fit grid.json -o theirs.json
    """
    from isocompute.cli.screens.fit import print_fit
    from isocompute.planner.compare import compute_frontier
    from isocompute.planner.estimate.fitting import fit_profile, name_profile_file
    from isocompute.planner.findings import derive_findings
    from isocompute.planner.policies.profile_policies import measure_profile_policies
    from isocompute.planner.power import measure_strategy_power

    target = name_profile_file(output)
    with open_console(stderr=True).status("estimating …"):
        profile = fit_profile(source, PurePath(target).stem, entry, lam, rho, parameters or (), read, problems_with)
    findings, compared = derive_findings(profile, profile.lam), compute_frontier(profile)
    power = measure_strategy_power(profile, [x for x, _ in compared])
    policies = measure_profile_policies(profile)
    profile.write(target)
    if json_:
        from isocompute.api.json_schema.fits import build_fit_json

        print_json(build_fit_json(profile, findings, compared, policies, power, target))
    else:
        print_fit(open_console(), profile, findings, compared, policies, power, target)
