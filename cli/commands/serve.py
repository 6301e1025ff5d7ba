"""`isocompute serve`: an OpenAI-compatible endpoint whose answers are sampled within a budget."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.planner import DEFAULT_PROFILE

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def serve(
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="A bundled profile's name, or a file from `fit`.")
    ] = DEFAULT_PROFILE,
    url: Annotated[
        list[str],
        typer.Option(
            metavar="ROLE=URL",
            help="A server of the solver, the verifier or the scorer; several of a role by repetition or with commas.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    model: Annotated[
        list[str],
        typer.Option(
            metavar="ROLE=NAME",
            help="The verifier's or the scorer's name at its server, if it has several models.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    budget: Annotated[str, typer.Option("--budget", "-b", help="Compute of a request that does not say.")] = "16x",
    policy: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE.json",
            help="fixed (the plan's allocation), a rule (certain, beta, window, doubling, weighted-beta, value), a "
            "policy file, off (one call), or auto: the cheapest of the allocation and the rules that the profile "
            "measured.",
        ),
    ] = "auto",
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Where the rule stops; the budget is then its most. Default: the profile's for the budget, or as "
            "published.",
            show_default=False,
        ),
    ] = None,
    most_budget: Annotated[str, typer.Option(help="The most that a request may ask for, in x.")] = "256x",
    grader: Annotated[
        str | None,
        typer.Option(
            help="How answers are read and grouped: math, numeric, letter … Default: that of the policy file, or math.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Beyond loopback, ISOCOMPUTE_SERVE_KEY must hold a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    width: Annotated[
        int, typer.Option(min=1, max=10**6, help="Solutions that are sampled side by side while a rule may stop.")
    ] = 4,
    running: Annotated[int, typer.Option(min=1, max=10**6, help="Requests that are answered at once.")] = 64,
    waiting: Annotated[int, typer.Option(min=0, max=10**6, help="Requests that may wait; more get 429.")] = 256,
    calls: Annotated[int, typer.Option(min=1, max=10**6, help="Calls to the servers behind at once.")] = 512,
    timeout: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds of a call.")] = 600.0,
    retries: Annotated[
        int, typer.Option(min=0, max=1000, help="How often a lost call is sent again, elsewhere if it can be.")
    ] = 4,
    drain: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds that requests have to end after SIGTERM.")
    ] = 60.0,
    prices: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Dollars per million tokens by model, for budgets in $.", show_default=False),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="a100, h100, h200, b200 or l4, for budgets in gpu-hours.", show_default=False)
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Requests decoded together, for budgets in seconds.", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what a request costs at most and on average; serve nothing.")
    ] = False,
) -> None:
    """Serve an OpenAI-compatible endpoint in front of another, which samples, verifies and votes within a budget.

    A client changes its base_url, and may send budget, deadline, target, policy and threshold with each request, in
    extra_body={"isocompute": {…}} or in headers such as x-isocompute-budget. docs/serve.md says what is returned and
    what is charged. A key of the servers behind is read from OPENAI_API_KEY.

    [bold]Examples[/]

      isocompute serve -p mine.json --url solver=http://localhost:8000/v1 -b 16x
      isocompute serve -p mine.json --url http://a:8000/v1,http://b:8000/v1
      isocompute serve -p mine.json --url http://a/v1 --url scorer=http://b/v1
      isocompute serve -p mine.json --url http://localhost:8000/v1 --dry-run
    """
    from isocompute.serving.endpoint.settings import build_serve_settings
    from isocompute.serving.endpoint.start import describe_dry_run, run_endpoint

    settings = build_serve_settings(
        profile,
        url,
        models=model,
        budget=budget,
        policy=policy,
        threshold=threshold,
        most_budget=most_budget,
        prices=prices,
        device=device,
        batch=batch,
        host=host,
        grader=grader,
        port=port,
        width=width,
        running=running,
        waiting=waiting,
        calls=calls,
        timeout=timeout,
        retries=retries,
        drain=drain,
    )
    console = open_console(stderr=not dry_run, soft_wrap=True)
    for line in describe_dry_run(settings):
        console.print(line)
    if not dry_run:
        console.print(f"Serving at http://{host}:{port}/v1; answers are read by the grader {settings.grader}.")
        run_endpoint(settings)
