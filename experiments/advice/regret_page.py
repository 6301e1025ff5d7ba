"""The page docs/regret.md, from evaluated splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.advice.worlds import draw_world
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.evaluation.regret import ADVICE
from isocompute.planner.evaluation.rules import ALWAYS_SC, PUBLISHED_LAW

PAGE = Path(__file__).resolve().parents[2] / "docs" / "regret.md"
NAMES = {"lab": "lab", "gpqa": "GPQA", "world": "worlds", "second": "worlds of the second family"}
"""The names of the kinds of data in the tables, in their order."""
ABSENT = "The GPQA traces of the study's authors were not at hand when this page was made."
Floats = NDArray[np.float64]

TEXT = """# The regret of the advice

Made by `make regret`. The regret of an advice is the accuracy of the best allocation in hindsight within the budget
minus that of the advised one, in points, on problems that were not in the pilot. A pilot is a part of the problems of a
run, with a part of their solutions and verifications, drawn at random. The planner advises from the pilot alone, at
8x, 16x … 512x. `isocompute evaluate RUN` does the same for any run.

- The best allocation and the best fixed rule are chosen in hindsight, on the problems that score them. Nobody could
  have known them, and a planner that knew the task would have some regret too.
- "always SC" spends the budget on solutions. "law" is S = 0.66 C^0.57 with the rest of the budget for V, which the
  study published for GenRM with Llama-3.1-8B on MATH. "best fixed" is the best of all strategies with V fixed at 1, 2,
  4 …, for each data set, and each world, its own. None of them needs a pilot.
- "lab" is the shipped run `data/runs/lab` of 100 problems. "GPQA" are the authors' traces of Llama-3.3-70B on 64
  problems of GPQA-Diamond, at λ = 1 as in the study. A world has 200 problems.
- Pilots of the lab and of GPQA, and the problems that score them, are parts of one small set of problems. What is
  unusually good on a pilot is unusually bad on the rest, so that regret is larger than on fresh problems. Their errors
  are standard errors over {splits} splits of the same problems, not over other problems or tasks.
- Simulated worlds are drawn at random with a number as their seed (`experiments/advice/worlds.py`): how hard the
  problems are, how wrong answers spread, how good the verifier is, and λ. Worlds with even numbers made the planner's
  prior, and its settings were chosen on them. The worlds below have odd numbers, which were used for nothing else.
  The second family has other distributions of difficulty and of verdicts, which no even world has. Pilots of each shape
  in a world: {world_splits}. Errors are over worlds.
- Advice is made without intervals. Strategies that are drawn take fewer draws on a pilot than in `isocompute fit`. A
  fused vote is scored under the exponent learnt on the whole run.
{absent}
## Regret by pilot

Means ± standard errors and the 90th percentile in points; the share of plans that lose at most half a point and one
point; means of the rules without a pilot.

{regret}

## The advice by budget

{budgets}
"""


def write_page(page: Path, rows: Sequence[dict[str, Any]], splits: int) -> None:
    """Write the page.

    Args:
        page: its path.
        rows: a row for each split, as `experiments.advice.regret` saves them.
        splits: the number of splits of each shape of a run.
    """
    groups = group_rows(rows)
    known = {name for name, _ in groups}
    world_splits = 1 + max((row["split"] for row in rows if row["data"].startswith("world")), default=0)
    text = TEXT.format(
        splits=splits,
        world_splits=world_splits,
        absent="" if "gpqa" in known else f"- {ABSENT}\n",
        regret=build_regret_table(groups),
        budgets=build_budget_table(groups),
    )
    page.write_text(text, encoding="utf-8")


Groups = dict[tuple[str, PilotShape], dict[str, list[dict[str, Any]]]]


def group_rows(rows: Sequence[dict[str, Any]]) -> Groups:
    """Return kind of data and shape → data set → its rows; worlds of the second family are a kind of their own, too."""
    groups: Groups = {}
    for row in rows:
        kind, _, number = row["data"].partition("-")
        kinds = [kind, "second"] if number and draw_world(int(number)).is_second_family else [kind]
        for each in kinds:
            groups.setdefault((each, PilotShape(*row["shape"])), {}).setdefault(row["data"], []).append(row)
    return dict(sorted(groups.items(), key=lambda group: list(NAMES).index(group[0][0])))


def build_regret_table(groups: Groups) -> str:
    """Return the table of the regret of the advice and of the rules without a pilot."""
    lines = [
        "| data | pilot | cost | regret | 90 % | ≤ 0.5 | ≤ 1 | always SC | law | best fixed |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for (kind, shape), by_data in groups.items():
        share = np.mean([rows[0]["cost_share"] for rows in by_data.values()])
        plans = np.concatenate([extract_regret(rows, ADVICE).ravel() for rows in by_data.values()])
        cells = [
            f"{len(by_data)} {NAMES[kind]}" if kind in ("world", "second") else NAMES[kind],
            describe_shape(shape),
            f"{share:.1%}",
            summarise_data(by_data),
            f"{np.quantile(plans, 0.9):.2f}",
            f"{(plans <= 0.5).mean():.0%}",
            f"{(plans <= 1).mean():.0%}",
            *(f"{average_rule(by_data, rule):.2f}" for rule in (ALWAYS_SC, PUBLISHED_LAW)),
            describe_best_rule(by_data),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def build_budget_table(groups: Groups) -> str:
    """Return the table of the mean regret of the advice at each budget."""
    budgets = sorted({x for by_data in groups.values() for rows in by_data.values() for x in rows[0]["budgets"]})
    lines = [
        "| data | pilot | " + " | ".join(f"{x:,.0f}x" for x in budgets) + " |",
        "|---|---|" + "--:|" * len(budgets),
    ]
    for (kind, shape), by_data in groups.items():
        means = []
        for x in budgets:
            having = [rows for rows in by_data.values() if x in rows[0]["budgets"]]
            at = [extract_regret(rows, ADVICE)[:, rows[0]["budgets"].index(x)].mean() for rows in having]
            means.append(f"{np.mean(at):.2f}" if at else "–")
        lines.append(f"| {NAMES[kind]} | {describe_shape(shape)} | {' | '.join(means)} |")
    return "\n".join(lines)


def summarise_data(by_data: dict[str, list[dict[str, Any]]]) -> str:
    """Return the mean regret of the advice and its standard error, over worlds, or over the splits of one data set."""
    regrets = [extract_regret(rows, ADVICE) for rows in by_data.values()]
    units = np.array([each.mean() for each in regrets]) if len(regrets) > 1 else regrets[0].mean(axis=1)
    error = f" ± {units.std(ddof=1) / np.sqrt(len(units)):.2f}" if len(units) > 1 else ""
    return f"{units.mean():.2f}{error}"


def average_rule(by_data: dict[str, list[dict[str, Any]]], rule: str) -> float:
    """Return the mean regret of a rule."""
    return float(np.mean([extract_regret(rows, rule).mean() for rows in by_data.values()]))


def describe_best_rule(by_data: dict[str, list[dict[str, Any]]]) -> str:
    """Return the mean regret of each data set's best fixed rule, and its name if there is one data set."""
    best = {}
    for rows in by_data.values():
        means = {rule: extract_regret(rows, rule).mean() for rule in rows[0]["regret"] if rule != ADVICE}
        rule = min(means, key=lambda name: means[name])
        best[rule] = [*best.get(rule, []), means[rule]]
    mean = float(np.mean([value for values in best.values() for value in values]))
    return f"{mean:.2f} ({next(iter(best))})" if len(by_data) == 1 else f"{mean:.2f}"


def extract_regret(rows: Sequence[dict[str, Any]], rule: str) -> Floats:
    """Return the regret of a rule in points, (splits, nC)."""
    return 100 * np.array([row["regret"][rule] for row in rows])


def describe_shape(shape: PilotShape) -> str:
    """Return a pilot's numbers: problems × (solutions, verified, verifications)."""
    return f"{shape.problems} × ({shape.solutions}, {shape.verified}, {shape.verifications})"
