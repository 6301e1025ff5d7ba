"""`isocompute grade`: grade the answers of a run again."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import RegistryHelpCommand
from isocompute.cli.options import JsonOption, print_json

commands = typer.Typer()


@commands.command(cls=RegistryHelpCommand)
def grade(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)],
    grader: Annotated[str | None, typer.Option(help="One of {graders}; the run's own if not given.")] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Compare with a second grader, one of {graders}, or math-verify; write nothing."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Grade the answers of a run again, without sampling, and report how many changed.

    [bold]Examples[/]

      isocompute grade runs/mine --grader math
      isocompute grade runs/mine --against math-verify
    """
    from isocompute.cli.screens.runs import print_grader_comparison, print_regrading
    from isocompute.runners.grading import load_grader_by_name
    from isocompute.runners.storage.regrade import regrade_run, require_own_grader
    from isocompute.runners.storage.run import Run

    opened_run = Run(run)
    if against is not None:
        from isocompute.api.json_schema.grades import build_comparison_json
        from isocompute.runners.storage.grader_comparison import compare_graders

        with open_console(stderr=True).status("grading …"):
            comparison = compare_graders(opened_run, grader, against)
        if json_:
            print_json(build_comparison_json(comparison))
        else:
            print_grader_comparison(open_console(), comparison)
        return
    with (
        load_grader_by_name(grader or require_own_grader(opened_run)) as chosen,
        open_console(stderr=True).status("grading …"),
    ):
        summary = regrade_run(opened_run, chosen)
    if json_:
        from isocompute.api.json_schema.grades import build_grade_json

        print_json(build_grade_json(summary))
    else:
        print_regrading(open_console(), summary)
