"""`isocompute solve`: answer questions within a budget."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, OnOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def solve(
    questions: Annotated[
        str,
        typer.Argument(
            metavar="QUESTIONS", help="A CSV, JSON-lines or Parquet file, or one question as text.", show_default=False
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="RUN", help="The run that the rows go into.", show_default=False)
    ],
    profile: Annotated[
        str,
        typer.Option("--profile", "-p", help="A file from `fit`, or a bundled profile's name.", show_default=False),
    ],
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "-b",
            help="Compute of a question, in any unit of `plan`; of a policy on average.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="RULE|FILE.json",
            help="Decide while sampling: certain, beta, window, doubling, weighted-beta, value, or a policy file. "
            "Default: the plan's fixed allocation.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Where the rule stops, such as 0.95 for beta; the budget is then its most. Default: the profile's for "
            "the budget.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="SWEEP.yaml|RUN",
            help="Models, prompts and settings. Default: those that the profile was measured with.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Another engine: vllm, transformers or openai.", show_default=False)
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ROLE=]URL",
            help="An OpenAI-compatible server, such as http://localhost:8000/v1 or verifier=http://….",
            show_default=False,
        ),
    ] = None,
    prices: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Dollars per million tokens by model.", show_default=False),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=NAME",
            help="A column of the file, and what it is: question, id or answer.",
            show_default=False,
        ),
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The table of answers: .csv, .jsonl or .parquet.", show_default="RUN/answers.csv"
        ),
    ] = None,
    width: Annotated[
        int, typer.Option(min=1, max=10**6, help="Solutions of a question that a policy samples side by side.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Seed of all draws.")] = 0,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on even if none of the first 40 answers can be read.")
    ] = False,
    on: OnOption = None,
    json_: JsonOption = False,
) -> None:
    """Answer questions within a budget: by the plan's allocation, or by a policy that decides while it samples.

    The file has the column question, and perhaps id and answer (the right one, where it is known). All rows go into the
    run, with every token. Run the same command again to continue after a stop; only missing rows are sampled.

    [bold]Examples[/]

      isocompute solve questions.csv -o answers -p mine.json -b 32x
      isocompute solve "What is 17 * 23?" -o answers -p mine.json -b 8x
      isocompute solve questions.csv -o answers -p mine.json -b 32x --policy beta
      isocompute solve questions.csv -o answers -p mine.json --policy policy.json
      isocompute solve q.csv -o a -p mine.json -b 8x --url http://host:8000/v1
      isocompute solve questions.csv -o a -p mine.json -b 8x --config sweep.yaml
    """
    from isocompute.cli.screens.import_run import parse_columns_option
    from isocompute.cli.screens.solve import print_solved
    from isocompute.cli.signals import stop_on_signals
    from isocompute.planner.budget import Budget
    from isocompute.planner.profile import read_profile
    from isocompute.runners.display import LiveDisplay
    from isocompute.runners.storage.files import refuse_memory_path
    from isocompute.serving.approach import SolveRequest
    from isocompute.serving.solving import open_solving_models, solve_questions

    refuse_memory_path(output)
    request = SolveRequest(
        questions=questions,
        run=output,
        profile=read_profile(profile),
        budget=None if budget is None else Budget.parse(budget),
        policy=policy,
        threshold=threshold,
        config=config,
        engine=engine,
        urls=url or (),
        prices=prices,
        columns=parse_columns_option(columns or []),
        answers=answers,
        width=width,
        seed=seed,
        keep_going=keep_going,
    )
    stop_note = "stopped; the written rows are intact, and the same command continues from there"
    progress = open_console(stderr=True)
    with (
        stop_on_signals(stop_note),
        LiveDisplay(progress) as display,
        open_solving_models(on, display, request) as models,
    ):
        solved = solve_questions(request, models.display, **models.functions)
    if json_:
        from isocompute.api.json_schema.solves import build_solve_json

        print_json(build_solve_json(solved))
    else:
        print_solved(open_console(), solved)
