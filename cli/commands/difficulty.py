"""`isocompute difficulty`: what to run on easy and on hard problems."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from isocompute.cli.options import Json, print_json

commands = typer.Typer()


@commands.command()
def difficulty(
    source: Annotated[
        str, typer.Argument(metavar="RUN|PROFILE", help="A run's folder, or a profile.", show_default=False)
    ],
    bins: Annotated[
        str, typer.Option(help="How difficulty is told: oracle, estimate, agreement, score or level.")
    ] = "agreement",
    samples: Annotated[int, typer.Option(help="Solutions that are looked at to tell it, and paid for.", min=1)] = 4,
    json_: Json = False,
) -> None:
    """Say what to run on easy and on hard problems, and whether telling them apart is worth its cost.

    Five levels of equally many problems, level 1 the easiest, by

      [bold]agreement[/]  how many of a few solutions give the same answer
      [bold]score[/]      the mean verdict on a few solutions, each verified once
      [bold]level[/]      the dataset's own levels
      [bold]estimate[/]   how many of a few solutions are right, for whom that is known
      [bold]oracle[/]     how many of all solutions are right: what the others are bounded by

    [bold]Examples[/]

      isocompute difficulty data/runs/lab
      isocompute difficulty data/runs/lab --bins score --samples 2 --json
      isocompute difficulty lab --bins oracle
    """
    from isocompute.cli.screens.difficulty import studied, study_json
    from isocompute.planner.difficulty import KINDS, study_profile, study_run
    from isocompute.planner.profile import bundled, read

    if bins not in KINDS:
        raise typer.BadParameter(f"'{bins}' is none of {', '.join(KINDS)}.", param_hint="'--bins'")
    with Console(stderr=True).status("estimating …"):
        if source.endswith(".json") or source in bundled():
            study = study_profile(read(source), bins)
        else:
            study = study_run(source, bins, samples)
    if json_:
        print_json(study_json(study))
    else:
        studied(Console(), study)
