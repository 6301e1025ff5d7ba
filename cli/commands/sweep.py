"""`isocompute sweep`: sample, or say what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from isocompute.cli.options import print_json

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


def quote(
    config: str,
    prices: tuple[float | None, float | None, float | None],
    rate: float | None,
    parameters: Sequence[float],
    sample: int,
    json_: bool,
) -> None:
    """Say what a sweep would cost."""
    from isocompute.cli.json_schema import price_json
    from isocompute.cli.screens.cost import priced
    from isocompute.runners.config.sweep import read
    from isocompute.runners.cost.estimate import quote as price_of
    from isocompute.runners.cost.price import Prices

    asked = read(config)
    with Console(stderr=True).status("sampling …" if sample else "counting …"):
        price = price_of(asked, Prices(*prices), rate, parameters, sample)
    if json_:
        print_json(price_json(asked.run, price))
    else:
        priced(Console(), asked.run, price)
