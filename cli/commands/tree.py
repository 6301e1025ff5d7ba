"""`isocompute tree`: show a search."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import RegistryHelpCommand
from isocompute.errors import ConfigError, IsocomputeError

commands = typer.Typer()


@commands.command(cls=RegistryHelpCommand)
def tree(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)],
    problem: Annotated[str, typer.Argument(metavar="PROBLEM", help="A problem's name.", show_default=False)],
    strategy: Annotated[str | None, typer.Option(help="One of {searches}.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="Number of slots.")] = None,
    width: Annotated[int | None, typer.Option(help="Continuations of each kept beam.")] = None,
    lookahead: Annotated[int | None, typer.Option(help="Steps sampled ahead before scoring.")] = None,
    seed: Annotated[int | None, typer.Option(help="Repetition of the search.")] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Draw the tree into this file: PNG, PDF or SVG.", show_default=False),
    ] = None,
) -> None:
    """Show a search as a tree: each step with its score, its fate (kept, dropped …), its tokens and its text.

    [bold]Examples[/]

      isocompute tree runs/mine PROBLEM
      isocompute tree runs/mine PROBLEM --strategy beam --n 16 --seed 0
      isocompute tree runs/mine PROBLEM --strategy beam --n 16 --seed 0 -o tree.png
    """
    from isocompute.cli.screens.search_tree import filter_searches, print_search_tree, print_searches
    from isocompute.runners.search.rows import read_problem_searches
    from isocompute.runners.storage.check import require_whole_run
    from isocompute.runners.storage.files import check_output_path, write_output
    from isocompute.runners.storage.run import Run
    from isocompute.runners.storage.schema import PROBLEMS_TABLE

    opened_run = Run(run)
    if output is not None:
        check_output_path(output)
    require_whole_run(opened_run)
    searches = read_problem_searches(opened_run, problem)
    matching_searches = filter_searches(searches, strategy, (n, width, lookahead, seed))
    if len(matching_searches) != 1:
        print_searches(open_console(), problem, matching_searches or searches)
        if not matching_searches:
            raise ConfigError(f"No search on '{problem}' has these options; all of its searches are listed.")
        if output is not None:
            raise ConfigError(
                "A file shows one search, and several match; select it with --strategy, --n, --width, --lookahead and "
                "--seed."
            )
        return
    questions = opened_run.read_frame(PROBLEMS_TABLE, ["problem_id", "question"]).set_index("problem_id")["question"]
    key, search = next(iter(matching_searches.items()))
    if output is None:
        print_search_tree(open_console(), questions[problem], key, search)
        return
    try:
        from isocompute.figures.plots.search_tree import build_search_tree_table, draw_search_tree, make_search_title
        from isocompute.figures.style import get_figure, render_file
    except ModuleNotFoundError as error:
        raise IsocomputeError(f"Figures need {error.name}: pip install 'isocompute[figures]'.") from None
    title = make_search_title(questions[problem], key, search)
    axes = draw_search_tree(build_search_tree_table(search), title=title)
    write_output(output, render_file(get_figure(axes), output, dpi=160))
    open_console().print(f"wrote {output}", soft_wrap=True)
