"""`isocompute sweep`: sample a run, or estimate its cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import OnOption, print_json
from isocompute.errors import RunError

commands = typer.Typer()


def make_dry_run_option(help_: str, *names: str, **settings: Any) -> Any:
    """Return an option that is valid with `sweep --dry-run` only."""
    return typer.Option(*names, help=help_, rich_help_panel="With --dry-run", show_default=False, **settings)


@commands.command(cls=HelpCommand)
def sweep(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="The sweep file (YAML).", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Estimate the cost; sample nothing.")] = False,
    tokens_per_second: Annotated[
        float | None, make_dry_run_option("Completion tokens per second, over all requests together.")
    ] = None,
    sample: Annotated[
        int | None,
        make_dry_run_option("Measure lengths and speed on this many random problems, in memory.", min=1),
    ] = None,
    price_in: Annotated[float | None, make_dry_run_option("Dollars per million prompt tokens.")] = None,
    price_out: Annotated[float | None, make_dry_run_option("Dollars per million completion tokens.")] = None,
    price_hour: Annotated[float | None, make_dry_run_option("Dollars per hour of the machine.")] = None,
    parameters: Annotated[
        list[float] | None,
        make_dry_run_option(
            "Parameter count of a model that is not in a local folder, such as 8e9; repeat it for each model."
        ),
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on even if none of the first 40 answers can be read.")
    ] = False,
    until: Annotated[
        str | None,
        typer.Option(
            help="Stop when the decision is good enough: 'regret < 1', or 'regret < 1 at 64x' (points of accuracy).",
            show_default=False,
        ),
    ] = None,
    on: OnOption = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Sample as the I-th of N processes that write the run on a shared disk, such as an array job.",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[bool, make_dry_run_option("Print the cost as JSON, for programs.", "--json")] = False,
) -> None:
    """Sample solutions and verifications into a run, score them, and search. Run it again to continue a stopped run.

    With --until, problems are sampled in random order, and after 20, 30, 45, 68 … of them the sweep stops if the regret
    to expect of the decision is low enough. The budget of the decision is 128x, or the highest measured cost below it.

    [bold]Examples[/]

      isocompute sweep mine.yaml
      isocompute sweep mine.yaml --until "regret < 1 at 64x"
      isocompute sweep mine.yaml --on ray://head:10001
      isocompute sweep mine.yaml --shard 3/8
      isocompute sweep mine.yaml --dry-run --tokens-per-second 9000
      isocompute sweep mine.yaml --dry-run --sample 5
    """
    from isocompute.cli.screens.runs import explain_empty_tables, print_sweep_summary
    from isocompute.cli.signals import stop_on_signals
    from isocompute.runners.cluster import open_model_loading
    from isocompute.runners.config.sweep_reading import read_sweep
    from isocompute.runners.display import LiveDisplay
    from isocompute.runners.sampling.shards import parse_shard, run_shard
    from isocompute.runners.sampling.sweep import run_sweep

    for option, value in (("--until", until), ("--on", on), ("--shard", shard)):
        if value is not None and dry_run:
            raise typer.BadParameter(f"{option} does not go with --dry-run.")
    if shard is not None and until is not None:
        raise typer.BadParameter("--shard does not go with --until.")
    if dry_run:
        prices = (price_in, price_out, price_hour)
        with stop_on_signals("stopped; nothing was written"):
            price_dry_run(config, prices, tokens_per_second, parameters or (), sample or 0, json_)
        return
    if json_ or parameters or {tokens_per_second, sample, price_in, price_out, price_hour} != {None}:
        raise typer.BadParameter("--tokens-per-second, --sample, prices, --parameters and --json need --dry-run.")
    own_shard = None if shard is None else parse_shard(shard)
    sweep_config = read_sweep(config)
    should_stop = None
    if until is not None:
        from isocompute.planner.pilot.stopping import parse_stopping_rule

        rule = parse_stopping_rule(until)
        rule.check_sweep(sweep_config)
        should_stop = rule.find_reason
    console = open_console()
    stop_note = "stopped; the written rows are intact, and the same command continues from there"
    with (
        stop_on_signals(stop_note),
        LiveDisplay(console) as display,
        open_model_loading(on, display, sweep_config) as models,
    ):
        if own_shard is not None:
            summary = run_shard(sweep_config, own_shard, models.display, keep_going=keep_going, **models.functions)
        else:
            summary = run_sweep(
                sweep_config, models.display, keep_going=keep_going, should_stop=should_stop, **models.functions
            )
    print_sweep_summary(console, summary)
    if summary.empty_tables:
        raise RunError(explain_empty_tables(summary))


def price_dry_run(
    config: str,
    prices: tuple[float | None, float | None, float | None],
    rate: float | None,
    parameters: Sequence[float],
    sample: int,
    json_: bool,
) -> None:
    """Print what a sweep would cost.

    Args:
        config: path of the sweep file.
        prices: dollars per million prompt tokens, per million completion tokens, and per hour of the machine.
        rate: completion tokens per second.
        parameters: sizes of models that are not in a local folder.
        sample: number of problems on which lengths and speed are measured first; 0 for none.
        json_: whether to print JSON.
    """
    from isocompute.cli.screens.cost import print_price
    from isocompute.runners.config.sweep_reading import read_sweep
    from isocompute.runners.cost.estimate import quote_sweep
    from isocompute.runners.cost.price import UnitPrices

    sweep_config = read_sweep(config)
    with open_console(stderr=True).status("sampling …" if sample else "counting …"):
        price = quote_sweep(sweep_config, UnitPrices(*prices), rate, parameters, sample)
    if json_:
        from isocompute.api.json_schema.prices import build_price_json

        print_json(build_price_json(sweep_config.run, price))
    else:
        print_price(open_console(), sweep_config.run, price)
