"""`isocompute import`: import another tool's logs into a run."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import RegistryHelpCommand
from isocompute.cli.options import JsonOption, ProblemsWithOption, print_json

commands = typer.Typer()


@commands.command(name="import", cls=RegistryHelpCommand)
def import_(
    format: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="One of {formats}.",
            show_default=False,
        ),
    ],
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The tool's output: a file or a folder.", show_default=False)
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="RUN", help="The new run.", show_default=False)],
    grader: Annotated[
        str | None,
        typer.Option(
            help="{graders}: read the answers from the texts; as-logged: take the answers that the tool read. "
            "If not given, one that fits the right answers.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=NAME", help="For table, counts: a column, and the name it has here.", show_default=False
        ),
    ] = None,
    filter: Annotated[
        str | None, typer.Option(help="Of lm-eval: the filter whose answers are read.", show_default="the first")
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            help="Of a log with several: the metric or scorer that says right or wrong.",
            show_default="the first that does",
        ),
    ] = None,
    failed: Annotated[
        str,
        typer.Option(metavar="drop|wrong", help="Leave out solutions that failed, or count them as wrong."),
    ] = "drop",
    deinterleave: Annotated[
        bool,
        typer.Option(
            "--deinterleave",
            help="Of search-and-learn before January 2025: put completions back under their own problems.",
        ),
    ] = False,
    task: Annotated[
        str | None, typer.Option(help="The task's name.", show_default="as the log or its file says")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The name of the model that solved.", show_default="as the log says")
    ] = None,
    problems_with: ProblemsWithOption = None,
    json_: JsonOption = False,
) -> None:
    """Import another tool's logs into a run, which can be checked, graded, fitted and planned like any other.

    What a format does not record, such as tokens, stays unknown.

    A table has a row for each solution or verification; a cell may hold a list.
    Its columns are problem_id, question, gold, solution_id, solution, answer,
    correct, score, verdict, … A table of counts has problem, n and right.

    [bold]Examples[/]

      isocompute import table mine.csv -o runs/mine --columns id=problem_id
      isocompute import table mine.csv -o runs/long --problems-with 8
      isocompute import counts passes.csv -o runs/code --task humaneval
      isocompute import lm-eval samples_gsm8k.jsonl -o runs/gsm8k
      isocompute import sc-genrm-scaling outputs -o runs/theirs --grader math
      isocompute import evalplus eval_results.json -o runs/plus --scorer base
      isocompute import search-and-learn bon.jsonl -o runs/old --deinterleave
    """
    from isocompute.cli.screens.import_run import import_with_progress, parse_columns_option, print_import
    from isocompute.runners.imports import ImportOptions
    from isocompute.runners.storage.files import refuse_memory_path

    refuse_memory_path(output)
    options = ImportOptions(
        grader, parse_columns_option(columns or []), filter, scorer, failed, deinterleave, task, model, problems_with
    )
    summary = import_with_progress(format, path, output, options, open_console(stderr=True))
    if json_:
        from isocompute.api.json_schema.grades import build_import_json

        print_json(build_import_json(summary))
    else:
        print_import(open_console(), summary)
