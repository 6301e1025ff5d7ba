"""`isocompute fit`: estimate a profile from a run or a grid."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated

import typer
from rich.console import Console

from isocompute.cli.options import Json, Lambda, Rho, count_tokens_as, print_json

commands = typer.Typer()


@commands.command()
def fit(
    source: Annotated[
        str,
        typer.Argument(metavar="RUN|GRID.json", help="A run's folder, or a grid of means.", show_default=False),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the profile goes.", show_default=False)],
    entry: Annotated[str | None, typer.Option(help="Which entry of a grid with several.")] = None,
    lam: Lambda = None,
    rho: Rho = None,
    parameters: Annotated[
        list[float] | None,
        typer.Option(
            help="Size of a model that is not in a folder here, as 8e9; the solver's, the verifier's, the scorer's.",
            show_default=False,
        ),
    ] = None,
    read: Annotated[float, typer.Option(help="What a token that is only read counts; a decoded one counts 1.")] = 1.0,
    json_: Json = False,
) -> None:
    """Estimate accuracies, frontiers, crossover and scaling laws from a run or a published grid into a profile.

    [bold]Examples[/]

      isocompute fit runs/demo -o runs/demo/profile.json
      isocompute fit data/published/llama-3.1-8b-math.json -o llama.json
    """
    from isocompute.cli.json_schema import findings_json
    from isocompute.cli.screens.fit import fitted
    from isocompute.planner.compare import frontier
    from isocompute.planner.findings import findings
    from isocompute.planner.power import measure_power
    from isocompute.planner.profile import check_profile_output

    console = Console()
    target = output if output.endswith((".json", "/")) else f"{output}.json"
    check_profile_output(target)
    name = PurePath(target).stem
    if source.endswith(".json"):
        from isocompute.planner.estimate.profile_from_grid import profile_of_grid

        if parameters or read != 1:
            raise typer.BadParameter("--parameters and --read are for a run; a grid has no tokens.")
        profile = profile_of_grid(source, entry, name)
    else:
        from isocompute.planner.estimate.profile_from_run import profile_of_run

        with Console(stderr=True).status("estimating …"):
            profile = profile_of_run(source, name, parameters or (), read)
    if lam is not None:
        profile, price = count_tokens_as(profile, lam)
        profile = profile if price is None else profile.at(price, f"given as {lam}")
    profile = profile if rho is None else profile.scored_at(rho)
    found, compared = findings(profile, profile.lam), frontier(profile)
    power = measure_power(profile, [x for x, _ in compared])
    profile.write(target)
    if json_:
        print_json(findings_json(profile, found, compared, power, target))
    else:
        fitted(console, profile, found, compared, power, target)
