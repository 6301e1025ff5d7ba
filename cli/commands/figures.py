"""`isocompute figures`: draw what was measured."""

from __future__ import annotations

import posixpath
from pathlib import PurePath
from typing import Annotated

import typer
from rich.console import Console

from isocompute.errors import IsocomputeError

commands = typer.Typer()


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
