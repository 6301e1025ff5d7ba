"""Sweeps on 8, 64 and 1,000 replicas, simulated: time to finish, work repeated, and what breaks first.

    python -m experiments.cluster [--share 0.125] [--seeds 5] [--processes 2]

Writes docs/clusters.md and its figure. What is simulated is kept in experiments/cluster/outcomes.json, so that a run
that was stopped goes on; what was measured here is made by `python -m experiments.cluster.measure`.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from textwrap import fill

from matplotlib.axes import Axes

from experiments.cluster import published
from experiments.cluster.checks import Check, build_check_table, check_doubles, check_workers
from experiments.cluster.page import SHARED, TEXT, WORKERS
from experiments.cluster.published import Plan, build_kind, read_measured
from experiments.cluster.simulation import Outcome
from experiments.cluster.study import (
    LIMITS,
    SHARDED,
    compute_interval,
    extend_seconds,
    list_plans,
    simulate_plans,
)
from isocompute.figures.style import get_figure, prepare_axes, render_figure
from isocompute.runners.engines.replicas import REMEMBERED_PROMPTS
from isocompute.runners.storage.files import write_output

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, FIGURE = DOCS / "clusters.md", DOCS / "clusters"

Outcomes = dict[tuple[str, int], Outcome]


def list_outcomes(found: Outcomes, plan: Plan) -> list[Outcome]:
    """Return the outcomes of a plan, by seed."""
    return [outcome for (name, _), outcome in sorted(found.items()) if name == plan.name]


def get_hours(found: Outcomes, plan: Plan) -> tuple[float, float, float]:
    """Return the hours of the whole study on a plan, with their interval."""
    mean, low, high = compute_interval([extend_seconds(plan, one) for one in list_outcomes(found, plan)])
    return mean / 3600, low / 3600, high / 3600


def format_hours(found: Outcomes, plan: Plan) -> str:
    """Return the hours of a plan in three digits, with their interval if there are several seeds."""
    mean, low, high = get_hours(found, plan)
    return f"{mean:.3g}" if low != low else f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def format_share(share: float) -> str:
    """Return a share in percent, with two digits below ten."""
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def describe_plan(plan: Plan) -> str:
    """Return a plan in words."""
    lease = "all at once" if plan.lease is None else f"{plan.lease} solutions a lease"
    drivers = "1 driver" if plan.drivers == 1 else f"{plan.drivers} drivers"
    failures = "" if plan.failures == 1 else f", {plan.failures:g} times the failures"
    return f"{plan.replicas:,} replicas, {drivers}, {lease}, parts of {plan.part_seconds:g} s{failures}"


def build_plan_table(found: Outcomes, plans: list[Plan]) -> str:
    """Return the outcomes of plans as a table."""
    rows = [
        "| plan | problems | seeds | hours | used | driver's CPU | waits for the store | tail | failures | repeated |",
        "|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for plan in plans:
        outcomes = list_outcomes(found, plan)
        work = plan.problems * published.SOLUTIONS * (1 + published.VERIFICATIONS) * published.TOKENS_PER_REQUEST
        ideal = published.TOKENS / (plan.replicas * build_kind().most_tokens) / 3600
        means = [
            sum(getattr(one, name) for one in outcomes) / len(outcomes)
            for name in ("driver_cpu", "driver_store", "tail", "repeated_tokens")
        ]
        shares = [ideal / get_hours(found, plan)[0], *means[:3], means[3] / work]
        failed = sum(one.replica_failures + one.node_failures for one in outcomes) / len(outcomes)
        cells = " | ".join([*map(format_share, shares[:4]), f"{failed:.2g}", format_share(shares[4])])
        rows.append(
            f"| {describe_plan(plan)} | {plan.problems} | {len(outcomes)} | {format_hours(found, plan)} | {cells} |"
        )
    return "\n".join(rows)


def build_limit_table(found: Outcomes, plans: list[Plan]) -> str:
    """Return the hours of one driver when one of its limits is taken away, as a table."""
    before = get_hours(found, plans[0])[0]
    rows = ["| taken away | hours | saved |", "|:--|--:|--:|"]
    for plan in plans:
        saved = format_share(max(0.0, 1 - get_hours(found, plan)[0] / before)) if plan.without else ""
        rows.append(f"| {LIMITS.get(plan.without, 'nothing')} | {format_hours(found, plan)} | {saved} |")
    return "\n".join(rows)


def draw_hours(found: Outcomes, plans: list[Plan], sharded: Plan) -> Axes:
    """Draw the hours of one driver at 1,000 replicas, without each of its limits, and those of several drivers."""
    names = [f"without {LIMITS[plan.without]}" if plan.without else "1 driver" for plan in plans]
    names = [*names, f"{sharded.drivers} drivers", "all slots always at work"]
    hours = [get_hours(found, plan)[0] for plan in (*plans, sharded)]
    hours.append(published.TOKENS / (sharded.replicas * build_kind().most_tokens) / 3600)
    with prepare_axes(None, size=(6.75, 2.8)) as (axes,):
        axes.barh(names[::-1], hours[::-1], color="#4477aa")
        for name, each in zip(names, hours, strict=True):
            axes.text(each, name, f" {each:.2g}", va="center")
        axes.set_xlabel("hours to finish the study on 1,000 replicas")
        axes.margins(x=0.1)
    return axes


def describe_checks(checks: list[Check]) -> str:
    """Say which checks are not inside, and which say little."""
    outside, noisy = (
        ", ".join(f"{check.count} {check.what}{'s' if check.count > 1 else ''}" for check in some)
        for some in (
            [check for check in checks if not check.is_inside],
            [check for check in checks if check.is_inside and check.is_noisy],
        )
    )
    verdict = f"Not inside: {outside}." if outside else "All are inside."
    return f"{verdict} Their repeats differ too much to say more: {noisy}." if noisy else verdict


def wrap_prose(text: str) -> str:
    """Return a page with the lines of its paragraphs and lists wrapped anew.

    >>> wrap_prose("a\\nb\\n\\n| c |\\n| d |\\n")
    'a b\\n\\n| c |\\n| d |\\n'
    """
    blocks = []
    for block in text.strip().split("\n\n"):
        items = [" ".join(item.split()) for item in re.split(r"\n(?=- )", block)]
        indent = "  " if block.startswith("- ") else ""
        wrapped = [fill(item, 120, subsequent_indent=indent, break_long_words=False) for item in items]
        blocks.append(block if block[0] in "|#![" else "\n".join(wrapped))
    return "\n\n".join(blocks) + "\n"


def render_page(found: Outcomes, tables: dict[str, list[Plan]], command: str) -> str:
    """Return the page."""
    measured, kind = read_measured(), build_kind()
    driver, sharded = measured["driver"], tables["sizes"][-1]
    dealing = {int(count): seconds for count, seconds in driver["dealing"].items()}
    row = driver["verification"]
    alone = tables["limits"][0]
    needed = alone.replicas * kind.most_tokens / published.TOKENS_PER_REQUEST
    _, low, high = get_hours(found, sharded)
    checks = check_doubles(measured) + (check_workers(measured) if "workers" in measured else [])
    varied = [*tables["drivers"], *tables["leases"], *tables["parts"], *tables["failures"]]
    text = TEXT.format(
        command=command,
        shared_cluster="" if sharded.share == 1 else SHARED.format(share=sharded.share),
        sizes=build_plan_table(found, tables["sizes"]),
        limits=build_limit_table(found, tables["limits"]),
        varied=build_plan_table(found, list(dict.fromkeys(varied))),
        checks=build_check_table(checks),
        verdict=describe_checks(checks),
        alone=1e3 * kind.law.alone,
        shared=1e6 * kind.law.shared,
        error=100 * kind.law.error,
        most=kind.most_tokens,
        slots=kind.slots,
        tokens=published.TOKENS_PER_REQUEST,
        prompt=1e6 * kind.prompt_seconds,
        gpu_years=1 / published.GPU_FAILURES_PER_HOUR / 24 / 365,
        node_days=1 / published.NODE_FAILURES_PER_HOUR / 24,
        solution=1e6 * driver["solution"],
        verification=1e6 * row,
        dealing=", ".join(f"{1e6 * seconds:.3g} µs among {count:,}" for count, seconds in dealing.items()),
        driver_load=max(driver["load"]),
        dealing_most=1e6 * dealing[1000],
        remembered=REMEMBERED_PROMPTS,
        cached=format_share(list_outcomes(found, alone)[0].cached),
        apart=(high - low) / 2,
        most_failures=tables["failures"][0].failures,
        workers=WORKERS.format(error=100 * measured["workers"]["law"]["error"]) if "workers" in measured else "",
        rows_alone=1 / (row + dealing[1000]),
        needed=needed,
        breaks=1 / (row + dealing[1000]) * published.TOKENS_PER_REQUEST / kind.most_tokens,
        row_bytes=published.TOKENS_PER_REQUEST * published.TEXT_BYTES_PER_TOKEN,
        loads=", ".join(
            f"{name} {measured[name]['load'][0]:.0f} to {measured[name]['load'][1]:.0f}"
            for name in ("doubles", "workers")
            if name in measured
        ),
        cores=driver["cores"],
        starting=published.COLD_START_SECONDS / 3600,
        hours_alone=get_hours(found, alone)[0],
        hours_sharded=get_hours(found, sharded)[0],
        drivers=SHARDED.drivers,
        replicas_each=round(SHARDED.replicas / SHARDED.drivers),
    )
    return wrap_prose(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="share of 1,000 replicas, and of the study on them")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the first table; the others have one")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    tables = list_plans(args.share)
    plans = {plan.name: plan for each in tables.values() for plan in each}
    seeds = dict.fromkeys(plans, 1) | {plan.name: args.seeds for plan in tables["sizes"]}
    found = simulate_plans(plans.values(), seeds, args.processes)
    command = f"python -m experiments.cluster --share {args.share:g} --seeds {args.seeds}"
    PAGE.write_text(render_page(found, tables, command), encoding="utf-8")
    figure = get_figure(draw_hours(found, tables["limits"], tables["sizes"][-1]))
    for ending in ("png", "pdf"):
        write_output(str(FIGURE.with_suffix(f".{ending}")), render_figure(figure, ending))


if __name__ == "__main__":
    main()
