"""The commands: sweep, fit, plan, figures, tasks. Each imports only what it needs, so that `plan` answers at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import isocompute
from isocompute.errors import IsocomputeError

app = typer.Typer(
    name="isocompute",
    help="Sample and vote, sample and verify, or search: what to run with your test-time compute.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
planner = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

PLAN_HELP = """Say which strategy to run within a budget, with which numbers, and how sure that is.

[bold]128x[/] is 128 solutions' worth of compute per problem. [bold]128x-plateau[/] is 128 times the compute at which
voting flattens, which is what the headlines of Singhi et al. 2025 mean by 128x.

[bold]Examples[/]

  plan --budget 128x
  plan --budget 8x-plateau --profile llama-3.1-8b-math
  plan --budget 64x --profile runs/mine/profile.json --lambda 1.5 --json
"""


@app.command()
def sweep(config: Annotated[Path, typer.Argument(help="The sweep file (YAML).", show_default=False)]) -> None:
    """Sample solutions and verifications into a run. Run it again after an interruption: it goes on.

    [bold]Example[/]

      isocompute sweep runners/recipes/lab-demo.yaml
    """
    from isocompute.planner.report import note, swept
    from isocompute.runners.config import read
    from isocompute.runners.display import Live
    from isocompute.runners.sweep import sweep as sample

    console = Console()
    try:
        with Live(console) as display:
            summary = sample(read(str(config)), display)
    except KeyboardInterrupt:
        note(Console(stderr=True), "stopped; what was written is whole, and the same command goes on from there")
        raise typer.Exit(130) from None
    swept(console, summary)


@app.command()
def fit(
    source: Annotated[
        str,
        typer.Argument(metavar="RUN|GRID.json", help="A run's folder, or a grid of means.", show_default=False),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the profile goes.", show_default=False)],
    entry: Annotated[str | None, typer.Option(help="Which entry of a grid with several.")] = None,
    json_: Json = False,
) -> None:
    """Estimate accuracies, frontiers, crossover and scaling laws from a run or a published grid into a profile.

    [bold]Examples[/]

      isocompute fit runs/demo -o runs/demo/profile.json
      isocompute fit data/published/llama-3.1-8b-math.json -o llama.json
    """
    from isocompute.planner import report
    from isocompute.planner.findings import findings
    from isocompute.planner.json_output import findings_json
    from isocompute.planner.plan import frontier

    console = Console()
    target = output if output.endswith(".json") else f"{output}.json"
    name = Path(target).stem
    if source.endswith(".json"):
        from isocompute.planner.grid import profile_of_grid

        profile = profile_of_grid(source, entry, name)
    else:
        from isocompute.planner.learn import profile_of_run

        with Console(stderr=True).status("estimating …"):
            profile = profile_of_run(source, name)
    found, compared = findings(profile, profile.lam), frontier(profile)
    profile.write(target)
    if json_:
        print(
            json.dumps(findings_json(profile, found, compared, target), indent=2, ensure_ascii=False, allow_nan=False)
        )
    else:
        report.fitted(console, profile, found, compared, target)


@planner.command(help=PLAN_HELP, name="plan")
@app.command(help=PLAN_HELP)
def plan(
    budget: Annotated[
        str,
        typer.Option("--budget", "-b", help="Compute per problem: 128x or 128x-plateau.", show_default=False),
    ],
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="A bundled profile's name, or a file from `fit`.")
    ] = "lab",
    lam: Annotated[
        float | None,
        typer.Option(
            "--lambda",
            help="Cost of a verification in solutions; the profile's if not given.",
            show_default=False,
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Say which strategy to run within a budget."""
    from isocompute.planner import report
    from isocompute.planner.budget import Budget
    from isocompute.planner.json_output import plan_json
    from isocompute.planner.plan import plan as decide
    from isocompute.planner.profile import read

    parsed = Budget.parse(budget)
    measured = read(profile)
    decision = decide(measured, parsed, lam)
    if json_:
        print(json.dumps(plan_json(decision), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        report.planned(Console(), measured, decision)


@app.command()
def figures(
    run: Annotated[str, typer.Argument(help="A run's folder, or a profile.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder the figures go to.", show_default=False)],
) -> None:
    """Draw the paper's Figure 1 from a run: success against solutions, and against compute. A PNG and a PDF.

    [bold]Example[/]

      isocompute figures data/runs/lab -o figures
    """
    from isocompute.planner.learn import profile_of_run
    from isocompute.planner.profile import bundled, read

    try:
        from isocompute.planner.figures import draw
    except ModuleNotFoundError as error:
        raise IsocomputeError(f"Figures need {error.name}: pip install 'isocompute[figures]'.") from None
    profile = read(run) if run.endswith(".json") or run in bundled() else profile_of_run(run, Path(run).name)
    for path in draw(profile, output):
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)


@app.command()
def tasks() -> None:
    """List the tasks: how many problems, who grades them, where they come from, and what to install for them."""
    from isocompute.planner.report import listed
    from isocompute.runners.tasks import entries, generators

    listed(Console(), entries(), generators())


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Carry the option that asks for the version."""
    if show:
        print(f"isocompute {isocompute.__version__}")
        raise typer.Exit


def run(application: typer.Typer) -> Any:
    """Run a command; what isocompute raises on purpose becomes a sentence on stderr and exit code 2."""
    errors = Console(stderr=True, soft_wrap=True)
    try:
        application()
    except IsocomputeError as error:
        errors.print("[bold red]error:[/] ", end="")
        errors.print(str(error), markup=False, highlight=False)
        sys.exit(2)


def main() -> None:
    """Entry point of `isocompute`."""
    run(app)


def plan_main() -> None:
    """Entry point of `plan`."""
    run(planner)


if __name__ == "__main__":
    main()
