"""Rules that stop early on real logs, with settings from other problems, against fixed plans and hindsight.

    python -m experiments.policies.rules_on_runs

Reads shipped runs, and the GPQA traces of the study's authors in the folder ISOCOMPUTE_SHARED_DATA (they are read,
never copied), and writes docs/policies.md. It takes about ten minutes on two cores.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from experiments.policies.frozen import build_frozen_table
from experiments.policies.studies import (
    GOALS,
    ROOT,
    Study,
    count_requests,
    format_interval,
    open_studies,
    simulate_study,
)
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.estimate import PolicyEstimate
from isocompute.fits.policies.savings import compute_savings
from isocompute.planner.policies.comparison import PolicyStudy
from isocompute.planner.policies.held_out_rules import HeldOutRule, choose_for_budget
from isocompute.planner.policies.policy_rows import PolicyGoal, PolicyRow, compare_paired

PAGE = ROOT / "docs" / "policies.md"
BUDGETS = (4.0, 8.0, 16.0, 25.0, 32.0, 50.0, 64.0, 128.0)
WORLDS = 3
MARGIN = 0.001
"""A rule is as accurate as its full budget if it loses at most a tenth of a point on the problems of the choice."""
LEAST_SAVING, LEAST_SHARE = 1.5, 0.6
"""The least saving of hindsight that counts, and the share of it that a rule should reach."""

TEXT = """# Rules that stop early

Made by `python -m experiments.policies.rules_on_runs`. Random orders of the solutions and verdicts of logs are replayed
under each rule. Thresholds, limits on the number of solutions (S ≤), and what `value` has learnt, come from other
problems than those that are scored; intervals are 95 % ones over problems, and differences are paired. Fixed plans are
the best allocation of any strategy within the budget, chosen on other problems too. On lab-both-small these include
votes weighted by a reward model, and searches, which no rule uses. `mean` and `p95` are compute of a problem; x is the
mean cost of one solution in completion tokens, and a solution counts the mean of its problem. A rule samples most where
problems are hard. Where these have long solutions, its mean compute is above its number of solutions; replays that
count solutions alone do not see that. The lab is priced in both ways.

`certain`, `beta`, `window` and `doubling` vote; `weighted-beta` verifies each solution once and lets it vote with its
verdict; `value` samples and verifies by P(right). `fixed` is how many times the rule's compute the cheapest fixed plan
needs that is as accurate, and `full` how many times the rule's own full budget is: that of the pool, whatever the
limit.

## Goals

{goals}

### Where they are not reached

- **The lab at 25x and 50x.** `value` comes near both accuracies and reaches neither. It has to tell, from few votes
  and verdicts, on which problems more of them would change the answer, and it learns this from four fifths of the
  lab's problems. What was tried: three models of P(right), of which the mixture states it best
  ([answer_models.md](answer_models.md)); the problems of a second run to learn from
  (`python -m experiments.policies.value_rule lab+`); weights of the gain that are shrunk towards usual ones; a choice
  among several rates of verification; dearer prices to learn over, for small budgets; and limits on S, which helped
  the rules that vote. None of these closes the gap.
- **lab-both-small.** The best fixed plans there are votes weighted by a reward model, and searches. No rule scores
  solutions, so none can follow them at large budgets.
- **GPQA.** The rule learns from four fifths of 64 problems, and there is no second run of these models to learn from.

## Frozen, then scored on new problems

Rules that were learnt on the lab's run, with thresholds chosen there, and fixed plans that were chosen there, all
frozen and then scored on data/runs/lab-fresh: 200 problems that were generated and sampled afterwards, and by whose
scores nothing was chosen, without the few whose question the lab's run has as well. The pool has 64 solutions of
each, each verified up to 8 times. `at` is the mean compute. `ahead` is the rule minus the plan on the new problems,
paired.

{frozen}

## Stopping without loss

Thresholds and limits that are the cheapest within a tenth of a point of the rule's own full budget, on other problems.
`loss` is accuracy minus that of the full budget. Hindsight knows in each order from which solution on the full budget's
answer leads. The simulated worlds are like the lab, with 200 problems, 32 solutions and 4 verifications of each, and
λ = 1.

{lossless}

{tables}
"""


def build_rows(study: PolicyStudy) -> list[str]:
    """Return the rows of a log: every rule at each budget that it can spend."""
    most = max(each.rule.full_cost for each in study.rules)
    lines = [
        "| budget | rule | threshold | S ≤ | accuracy | mean | p95 | same answer | full | fixed "
        "| ahead at equal compute |",
        "|--:|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for budget in (x for x in BUDGETS if x <= most):
        for row in study.compare(PolicyGoal(budget)).rows:
            lines.append(f"| {budget:g}x {format_row(row)}")
    return lines


def format_row(row: PolicyRow) -> str:
    """Return a rule as cells."""
    low, high = (f"{end:.2f}" if np.isfinite(end) else "never" for end in row.saving_fixed_interval)
    fixed = f"{row.saving_fixed:.2f}" if np.isfinite(row.saving_fixed) else "never"
    return (
        f"| {row.rule} | {row.threshold:.4g} | {row.limit} | {100 * row.accuracy:.1f} | {row.compute:.1f}x "
        f"| {row.percentile_95:.0f}x | {100 * row.same_answer:.1f} | {row.saving_full:.2f} | {fixed} [{low}, {high}] "
        f"| {format_interval(row.gain_equal, row.gain_equal_interval)} |"
    )


def choose_as_accurate(estimate: PolicyEstimate, clusters: Ints | None) -> int:
    """Return the cheapest setting within `MARGIN` of the accuracy of the full budget, which is the last one."""
    accuracy, compute = estimate.accuracy.mean(axis=0), estimate.compute.mean(axis=0)
    return int(np.where(accuracy >= accuracy[-1] - MARGIN, compute, np.inf).argmin())


def build_lossless_rows(name: str, study: Study) -> list[str]:
    """Return a row for each rule at the cheapest setting that loses nothing on other problems."""
    lines = []
    for each in study.rules:
        held = each.choose(choose_as_accurate)
        accuracy, compute = get_columns(held)
        rule, groups = each.rule, study.groups
        found = compute_savings(
            accuracy,
            compute,
            rule.estimate.accuracy[:, -1:],
            rule.full_compute[:, None],
            rule.hindsight,
            clusters=groups.clusters,
        )
        hindsight = rule.full_cost / float(rule.hindsight.mean())
        share = found.hindsight_share
        reached = "–" if share is None else f"{share.value:.0%} [{share.interval[0]:.0%}, {share.interval[1]:.0%}]"
        is_goal = hindsight > LEAST_SAVING and share is not None
        verdict = "" if not is_goal or share is None else "yes" if share.value >= LEAST_SHARE else "no"
        lines.append(
            f"| {name} | {rule.name} | {held.threshold:.4g} | {held.limit} | {100 * accuracy.mean():.1f} | "
            f"{compute.mean():.1f}x of {rule.full_cost:.0f}x | {found.against_full.value:.2f}x | "
            f"{format_interval(found.lead.value, found.lead.interval)} | {hindsight:.1f}x | {reached} | {verdict} |"
        )
    return lines


def get_columns(held: HeldOutRule) -> tuple[Floats, Floats]:
    """Return (P,) accuracy and compute of a rule, held out."""
    estimate = held.rule.estimate
    return held.average(estimate.accuracy), held.average(estimate.compute)


def build_goal_rows(name: str, study: PolicyStudy) -> list[str]:
    """Return a row for each goal against a fixed plan and each rule that verifies."""
    frontier, lines = study.build_frontier([fixed for _, fixed in GOALS]), []
    for mean, fixed in GOALS:
        at = frontier.find_plan(fixed)
        goal = frontier.accuracy[:, at]
        for each in study.rules:
            if not each.rule.verifications:
                continue
            accuracy, compute = get_columns(each.choose(choose_for_budget(mean)))
            gap = format_interval(float((accuracy - goal).mean()), compare_paired(accuracy, goal, study.groups))
            least = find_least(study, each.rule.name, float(goal.mean()))
            verdict = "yes" if accuracy.mean() >= goal.mean() and compute.mean() <= mean else "no"
            lines.append(
                f"| {name} | {100 * goal.mean():.1f} % at {fixed:g}x ({frontier.plans[at]}) | {each.rule.name} | "
                f"{mean:g}x | {compute.mean():.1f}x | {100 * accuracy.mean():.1f} % | {gap} | {least} | {verdict} |"
            )
    return lines


def find_least(study: PolicyStudy, rule: str, accuracy: float) -> str:
    """Return the least mean compute, of a fine ladder of budgets, at which a rule is as accurate, held out."""
    split = next(each for each in study.rules if each.rule.name == rule)
    for budget in np.geomspace(2, split.rule.full_cost, 60):
        reached, compute = get_columns(split.choose(choose_for_budget(float(budget))))
        if reached.mean() >= accuracy:
            return f"{compute.mean():.1f}x"
    return "never"


def build_equal_row(name: str, study: Study) -> str:
    """Return a row on the value rule over a ladder of budgets: its worst lead over the best fixed plan."""
    split = study.rules[-1]
    helds = [split.choose(choose_for_budget(float(x))) for x in np.geomspace(2, split.rule.full_cost, 16)]
    columns = [get_columns(held) for held in helds]
    frontier = study.build_frontier([float(compute.mean()) for _, compute in columns])
    leads = []
    for accuracy, compute in columns:
        fixed = frontier.accuracy[:, frontier.find_plan(float(compute.mean()))]
        leads.append((float((accuracy - fixed).mean()), compare_paired(accuracy, fixed, study.groups), compute.mean()))
    worst = min(leads, key=lambda lead: lead[0])
    below = sum(interval[1] < 0 for _, interval, _ in leads)
    behind = sum(lead < 0 for lead, _, _ in leads)
    return (
        f"| {name} | {len(leads)} | {behind} | {below} | {format_interval(worst[0], worst[1])} at {worst[2]:.1f}x | "
        f"{'yes' if below == 0 else 'no'} |"
    )


def main() -> None:
    goals = [
        "The accuracy of the best fixed plan, for a mean of at most 50x (that at 128x) and 25x (that at 64x). `least` "
        "is the least mean compute at which the rule is as accurate.",
        "",
        "| log | best fixed plan | rule | mean budget | mean | accuracy | ahead | least | reached |",
        "|:--|:--|:--|--:|--:|--:|--:|--:|:--|",
    ]
    equal = [
        "",
        "`value` over 16 mean budgets, against the best fixed plan of equal mean compute: how often it is behind, and "
        "how often beyond chance.",
        "",
        "| log | budgets | behind | beyond chance | worst lead | never worse beyond chance |",
        "|:--|--:|--:|--:|--:|:--|",
    ]
    lossless = [
        "| log | rule | threshold | S ≤ | accuracy | mean | saves | loss | hindsight saves | share | at least 60 % |",
        "|:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|:--|",
    ]
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for origin, study in open_studies(folder):
            name = Path(study.run.path).name
            if name == "lab":
                goals += build_goal_rows("lab", study)
                goals += build_goal_rows("lab, counted in requests", count_requests(study))
            equal.append(build_equal_row(name, study))
            lossless += build_lossless_rows(name, study)
            lam = "" if study.priced.lam is None else f", λ = {study.priced.lam:.2f}"
            head = f"## {name}\n\n{study.priced.profile.problems} problems{lam}: {origin}.\n"
            tables.append("\n".join([head, *build_rows(study)]))
            print(f"{name} is measured.", flush=True)
    for world in range(WORLDS):
        simulated = simulate_study(world)
        equal.append(build_equal_row(f"simulated world {world + 1}", simulated))
        lossless += build_lossless_rows(f"simulated world {world + 1}", simulated)
        print(f"World {world + 1} is measured.", flush=True)
    text = TEXT.format(
        goals="\n".join([*goals, *equal]),
        frozen=build_frozen_table(),
        lossless="\n".join(lossless),
        tables="\n\n".join(tables),
    )
    PAGE.write_text(text, encoding="utf-8")
    print(f"Wrote {PAGE}.")


if __name__ == "__main__":
    main()
