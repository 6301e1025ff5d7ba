"""`isocompute policies`: compare rules that stop early, and write the policy file of one."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import BatchOption, DeviceOption, JsonOption, LambdaOption, PricesOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def policies(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)],
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "-b",
            help="Mean compute per problem, in any unit of `plan` but seconds. Default: 128x.",
            show_default=False,
        ),
    ] = None,
    same_answer: Annotated[
        float | None,
        typer.Option(
            "--same-answer",
            metavar="SHARE",
            help="Instead: the largest share of problems with another answer than the full budget's, certified.",
            show_default=False,
        ),
    ] = None,
    width: Annotated[int, typer.Option("--width", min=1, max=10**6, help="Solutions sampled side by side.")] = 1,
    problems: Annotated[
        int | None,
        typer.Option("--problems", metavar="N", min=1, help="The budget is for N problems.", show_default=False),
    ] = None,
    cost: Annotated[
        str | None, typer.Option("--cost", metavar="MODEL", help="Cost model, as in `plan`.", show_default=False)
    ] = None,
    prices: PricesOption = None,
    device: DeviceOption = None,
    batch: BatchOption = None,
    lam: LambdaOption = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write a policy file (.json).", show_default=False),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="Rule of the policy file. Default: the cheapest of the most accurate.", show_default=False),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Compare rules that stop early: how accurate they are, what they cost on average, and what they save.

    Random orders of the run's own solutions and verdicts are replayed under each rule. Thresholds are chosen on other
    problems than those they are scored on: for a mean budget, or so that few problems get another answer than with the
    full budget. Savings are told against the same strategy at its full budget, and against the cheapest fixed plan that
    is as accurate.

    [bold]Examples[/]

      isocompute policies runs/mine --budget 64x
      isocompute policies runs/mine --same-answer 0.05 --width 4
      isocompute policies runs/mine -b 64x -o policy.json --rule weighted-beta
    """
    from isocompute.api.policies import DEFAULT_BUDGET, check_share
    from isocompute.cli.screens.policies import print_policies
    from isocompute.cli.screens.progress import show_progress
    from isocompute.errors import ConfigError
    from isocompute.fits.policies.policy import VALUE
    from isocompute.fits.policies.registry import STOP_RULES
    from isocompute.planner.budget import Budget
    from isocompute.planner.costs.request import build_request
    from isocompute.planner.policies.comparison import compare_run_policies
    from isocompute.planner.policies.learnt_policy import build_policy_file
    from isocompute.planner.policies.policy_file import check_policy_output, write_policy_file

    if budget is not None and same_answer is not None:
        raise ConfigError("Thresholds are chosen for --budget or for --same-answer; leave out one of the two.")
    if rule is not None and output is None:
        raise ConfigError("--rule names the rule of a policy file; add -o policy.json.")
    if rule is not None and rule not in (*STOP_RULES, VALUE):
        raise ConfigError(f"--rule must be one of {', '.join((*STOP_RULES, VALUE))}; got {rule!r:.60}.")
    if output is not None:
        check_policy_output(output)
    delta = None if same_answer is None else check_share(same_answer, "--same-answer ")
    request = build_request(
        Budget.parse(budget or DEFAULT_BUDGET),
        cost=cost,
        prices=prices,
        device=device,
        batch=batch,
        problems=problems,
        lam=lam,
    )
    with show_progress(open_console(stderr=True)) as report:
        found = compare_run_policies(run, request, delta, width, report)
    policy = None if output is None else build_policy_file(found, rule)
    if json_:
        from isocompute.api.json_schema.policies import build_policies_json

        print_json(build_policies_json(found))
    else:
        print_policies(open_console(), found)
    if policy is not None and output is not None:
        write_policy_file(policy, output)
        open_console(stderr=json_).print(
            f"wrote {output}: {policy.rule} {policy.threshold:.4g} within S={policy.solutions}",
        )
