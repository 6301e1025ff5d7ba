"""The commands that make runs and look at them, from sweep to tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from isocompute.cli.options import Json, print_json
from isocompute.errors import IsocomputeError

commands = typer.Typer()


def for_dry_runs(help_: str, *names: str, **settings: Any) -> Any:
    """Return an option of `sweep --dry-run`."""
    return typer.Option(*names, help=help_, rich_help_panel="With --dry-run", show_default=False, **settings)


@commands.command()
def sweep(
    config: Annotated[Path, typer.Argument(help="The sweep file (YAML).", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost; sample nothing.")] = False,
    tokens_per_second: Annotated[
        float | None, for_dry_runs("Completion tokens a second, of all requests together.")
    ] = None,
    sample: Annotated[
        int | None, for_dry_runs("Measure lengths and speed on so many problems, drawn at random, in memory.", min=1)
    ] = None,
    price_in: Annotated[float | None, for_dry_runs("Dollars for a million prompt tokens.")] = None,
    price_out: Annotated[float | None, for_dry_runs("Dollars for a million completion tokens.")] = None,
    price_hour: Annotated[float | None, for_dry_runs("Dollars for an hour of the machine.")] = None,
    parameters: Annotated[
        list[float] | None, for_dry_runs("Size of a model that is not in a folder here, as 8e9; twice for two models.")
    ] = None,
    json_: Annotated[bool, for_dry_runs("Print the price as JSON, for programs.", "--json")] = False,
) -> None:
    """Sample solutions and verifications into a run, score, and search. Run again when it was stopped, it goes on.

    [bold]Examples[/]

      isocompute sweep runners/recipes/lab-demo.yaml
      isocompute sweep runners/recipes/lab-demo.yaml --dry-run --tokens-per-second 9000 --price-hour 2.50
      isocompute sweep runners/recipes/lab-search.yaml --dry-run --sample 5
    """
    from isocompute.cli.screens.runs import swept
    from isocompute.cli.signals import stoppable
    from isocompute.runners.config.sweep import read
    from isocompute.runners.display import Live
    from isocompute.runners.sampling.sweep import sweep as sample_rows

    if dry_run:
        prices = (price_in, price_out, price_hour)
        with stoppable("stopped; nothing was written"):
            quote(str(config), prices, tokens_per_second, parameters or (), sample or 0, json_)
        return
    if json_ or parameters or {tokens_per_second, sample, price_in, price_out, price_hour} != {None}:
        raise typer.BadParameter("Speed, sample, prices, parameters and --json are for a --dry-run.")
    console = Console()
    whole = "stopped; what was written is whole, and the same command goes on from there"
    with stoppable(whole), Live(console) as display:
        summary = sample_rows(read(str(config)), display)
    swept(console, summary)
    if summary.lacking:
        raise typer.Exit(1)


@commands.command(name="import")
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
    from isocompute.cli.commands.import_run import imported, told_of
    from isocompute.runners.storage.files import refuse_memory

    refuse_memory(output)
    found = imported(format, path, output, grader, columns or [], Console(stderr=True))
    if json_:
        fields = {**vars(found), "imported": found.imported.model_dump(mode="json")}
        print_json(fields)
    else:
        told_of(Console(), found)


@commands.command()
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
    from isocompute.cli.screens.runs import regraded
    from isocompute.runners.grading import load
    from isocompute.runners.storage.regrade import own_grader, regrade
    from isocompute.runners.storage.run import Run

    there = Run(run)
    with load(grader or own_grader(there)) as chosen, Console(stderr=True).status("grading …"):
        found = regrade(there, chosen)
    if json_:
        print_json(vars(found))
    else:
        regraded(Console(), found)


@commands.command()
def tasks() -> None:
    """List the tasks: how many problems, who grades them, where they come from, and what to install for them."""
    from isocompute.cli.screens.runs import listed
    from isocompute.runners.tasks import entries, generators

    listed(Console(), entries(), generators())


@commands.command()
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
    from isocompute.cli.json_schema import survey_json
    from isocompute.cli.screens.runs import surveyed
    from isocompute.runners.storage.progress import survey

    folders = folders or ["."]
    found = [run for folder in folders for run in survey(folder)]
    if json_:
        print_json(survey_json(found))
    else:
        surveyed(Console(), found, folders)


@commands.command()
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

    from isocompute.cli.screens.runs import checked
    from isocompute.runners.storage.check import check as examined
    from isocompute.runners.storage.check import repair as mended
    from isocompute.runners.storage.run import Run

    report = mended(Run(run)) if repair else examined(Run(run))
    whole = report.whole or (repair and examined(Run(run)).whole)
    if json_:
        print_json({"whole": whole, **asdict(report)})
    else:
        checked(Console(), report, repair)
    raise typer.Exit(0 if whole else 1)


@commands.command()
def tree(
    run: Annotated[str, typer.Argument(help="A run's folder.", show_default=False)],
    problem: Annotated[str, typer.Argument(help="A problem's name.", show_default=False)],
    strategy: Annotated[str | None, typer.Option(help="beam, dvts, rebase, particle or revise.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="Slots.")] = None,
    width: Annotated[int | None, typer.Option(help="Continuations of a kept beam.")] = None,
    lookahead: Annotated[int | None, typer.Option(help="Further steps sampled before scoring.")] = None,
    seed: Annotated[int | None, typer.Option(help="Which repetition.")] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Draw it into this file: PNG, PDF or SVG.", show_default=False)
    ] = None,
) -> None:
    """Show a search as a tree: each step with its score, its tokens and what became of it.

    [bold]Examples[/]

      isocompute tree runs/search lab-0-1-0
      isocompute tree runs/search lab-0-1-0 --strategy beam --n 16 --seed 0
      isocompute tree runs/search lab-0-1-0 --strategy dvts --n 16 --seed 0 -o tree.png
    """
    from isocompute.cli.screens.search_tree import listed as named
    from isocompute.cli.screens.search_tree import narrowed, searched
    from isocompute.runners.search.rows import tried
    from isocompute.runners.storage.check import require_whole
    from isocompute.runners.storage.files import check_output, write_output
    from isocompute.runners.storage.run import Run
    from isocompute.runners.storage.schema import PROBLEMS

    there = Run(run)
    if output is not None:
        check_output(output)
    require_whole(there)
    every = tried(there, problem)
    meant = narrowed(every, strategy, (n, width, lookahead, seed))
    if len(meant) != 1:
        named(Console(), problem, meant or every)
        raise typer.Exit(0 if meant and output is None else 1)  # nothing is drawn of several
    questions = there.frame(PROBLEMS, ["problem_id", "question"]).set_index("problem_id")["question"]
    key, search = next(iter(meant.items()))
    if output is None:
        searched(Console(), questions[problem], key, search)
        return
    try:
        from isocompute.figures.search_tree import draw_tree, tree_image
    except ModuleNotFoundError as error:
        raise IsocomputeError(f"Figures need {error.name}: pip install 'isocompute[figures]'.") from None
    write_output(output, tree_image(draw_tree(questions[problem], key, search), output))
    Console().print(f"wrote {output}", highlight=False, soft_wrap=True)


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

    from isocompute.cli.screens.cost import priced
    from isocompute.runners.config.sweep import read
    from isocompute.runners.cost.estimate import quote as price_of
    from isocompute.runners.cost.price import Prices

    asked = read(config)
    with Console(stderr=True).status("sampling …" if sample else "counting …"):
        price = price_of(asked, Prices(*prices), rate, parameters, sample)
    if json_:
        print_json({"run": asked.run, **asdict(price)})
    else:
        priced(Console(), asked.run, price)
