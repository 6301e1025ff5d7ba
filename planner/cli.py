"""The commands, from sweep to plan. Each imports only what it needs, so that `plan` answers at once."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

import isocompute
from isocompute.errors import IsocomputeError

if TYPE_CHECKING:
    from isocompute.planner.profile import Profile

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


def for_dry_runs(help_: str, *names: str, **settings: Any) -> Any:
    """Return an option of `sweep --dry-run`."""
    return typer.Option(*names, help=help_, rich_help_panel="With --dry-run", show_default=False, **settings)


PLAN_HELP = """Say which strategy to run within a budget, with which numbers, and how sure that is.

[bold]128x[/] is 128 solutions' worth of compute per problem. [bold]128x-plateau[/] is 128 times the compute at which
voting flattens, which is what the headlines of Singhi et al. 2025 mean by 128x.

[bold]Examples[/]

  plan --budget 128x
  plan --budget 8x-plateau --profile llama-3.1-8b-math
  plan --budget 64x --profile runs/mine/profile.json --lambda 1.5 --json
"""


@app.command()
def sweep(
    config: Annotated[Path, typer.Argument(help="The sweep file (YAML).", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost; sample nothing.")] = False,
    tokens_per_second: Annotated[
        float | None, for_dry_runs("Completion tokens a second, of all requests together.")
    ] = None,
    sample: Annotated[
        int | None, for_dry_runs("Measure lengths and speed on so many problems, in memory.", min=1)
    ] = None,
    price_in: Annotated[float | None, for_dry_runs("Dollars for a million prompt tokens.")] = None,
    price_out: Annotated[float | None, for_dry_runs("Dollars for a million completion tokens.")] = None,
    price_hour: Annotated[float | None, for_dry_runs("Dollars for an hour of the machine.")] = None,
    parameters: Annotated[
        list[float] | None, for_dry_runs("Size of a model that is not in a folder here, as 8e9; twice for two models.")
    ] = None,
    json_: Annotated[bool, for_dry_runs("Print the price as JSON, for programs.", "--json")] = False,
) -> None:
    """Sample solutions and verifications into a run. Run it again after an interruption: it goes on.

    [bold]Examples[/]

      isocompute sweep runners/recipes/lab-demo.yaml
      isocompute sweep runners/recipes/lab-demo.yaml --dry-run --tokens-per-second 9000 --price-hour 2.50
    """
    from isocompute.planner.report import note, swept
    from isocompute.runners.config import read
    from isocompute.runners.display import Live
    from isocompute.runners.sweep import sweep as sample_rows

    if dry_run:
        prices = (price_in, price_out, price_hour)
        quote(str(config), prices, tokens_per_second, parameters or (), sample or 0, json_)
        return
    if json_ or parameters or {tokens_per_second, sample, price_in, price_out, price_hour} != {None}:
        raise typer.BadParameter("Speed, sample, prices, parameters and --json are for a --dry-run.")
    console = Console()
    signal.signal(signal.SIGTERM, stop)
    try:
        with Live(console) as display:
            summary = sample_rows(read(str(config)), display)
    except KeyboardInterrupt as stopped:
        note(Console(stderr=True), "stopped; what was written is whole, and the same command goes on from there")
        raise typer.Exit(128 + (stopped.args or (signal.SIGINT,))[0]) from None
    swept(console, summary)


@app.command(name="import")
def import_(
    format: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="sc-genrm-scaling, search-and-learn, large-language-monkeys, lm-eval, inspect-ai or table.",
            show_default=False,
        ),
    ],
    path: Annotated[str, typer.Argument(help="What the tool wrote: a file or a folder.", show_default=False)],
    output: Annotated[str, typer.Option("--output", "-o", metavar="RUN", help="The new run.", show_default=False)],
    grader: Annotated[
        str | None,
        typer.Option(
            help="boxed-number, math, letter, numeric or exact, to read the texts; as-logged, to take what the tool "
            "read in them. If not given, what the right answers call for.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=NAME", help="Of a table: what a column is called here.", show_default=False),
    ] = None,
    json_: Json = False,
) -> None:
    """Read what another tool logged into a run, which is then checked, graded, fitted and planned like any other.

    What a format does not say, such as tokens, stays unknown. A table has a row a solution or a verification, and
    columns called problem_id, question, gold, solution_id, solution, answer, correct, verification, verdict, p_yes …

    [bold]Examples[/]

      isocompute import lm-eval results/samples_gsm8k_2025-01-31T10-00-00.jsonl -o runs/gsm8k
      isocompute import sc-genrm-scaling outputs -o runs/theirs --grader math
      isocompute import table mine.csv -o runs/mine --columns id=problem_id --columns reply=solution --grader numeric
    """
    from isocompute.planner.import_command import imported, told_of

    found = imported(format, path, output, grader, columns or [], Console(stderr=True))
    if json_:
        fields = {**vars(found), "imported": found.imported.model_dump(mode="json")}
        print(json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        told_of(Console(), found)


@app.command()
def grade(
    run: Annotated[str, typer.Argument(help="A run's folder.", show_default=False)],
    grader: Annotated[
        str | None, typer.Option(help="boxed-number, math, letter, numeric or exact; the run's own if not given.")
    ] = None,
    json_: Json = False,
) -> None:
    """Read the answers of a run again, without sampling, and say how many changed.

    [bold]Example[/]

      isocompute grade runs/mine --grader math
    """
    from isocompute.planner.report import regraded
    from isocompute.runners.grading import load
    from isocompute.runners.log import Run
    from isocompute.runners.regrade import own_grader, regrade

    there = Run(run)
    with load(grader or own_grader(there)) as chosen, Console(stderr=True).status("grading …"):
        found = regrade(there, chosen)
    if json_:
        print(json.dumps(vars(found), indent=2, ensure_ascii=False))
    else:
        regraded(Console(), found)


@app.command()
def fit(
    source: Annotated[
        str,
        typer.Argument(metavar="RUN|GRID.json", help="A run's folder, or a grid of means.", show_default=False),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the profile goes.", show_default=False)],
    entry: Annotated[str | None, typer.Option(help="Which entry of a grid with several.")] = None,
    lam: Lambda = None,
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
    from isocompute.planner import report
    from isocompute.planner.findings import findings
    from isocompute.planner.json_output import findings_json
    from isocompute.planner.plan import frontier

    console = Console()
    target = output if output.endswith(".json") else f"{output}.json"
    name = Path(target).stem
    if source.endswith(".json"):
        from isocompute.planner.grid import profile_of_grid

        if parameters or read != 1:
            raise typer.BadParameter("--parameters and --read are for a run; a grid has no tokens.")
        profile = profile_of_grid(source, entry, name)
    else:
        from isocompute.planner.learn import profile_of_run

        with Console(stderr=True).status("estimating …"):
            profile = profile_of_run(source, name, parameters or (), read)
    if lam is not None:
        profile, price = counted_as(profile, lam)
        profile = profile if price is None else profile.at(price, f"given as {lam}")
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
    lam: Lambda = None,
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
    measured, price = (measured, None) if lam is None else counted_as(measured, lam)
    decision = decide(measured, parsed, price)
    if json_:
        print(json.dumps(plan_json(decision), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        report.planned(Console(), measured, decision)


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


@app.command()
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
    from isocompute.planner.difficulty import KINDS, study_profile, study_run
    from isocompute.planner.difficulty_report import studied, study_json
    from isocompute.planner.profile import bundled, read

    if bins not in KINDS:
        raise typer.BadParameter(f"'{bins}' is none of {', '.join(KINDS)}.", param_hint="'--bins'")
    with Console(stderr=True).status("estimating …"):
        if source.endswith(".json") or source in bundled():
            study = study_profile(read(source), bins)
        else:
            study = study_run(source, bins, samples)
    if json_:
        print(json.dumps(study_json(study), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        studied(Console(), study)


@app.command()
def figures(
    run: Annotated[str, typer.Argument(help="A run's folder, or a profile.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder the figures go to.", show_default=False)],
) -> None:
    """Draw the paper's Figure 1, every strategy at its best, and what choosing by difficulty reaches, as PNG and PDF.

    [bold]Example[/]

      isocompute figures data/runs/lab -o figures
    """
    from isocompute.planner.difficulty import drawn
    from isocompute.planner.learn import profile_of_run
    from isocompute.planner.profile import bundled, read

    try:
        from isocompute.planner.difficulty_figure import draw_difficulty
        from isocompute.planner.figures import draw, save
        from isocompute.planner.frontier_figure import draw_frontiers
    except ModuleNotFoundError as error:
        raise IsocomputeError(f"Figures need {error.name}: pip install 'isocompute[figures]'.") from None
    profile = read(run) if run.endswith(".json") or run in bundled() else profile_of_run(run, Path(run).name)
    written = draw(profile, output)
    if (raced := draw_frontiers(profile)) is not None:
        written += save(raced, output, "frontiers")
    if studies := drawn(run, profile):
        written += save(draw_difficulty(studies), output, "difficulty")
    for path in written:
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)


@app.command()
def tasks() -> None:
    """List the tasks: how many problems, who grades them, where they come from, and what to install for them."""
    from isocompute.planner.report import listed
    from isocompute.runners.tasks import entries, generators

    listed(Console(), entries(), generators())


@app.command()
def runs(
    folders: Annotated[
        list[str] | None, typer.Argument(help="Where to look, and below; here if not given.", show_default=False)
    ] = None,
    json_: Json = False,
) -> None:
    """Say how far runs are: rows, failures, tokens, accuracy. They are only read, and may be written meanwhile.

    [bold]Examples[/]

      isocompute runs
      isocompute runs runs/demo s3://bucket/runs --json
    """
    from isocompute.planner.json_output import survey_json
    from isocompute.planner.run_report import surveyed
    from isocompute.runners.progress import survey

    folders = folders or ["."]
    found = [run for folder in folders for run in survey(folder)]
    if json_:
        print(json.dumps(survey_json(found), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        surveyed(Console(), found, folders)


@app.command()
def check(
    run: Annotated[str, typer.Argument(help="A run's folder.", show_default=False)],
    repair: Annotated[
        bool, typer.Option("--repair", help="Rename damaged parts to ….damaged, and keep their sound rows.")
    ] = False,
    json_: Json = False,
) -> None:
    """Read every part of a run and say what is damaged, what would be lost, and what to do. Ends in 1 if any is.

    [bold]Example[/]

      isocompute check runs/demo
    """
    from dataclasses import asdict

    from isocompute.planner.run_report import checked
    from isocompute.runners.check import check as examined
    from isocompute.runners.check import repair as mended
    from isocompute.runners.log import Run

    report = mended(Run(run)) if repair else examined(Run(run))
    whole = report.whole or (repair and examined(Run(run)).whole)
    if json_:
        print(json.dumps({"whole": whole, **asdict(report)}, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        checked(Console(), report, repair)
    raise typer.Exit(0 if whole else 1)


@app.command()
def tree(
    run: Annotated[str, typer.Argument(help="A run's folder.", show_default=False)],
    problem: Annotated[str, typer.Argument(help="A problem's name.", show_default=False)],
    strategy: Annotated[str | None, typer.Option(help="beam, dvts, rebase, particle or revise.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="Slots.")] = None,
    width: Annotated[int | None, typer.Option(help="Continuations of a kept beam.")] = None,
    lookahead: Annotated[int | None, typer.Option(help="Further steps sampled before scoring.")] = None,
    seed: Annotated[int | None, typer.Option(help="Which repetition.")] = None,
) -> None:
    """Show a search as a tree: each step with its score, its tokens and what became of it.

    [bold]Examples[/]

      isocompute tree runs/search lab-0-1-0
      isocompute tree runs/search lab-0-1-0 --strategy beam --n 16 --seed 0
    """
    from isocompute.planner.tree_report import listed as named
    from isocompute.planner.tree_report import narrowed, searched
    from isocompute.runners.log import Run
    from isocompute.runners.tables import PROBLEMS
    from isocompute.runners.tree_rows import tried

    there = Run(run)
    every = tried(there, problem)
    meant = narrowed(every, strategy, (n, width, lookahead, seed))
    if len(meant) != 1:
        named(Console(), problem, meant or every)
        raise typer.Exit(0 if meant else 1)
    questions = there.frame(PROBLEMS, ["problem_id", "question"]).set_index("problem_id")["question"]
    searched(Console(), questions[problem], *next(iter(meant.items())))


def quote(
    config: str,
    prices: tuple[float | None, float | None, float | None],
    rate: float | None,
    parameters: Sequence[float],
    sample: int,
    json_: bool,
) -> None:
    """Say what a sweep would cost."""
    from dataclasses import asdict

    from isocompute.planner.report import note
    from isocompute.planner.run_report import priced
    from isocompute.runners.config import read
    from isocompute.runners.price import Prices
    from isocompute.runners.quote import quote as price_of

    asked = read(config)
    with Console(stderr=True).status("sampling …" if sample else "counting …"):
        price = price_of(asked, Prices(*prices), rate, parameters, sample)
    if asked.scored or asked.searches:
        note(Console(stderr=True), "scores and searches are not in this price")
    if json_:
        print(json.dumps({"run": asked.run, **asdict(price)}, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        priced(Console(), asked.run, price)


def stop(number: int, frame: object) -> NoReturn:
    """End on a signal as on Ctrl-C: what is done reaches the disk, and the run is free again."""
    raise KeyboardInterrupt(number)


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
