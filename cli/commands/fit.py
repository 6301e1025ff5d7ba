"""`isocompute fit`: estimate a profile from a run or a grid."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated

import typer
from rich.console import Console

from isocompute.cli.options import JsonOption, LambdaOption, RhoOption, apply_lambda_option, print_json

commands = typer.Typer()


@commands.command()
def fit(
    source: Annotated[
        str,
        typer.Argument(metavar="RUN|GRID.json", help="A run's folder, or a grid of means.", show_default=False),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the profile goes.", show_default=False)],
    entry: Annotated[str | None, typer.Option(help="Which entry of a grid with several.")] = None,
    lam: LambdaOption = None,
    rho: RhoOption = None,
    parameters: Annotated[
        list[float] | None,
        typer.Option(
            help="Size of a model that is not in a folder here, as 8e9; the solver's, the verifier's, the scorer's.",
            show_default=False,
        ),
    ] = None,
    read: Annotated[float, typer.Option(help="What a token that is only read counts; a decoded one counts 1.")] = 1.0,
    json_: JsonOption = False,
) -> None:
    """Estimate accuracies, frontiers, crossover and scaling laws from a run or a published grid into a profile.

    [bold]Examples[/]

      isocompute fit runs/demo -o runs/demo/profile.json
      isocompute fit data/published/llama-3.1-8b-math.json -o llama.json
    """
    from isocompute.api.json_schema import build_findings_json
    from isocompute.cli.screens.fit import print_fit
    from isocompute.planner.compare import compute_frontier
    from isocompute.planner.findings import derive_findings
    from isocompute.planner.power import measure_strategy_power
    from isocompute.planner.profile import check_profile_output

    console = Console()
    target = output if output.endswith((".json", "/")) else f"{output}.json"
    check_profile_output(target)
    name = PurePath(target).stem
    if source.endswith(".json"):
        from isocompute.planner.estimate.profile_from_grid import read_grid_profile

        if parameters or read != 1:
            raise typer.BadParameter("--parameters and --read are for a run; a grid has no tokens.")
        profile = read_grid_profile(source, entry, name)
    else:
        from isocompute.planner.estimate.profile_from_run import estimate_run_profile

        with Console(stderr=True).status("estimating …"):
            profile = estimate_run_profile(source, name, parameters or (), read)
    if lam is not None:
        profile, price = apply_lambda_option(profile, lam)
        profile = profile if price is None else profile.use_lambda(price, f"given as {lam}")
    profile = profile if rho is None else profile.use_rho(rho)
    found, compared = derive_findings(profile, profile.lam), compute_frontier(profile)
    power = measure_strategy_power(profile, [x for x, _ in compared])
    profile.write(target)
    if json_:
        print_json(build_findings_json(profile, found, compared, power, target))
    else:
        print_fit(console, profile, found, compared, power, target)
