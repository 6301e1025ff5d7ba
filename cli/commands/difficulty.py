"""`isocompute difficulty`: choose what to run on easy and on hard problems."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, LambdaOption, RhoOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def difficulty(
    source: Annotated[
        str, typer.Argument(metavar="RUN|PROFILE", help="A run's folder, or a profile.", show_default=False)
    ],
    bins: Annotated[
        str, typer.Option(help="What tells easy from hard: agreement, score, level, estimate or oracle.")
    ] = "agreement",
    samples: Annotated[
        int, typer.Option(help="Solutions by which difficulty is estimated; their cost counts.", min=1)
    ] = 4,
    lam: LambdaOption = None,
    rho: RhoOption = None,
    json_: JsonOption = False,
) -> None:
    """Choose what to run on easy and on hard problems, and check whether estimating difficulty is worth its cost.

    The problems are split into five levels, level 1 the easiest, of equal size where estimates do not tie, by

      [bold]agreement[/]  how many of a few solutions give the same answer
      [bold]score[/]      the mean verdict on a few solutions, each verified once
      [bold]level[/]      the dataset's own levels
      [bold]estimate[/]   how many of a few solutions are right (needs the right answers)
      [bold]oracle[/]     how many of all solutions are right (if levels were known)

    [bold]Examples[/]

      isocompute difficulty lab --bins oracle
      isocompute difficulty runs/mine
      isocompute difficulty runs/mine --bins score --samples 2 --json
    """
    from isocompute.cli.screens.difficulty import print_study
    from isocompute.planner.difficulty import build_source_study
    from isocompute.planner.difficulty_study import DIFFICULTY_KINDS

    if bins not in DIFFICULTY_KINDS:
        raise typer.BadParameter(f"'{bins}' is not one of {', '.join(DIFFICULTY_KINDS)}.", param_hint="'--bins'")
    with open_console(stderr=True).status("estimating …"):
        study = build_source_study(source, bins, samples, lam, rho)
    if json_:
        from isocompute.api.json_schema.difficulties import build_difficulty_json

        print_json(build_difficulty_json(study))
    else:
        print_study(open_console(), study)
