"""`isocompute plan`, and the program `plan`: choose what to run within a budget."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from isocompute.cli.options import JsonOption, LambdaOption, RhoOption, VersionOption, print_json

plan_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


commands = typer.Typer()


PLAN_HELP = """Recommend a strategy and its numbers for a budget, and say how certain that is.

[bold]128x[/] is 128 solutions' worth of compute per problem. [bold]128x-plateau[/] is 128 times the compute at which
voting flattens; Singhi et al. 2025 mean this by 128x.

[bold]Examples[/]

  plan --budget 128x
  plan --budget 8x-plateau --profile llama-3.1-8b-math
  plan --budget 64x --profile runs/mine/profile.json --lambda 1.5 --json
  plan --budget 64x --profile runs/mine/profile.json --cap
"""


@plan_app.command(help=PLAN_HELP, name="plan")
@commands.command(help=PLAN_HELP)
def plan(
    budget: Annotated[
        str,
        typer.Option("--budget", "-b", help="Compute per problem: 128x or 128x-plateau.", show_default=False),
    ],
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="A bundled profile's name, or a file from `fit`.")
    ] = "lab",
    lam: LambdaOption = None,
    rho: RhoOption = None,
    cap: Annotated[
        bool, typer.Option("--cap", help="Compare limits on the length of solutions, from the run's own rows.")
    ] = False,
    json_: JsonOption = False,
    version: VersionOption = False,
) -> None:
    """Recommend a strategy and its numbers for a budget."""
    from isocompute.cli.screens.caps import print_caps
    from isocompute.cli.screens.plan import print_plan
    from isocompute.planner.budget import Budget
    from isocompute.planner.caps import compare_caps
    from isocompute.planner.plan import make_plan
    from isocompute.planner.profile import apply_lambda, read_profile

    parsed = Budget.parse(budget)
    measured = read_profile(profile)
    measured, price = apply_lambda(measured, lam)
    measured = measured if rho is None else measured.use_rho(rho)
    decision = make_plan(measured, parsed, price)
    caps = compare_caps(measured, decision.budget) if cap else None
    if json_:
        from isocompute.api.json_schema.plans import build_plan_json

        print_json(build_plan_json(decision, caps))
    else:
        print_plan(Console(), measured, decision)
        if caps is not None:
            print_caps(Console(), caps)
