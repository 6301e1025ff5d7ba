"""`isocompute report`: runs and profiles as one HTML file."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import BatchOption, DeviceOption, PricesOption
from isocompute.cli.screens.progress import show_progress
from isocompute.errors import IsocomputeError

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def report(
    source: Annotated[
        list[str], typer.Argument(metavar="RUN|PROFILE", help="Runs' folders, or profiles.", show_default=False)
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="The HTML file.", show_default=False)],
    prices: PricesOption = None,
    device: DeviceOption = None,
    batch: BatchOption = None,
) -> None:
    """Write a report: one HTML file that says what to run at any budget, and shows what that rests on.

    It holds charts, tables, samples and a data card, and loads nothing from anywhere. Its budget slider says what
    `plan` says. It takes a minute or two, because it holds the plans of all budgets.

    [bold]Examples[/]

      isocompute report lab -o report.html
      isocompute report lab-both-small lab-both-large -o report.html
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise IsocomputeError(f"Reports need {error.name}: pip install 'isocompute[figures]'.") from None
    from isocompute.figures.report.files import check_report_path, open_report_source, write_report

    check_report_path(output)

    with show_progress(open_console(stderr=True)) as show:
        opened = []
        for name in source:
            show(f"estimating {name}")
            opened.append(open_report_source(name))
        show("planning every budget")
        write_report(opened, output, prices=prices, device=device, batch=batch)
    open_console().print(f"wrote {output}", soft_wrap=True)
