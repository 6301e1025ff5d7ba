"""`isocompute plan`, and the program `plan`: choose what to run within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import (
    BatchOption,
    DeviceOption,
    JsonOption,
    LambdaOption,
    PricesOption,
    RhoOption,
    VersionOption,
    print_json,
)
from isocompute.planner import DEFAULT_PROFILE

if TYPE_CHECKING:
    from isocompute.planner.costs.request import PlanRequest
    from isocompute.planner.profile import Profile

plan_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


commands = typer.Typer()


PLAN_HELP = """Recommend a strategy and its numbers for a budget, and say how certain that is.

[bold]128x[/] is 128 solutions' worth of compute per problem. [bold]128x-plateau[/] is 128 times the compute at which
voting flattens; Singhi et al. 2025 mean this by 128x. Other budgets: [bold]3.2M tokens[/], [bold]2e15 FLOPs[/],
[bold]$0.02[/], [bold]2 gpu-hours[/], and [bold]20 s[/] until the answer. With --problems N, all but x and s are totals
of the job. Every amount that a plan prints can be typed as a budget.

A plan ends with the words that it uses. Several profiles of the same problems are compared at equal cost. Bundled
profiles are lab-both-small, lab-both-large, lab, lab-search, llama-3.1-8b-math and qwen2.5-coder-1.5b-gsm-symbolic;
`isocompute fit` makes your own.

[bold]Examples[/]

  plan --budget 128x
  plan --budget 8x-plateau --profile llama-3.1-8b-math
  plan --budget 16x --profile qwen2.5-coder-1.5b-gsm-symbolic --lambda 1.5
  plan --budget '20k tokens' --profile lab --json
  plan --target 0.6 --latency '20 s'
  plan --budget '2e10 FLOPs' --profile lab-both-small --profile lab-both-large
  plan --budget '$20' --problems 5000 --prices prices.yaml --profile mine.json
  plan --budget 64x --profile mine.json --cap
  plan --budget 64x --profile mine.json --emit sweep.yaml
  plan --budget 64x --profile mine.json --emit policy.json
"""


@plan_app.command(cls=HelpCommand, help=PLAN_HELP, name="plan")
@commands.command(cls=HelpCommand, help=PLAN_HELP)
def plan(
    context: typer.Context,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "-b",
            help="Compute per problem: 128x, 128x-plateau, 3.2M tokens, 2e15 FLOPs, $0.02, 2 gpu-hours, 20 s.",
            show_default=False,
        ),
    ] = None,
    profile: Annotated[
        list[str],
        typer.Option(
            "--profile", "-p", help="A bundled profile's name, or a file from `fit`; give several to compare models."
        ),
    ] = [DEFAULT_PROFILE],  # noqa: B006
    problems: Annotated[
        int | None,
        typer.Option("--problems", metavar="N", min=1, help="The budget is for N problems.", show_default=False),
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(
            "--cost",
            metavar="MODEL",
            help="Cost model: tokens, prompts, cached, flops, kv, dollars or seconds. Default: that of the budget's "
            "unit.",
            show_default=False,
        ),
    ] = None,
    prices: PricesOption = None,
    device: DeviceOption = None,
    batch: BatchOption = None,
    target: Annotated[
        str | None,
        typer.Option("--target", help="Cheapest allocation that reaches this accuracy.", show_default=False),
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option("--latency", help="Longest expected time until an answer, such as 20 s.", show_default=False),
    ] = None,
    lam: LambdaOption = None,
    rho: RhoOption = None,
    cap: Annotated[
        bool, typer.Option("--cap", help="Compare limits on the length of solutions, from the run's own rows.")
    ] = False,
    emit: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write what carries it out: a sweep file (.yaml), or the most accurate policy (.json).",
            show_default=False,
        ),
    ] = None,
    json_: JsonOption = False,
    version: VersionOption = False,
) -> None:
    """Recommend a strategy and its numbers for a budget."""
    from isocompute.cli.screens.plan import describe_next_steps, print_plan
    from isocompute.planner.budget import Budget
    from isocompute.planner.caps import compare_caps
    from isocompute.planner.costs.request import build_request
    from isocompute.planner.priced_plan import make_priced_plan
    from isocompute.planner.profile import read_profile

    if budget is None and target is None and latency is None:
        context.fail("Missing option '--budget', such as 128x; --target or --latency may stand in its place.")
    request = build_request(
        None if budget is None else Budget.parse(budget),
        cost=cost,
        prices=prices,
        device=device,
        batch=batch,
        problems=problems,
        target=target,
        latency=latency,
        lam=lam,
        rho=rho,
    )
    if len(profile) > 1:
        if cap:
            context.fail("--cap compares limits on length for one profile; leave it out for several.")
        if emit is not None:
            context.fail("--emit writes the sweep file of one profile's plan; leave it out for several.")
        from isocompute.planner.models.model_plan import check_model_count

        check_model_count(len(profile))
        print_models([read_profile(name) for name in profile], request, json_)
        return
    measured = read_profile(profile[0])
    decision = make_priced_plan(measured, request)
    if emit is not None:
        from isocompute.serving.emitting import write_advice

        write_advice(decision, measured, emit)
    caps = compare_caps(decision.findings.profile, decision.budget) if cap else None
    if json_:
        from isocompute.api.json_schema.plans import build_plan_json

        print_json(build_plan_json(decision, caps))
    else:
        settings = (problems, cost, prices, device, batch, target, latency, lam, rho)
        is_plain = all(setting is None for setting in settings)
        steps = describe_next_steps(decision, measured, profile[0], budget if is_plain else None, emit)
        print_plan(open_console(), decision.findings.profile, decision, steps, caps)


def print_models(profiles: list[Profile], request: PlanRequest, as_json: bool) -> None:
    """Print a plan over several models."""
    from isocompute.cli.screens.models import print_model_plan
    from isocompute.planner.models.model_plan import make_model_plan

    decision = make_model_plan(profiles, request)
    if as_json:
        from isocompute.api.json_schema.model_plans import build_model_plan_json

        print_json(build_model_plan_json(decision))
    else:
        print_model_plan(open_console(), decision)
