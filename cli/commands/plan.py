"""The commands that say what runs tell: fit, plan, difficulty, figures."""

from __future__ import annotations

import posixpath
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from isocompute.cli.options import Json, Version, print_json
from isocompute.errors import IsocomputeError

if TYPE_CHECKING:
    from isocompute.planner.profile import Profile

commands = typer.Typer()
planner = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")

Lambda = Annotated[
    str | None,
    typer.Option(
        "--lambda",
        metavar="NUMBER|completion|prompts|cached",
        help="Cost of a verification in solutions, or the way of counting tokens, for scorers and searches too; "
        "by completion tokens if not given.",
        show_default=False,
    ),
]

Rho = Annotated[
    float | None,
    typer.Option(
        "--rho",
        help="Cost of scoring a solution in solutions, where a run does not say the scorer's tokens.",
        show_default=False,
    ),
]

PLAN_HELP = """Say which strategy to run within a budget, with which numbers, and how sure that is.

[bold]128x[/] is 128 solutions' worth of compute per problem. [bold]128x-plateau[/] is 128 times the compute at which
voting flattens, which is what the headlines of Singhi et al. 2025 mean by 128x.

[bold]Examples[/]

  plan --budget 128x
  plan --budget 8x-plateau --profile llama-3.1-8b-math
  plan --budget 64x --profile runs/mine/profile.json --lambda 1.5 --json
"""


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
        profile, price = counted_as(profile, lam)
        profile = profile if price is None else profile.at(price, f"given as {lam}")
    profile = profile if rho is None else profile.scored_at(rho)
    found, compared = findings(profile, profile.lam), frontier(profile)
    profile.write(target)
    if json_:
        print_json(findings_json(profile, found, compared, target))
    else:
        fitted(console, profile, found, compared, target)


@planner.command(help=PLAN_HELP, name="plan")
@commands.command(help=PLAN_HELP)
def plan(
    budget: Annotated[
        str,
        typer.Option("--budget", "-b", help="Compute per problem: 128x or 128x-plateau.", show_default=False),
    ],
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="A bundled profile's name, or a file from `fit`.")
    ] = "lab",
    lam: Lambda = None,
    rho: Rho = None,
    json_: Json = False,
    version: Version = False,
) -> None:
    """Say which strategy to run within a budget."""
    from isocompute.cli.json_schema import plan_json
    from isocompute.cli.screens.plan import planned
    from isocompute.planner.budget import Budget
    from isocompute.planner.plan import plan as decide
    from isocompute.planner.profile import read

    parsed = Budget.parse(budget)
    measured = read(profile)
    measured, price = (measured, None) if lam is None else counted_as(measured, lam)
    measured = measured if rho is None else measured.scored_at(rho)
    decision = decide(measured, parsed, price)
    if json_:
        print_json(plan_json(decision))
    else:
        planned(Console(), measured, decision)


def counted_as(profile: Profile, text: str) -> tuple[Profile, float | None]:
    """Read --lambda: a number, or a way of counting tokens, which holds for λ, for scorers and for searches.

    Returns:
        The profile in that way, and λ; None where nothing was verified.
    """
    from isocompute.planner.profile import WAYS

    if text in WAYS:
        verified = profile.genrm is not None or not (profile.rhos or profile.searches)
        return profile.counted(text), profile.price(text) if verified else None
    try:
        return profile, float(text)
    except ValueError:
        said = f"'{text}' is neither a number nor one of {', '.join(WAYS)}."
        raise typer.BadParameter(said, param_hint="'--lambda'") from None


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


@commands.command()
def figures(
    run: Annotated[str, typer.Argument(help="A run's folder, or a profile.", show_default=False)],
    output: Annotated[str, typer.Option("--output", "-o", help="The folder the figures go to.", show_default=False)],
) -> None:
    """Draw the paper's Figure 1, every strategy at its best, and what choosing by difficulty reaches, as PNG and PDF.

    [bold]Example[/]

      isocompute figures data/runs/lab -o figures
    """
    from isocompute.planner.difficulty import studies_of
    from isocompute.planner.estimate.costs import measure_costs
    from isocompute.planner.estimate.pool_from_run import read_pool
    from isocompute.planner.estimate.profile_from_run import build_profile
    from isocompute.planner.profile import bundled, read
    from isocompute.runners.storage.files import check_output
    from isocompute.runners.storage.run import Run

    check_output(posixpath.join(output, "figure1.png"))
    try:
        from isocompute.figures.difficulty import draw_difficulty
        from isocompute.figures.figure1 import draw, save
        from isocompute.figures.frontiers import draw_frontiers
    except ModuleNotFoundError as error:
        raise IsocomputeError(f"Figures need {error.name}: pip install 'isocompute[figures]'.") from None
    if run.endswith(".json") or run in bundled():
        pool, profile = None, read(run)
    else:
        log = Run(run)
        pool = read_pool(log)
        profile = build_profile(log, pool, measure_costs(pool), PurePath(log.root).name)
    written = draw(profile, output)
    if (raced := draw_frontiers(profile)) is not None:
        written += save(raced, output, "frontiers")
    if studies := studies_of(profile, pool):
        written += save(draw_difficulty(studies), output, "difficulty")
    for path in written:
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)
