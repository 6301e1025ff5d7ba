"""Accuracy of searches on easy and on hard problems, at equal N and at equal compute, on the shipped run of searches.

    python -m experiments.searches

Reads data/runs/lab-search and writes docs/searches.md and its figures. Problems are grouped by the lab's own levels,
which do not depend on any solution, so the grouping does not favour selection among the same solutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isocompute.figures.plots.search_by_n import build_search_by_n_table, draw_search_by_n
from isocompute.figures.style import get_figure, render_figure
from isocompute.fits import compute_percentile_interval, draw_bootstrap_weights, resample_means
from isocompute.fits.choice.size_interpolation import (
    compute_usual_error,
    interpolate_amounts,
    measure_left_out_sizes,
)
from isocompute.planner.estimate.costs import RunCosts, measure_costs
from isocompute.planner.estimate.drawing import estimate_strategy
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.searches import measure_searches
from isocompute.planner.profile import Curve, read_profile
from isocompute.planner.strategies.registry import STRATEGIES, is_search
from isocompute.planner.strategies.search_sizes import measure_error_scale
from isocompute.runners.storage.files import write_output
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "data" / "runs" / "lab-search"
PAGE = ROOT / "docs" / "searches.md"
REPLICATES, SEED = 4000, 20250402
FIGURES: dict[str, Literal["N", "compute"]] = {"searches": "compute", "searches_by_n": "N"}
"""The files of the page's figures, with what stands along x."""
LEFT_OUT_PROFILES = ("lab-search", "lab-both-small")
KNOWN_SIZES = ((4, 8, 16), (16, 32, 64), (4, 16, 64))
"""Sizes in the middle of two others, on the logarithmic scale."""
CLAIMS = (
    ("beam ahead of Best-of-N at small N", "beam", "bon"),
    ("DVTS ahead of beam at large N", "dvts", "beam"),
    ("DVTS ahead of Best-of-N", "dvts", "bon"),
    ("REBASE ahead of beam", "rebase", "beam"),
    ("weighted ahead of vanilla Best-of-N", "prm-weighted", "bon"),
    ("the scorer ahead of votes", "prm-weighted", "sc"),
)
"""Claims, published or our own, and the two strategies that each compares."""


@dataclass(frozen=True, eq=False)
class StrategyLine:
    """A strategy: its sizes, the cost of each in x by way of counting tokens, and its accuracy on each problem."""

    name: str
    N: list[int]
    costs: dict[str, list[float]]
    accuracy: NDArray[np.float64]  # (P, sizes)

    def get_accuracy(self, N: int) -> NDArray[np.float64]:
        """Return the accuracy on each problem at one size."""
        return self.accuracy[:, self.N.index(N)]


def collect_lines(run: RunPool, costs: RunCosts) -> list[StrategyLine]:
    """Return all strategies of the run, at the sizes of its searches."""
    searches = measure_searches(run, costs)
    sizes = sorted({N for search in searches.values() for N in search.numbers["N"]})
    rhos = {way: np.nan if rho is None else 1 + rho for way, rho in costs.rhos.items()}
    names = ("sc", "bon", "prm-weighted")
    pooled = {name: estimate_strategy(STRATEGIES[name], run.pool, sizes, []).accuracy for name in names}
    found = [
        StrategyLine(
            name, sizes, {way: [N * (1 if name == "sc" else rho) for N in sizes] for way, rho in rhos.items()}, reached
        )
        for name, reached in pooled.items()
    ]
    for name, search in searches.items():
        costs = {way: [np.nan if cost is None else cost for cost in column] for way, column in search.costs.items()}
        found.append(StrategyLine(name, search.numbers["N"], costs, search.accuracy))
    return found


def format_mean(values: NDArray[np.float64], signed: bool = False) -> str:
    """Return a mean over problems with its interval, in percent or in points."""
    low, high = compute_percentile_interval(
        resample_means(values, draw_bootstrap_weights(len(values), REPLICATES, SEED))
    )
    form = "+.1f" if signed else ".1f"
    return f"{100 * values.mean():{form}} [{100 * low:{form}}, {100 * high:{form}}]"


def build_size_table(found: list[StrategyLine]) -> str:
    rows = ["| strategy | N | x, completion | x, cached | right, % |", "|:--|--:|--:|--:|--:|"]
    for line in found:
        for i, N in enumerate(line.N):
            costs = " | ".join(f"{line.costs[way][i]:.1f}" for way in ("completion", "cached"))
            rows.append(f"| {line.name} | {N} | {costs} | {format_mean(line.accuracy[:, i])} |")
    return "\n".join(rows)


def build_level_accuracy_table(found: list[StrategyLine], levels: NDArray[np.int64], N: int) -> str:
    names = [line.name for line in found]
    rows = [f"| level, N = {N} | {' | '.join(names)} |", "|:--|" + "--:|" * len(names)]
    for level in np.unique(levels):
        rows.append(f"| {level} | {' | '.join(format_mean(line.get_accuracy(N)[levels == level]) for line in found)} |")
    return "\n".join(rows)


def build_claims_table(found: list[StrategyLine], levels: NDArray[np.int64]) -> str:
    lines = {line.name.split("+")[0]: line for line in found}
    sizes = found[0].N
    rows = [f"| | problems | {' | '.join(f'N = {N}' for N in sizes)} |", "|:--|:--|" + "--:|" * len(sizes)]
    half = (int(levels.max()) + 1) // 2
    parts = {"all": levels > 0, f"levels 1–{half - 1}": levels < half, f"levels {half}–{levels.max()}": levels >= half}
    for claim, one, other in CLAIMS:
        if one in lines and other in lines:
            for part, inside in parts.items():
                gaps = [
                    format_mean((lines[one].get_accuracy(N) - lines[other].get_accuracy(N))[inside], signed=True)
                    for N in sizes
                ]
                rows.append(f"| {claim} | {part} | {' | '.join(gaps)} |")
    return "\n".join(rows)


def compare_at_equal_compute(run: RunPool, costs: RunCosts, found: list[StrategyLine]) -> str:
    """Compare each search with the pool at the same compute, or with the whole pool if that costs less."""
    rho = costs.rhos["completion"]
    assert rho is not None, "the run says its tokens"
    rows = ["| search | N | x | ahead of sc | of bon | of prm-weighted |", "|:--|--:|--:|--:|--:|--:|"]
    for line in found:
        for i, N in enumerate(line.N if is_search(line.name) else []):
            x = line.costs["completion"][i]
            votes, scores = (max(1, min(run.pool.scored_solutions, round(x / each))) for each in (1.0, 1 + rho))
            pooled = {"sc": votes, "bon": scores, "prm-weighted": scores}
            gaps = []
            for name, S in pooled.items():
                other = estimate_strategy(STRATEGIES[name], run.pool, [S], []).accuracy[:, 0]
                gaps.append(f"{format_mean(line.accuracy[:, i] - other, signed=True)} (S={S})")
            rows.append(f"| {line.name} | {N} | {x:.1f} | {' | '.join(gaps)} |")
    return "\n".join(rows)


def build_left_out_table() -> str:
    """Return what interpolation says of sizes that were run, without their own measurement."""
    rows = ["| profile | search | N | right, points | x, completion | solver, tokens | scorer, tokens |"]
    rows.append("|:--|:--|--:|--:|--:|--:|--:|")
    for profile in map(read_profile, LEFT_OUT_PROFILES):
        for name, part in profile.searches.items():
            for left in measure_left_out_sizes(part.numbers, part.array):
                at = part.numbers["N"].index(left.numbers["N"])
                weights = np.zeros((len(part.seeds), 1))
                weights[[at - 1, at + 1], 0] = 0.5  # sizes are powers of four
                columns = [part.get_costs("completion")]
                columns += [part.tokens[role]["prompt"] for role in ("solver", "scorer")]
                apart = [float(interpolate_amounts(column, weights)[0] / column[at] - 1) for column in columns]
                amounts = " | ".join(f"{100 * each:+.1f} %" for each in apart)
                rows.append(f"| {profile.name} | {name} | {left.numbers['N']} | {100 * left.error:+.1f} | {amounts} |")
    return "\n".join(rows)


def build_known_table() -> str:
    """Return what a line in log N between two numbers of solutions says of a number that a pool tells too."""
    rows = [f"| profile | strategy | {' | '.join(f'{at} from {a} and {b}' for a, at, b in KNOWN_SIZES)} |"]
    rows.append("|:--|:--|" + "--:|" * len(KNOWN_SIZES))
    for profile in map(read_profile, LEFT_OUT_PROFILES):
        for name in ("sc", "bon", "prm-weighted"):
            part = profile.strategies[name]
            assert isinstance(part, Curve), "none of them has verifications"
            means = dict(zip(part.solutions, part.array.mean(axis=0), strict=True))
            errors = [(means[a] + means[b]) / 2 - means[at] for a, at, b in KNOWN_SIZES]
            rows.append(f"| {profile.name} | {name} | {' | '.join(f'{100 * error:+.1f}' for error in errors)} |")
    return "\n".join(rows)


TEXT = """# Searches with a reward model, by difficulty and compute

Made by `python -m experiments.searches` from `data/runs/lab-search`: {problems} problems of the lab, of level 1, the
easiest, to level {hardest}, the hardest. The accuracy of a search is a mean over {seeds} seeds. Brackets hold 95 %
intervals over problems. `sc` votes, `bon` takes the best score of N solutions, `prm-weighted` lets each solution vote
with its score; the searches select among their candidates by a vote weighted by score. x is compute in solutions, of
the solver and, by its parameters, of the scorer. "x, completion" counts the tokens that were sampled or newly scored;
"x, cached" counts all tokens that were sampled or read, except those that a prefix cache held.

![accuracy against compute, by level](searches.png)

Papers compare at equal N. That is no equal cost: a search with N candidates, and N solutions with scores, cost more
than N votes. The best for each level is the method with the highest accuracy on the other problems of the level.

![accuracy against N, by level](searches_by_n.png)

{sizes}

{levels}

## At equal compute

The lead of a search over S solutions of the pool, in points, paired by problem. S is the number of solutions that comes
closest to the search's cost, or all that were scored if they cost less.

{equal}

## Published claims, checked here

Differences at equal N in points, paired by problem. In the experiments of Hugging Face (MATH-500, Llama-3.2-1B with an
8B reward model) beam search was ahead at small N and on hard problems, DVTS at large N and on easy ones, and Best-of-N
on easy ones. There a problem's level is how often the model itself is right.

{claims}

## Sizes in between

Advice (`plan`, `fit`'s frontier, `difficulty` and `next`) also takes sizes that were not run: between two sizes of a
search, the doublings of the smaller one. Accuracy is interpolated linearly in log N, problem by problem; cost, tokens
and seconds as powers of N. Such a size is marked: `interpolated` in JSON and in frames, `*` in tables, and no dot in
figures. Beyond the sizes that were run nothing is known, and nothing is advised. A size that was run is preferred where
it is within half a point and cheaper, or costs the same. Crossovers, the number of problems that is needed, `evaluate`
and plans over several models take only what was run.

How far off may it be? Each size with one on both sides can be left out, and compared with its interpolation. Here that
is N = 16 from 4 and 64, a gap of a factor of 16; in the table, interpolated minus measured:

{left_out}

Over pools of solutions every size is known, and a line in log N between two of them is off by so many points:

{known}

Curves flatten, so that the line is rather too low, and in a gap of a factor of 4 by less than half of what it is in one
of 16. The usual size of the error is what the planner's prior says of a strategy that was not simulated: a standard
deviation of {usual_4:.1f} points in the middle of a factor of 4, and of {usual_16:.1f} in that of 16. A factor on it
is measured, the root mean square of error over usual of the sizes left out, in which the prior counts as three more
sizes: {scales}.

The error is part of the interval of an accuracy, of leads and gaps, of P(best), and of a target's bound. In worlds
whose curves bend as the prior says, 90 to 96 % of the 95 % intervals hold, in sets of 150 to 200
(`tests/planner/test_search_sizes.py`), and 74 to 81 % without that error. If all the gain comes at once between two
sizes, no interpolation tells, and fewer hold. Costs in x are rather too low as well; their error is not in a plan.

N = 8 was run afterwards on the same problems with three seeds (runners/recipes/lab-search.yaml with `n: [4, 8, 16,
64]`; not shipped). Interpolated minus measured was +5.5 ± 2.4 points for beam search, +2.0 ± 1.7 for DVTS, -4.7 ± 2.1
for REBASE and -0.8 ± 2.3 for particle filtering, where ± is the standard error of the difference over problems, the
chance of the seeds included. That is within what chance and an error of 1.5 points explain. Costs in x were 0.7 to
1.8 % too low, tokens of the solver right to 0.3 %, and those of the scorer to 6 %.

`isocompute next RUN` asks for a size that advice rests on, or whose uncertainty costs most; for twice the largest size,
where that is recommended and the budget pays for more, or half of the smallest; and for more seeds, where the spread
over seeds costs most. It prints the entry to write under `searches`.
"""


def main() -> None:
    run = read_pool(Run(str(RUN)))
    costs = measure_costs(run)
    level = Run(str(RUN)).read_frame(PROBLEMS_TABLE, ["problem_id", "level"]).set_index("problem_id")["level"]
    found, levels = collect_lines(run, costs), level.loc[run.problem_ids].to_numpy(dtype=np.int64)
    seeds = max(max(search.seeds) for search in measure_searches(run, costs).values())
    text = TEXT.format(
        problems=len(levels),
        hardest=levels.max(),
        seeds=seeds,
        sizes=build_size_table(found),
        levels="\n\n".join(build_level_accuracy_table(found, levels, N) for N in found[0].N),
        equal=compare_at_equal_compute(run, costs, found),
        claims=build_claims_table(found, levels),
        left_out=build_left_out_table(),
        known=build_known_table(),
        usual_4=100 * compute_usual_error(8, 4, 16),
        usual_16=100 * compute_usual_error(16, 4, 64),
        scales=" and ".join(f"{measure_error_scale(read_profile(name)):.2f} ({name})" for name in LEFT_OUT_PROFILES),
    )
    PAGE.write_text(text, encoding="utf-8")
    table = build_search_by_n_table(read_profile(RUN.name))
    for name, against in FIGURES.items():
        figure = get_figure(draw_search_by_n(table, against=against)[0])
        for kind in ("png", "pdf"):
            write_output(str(PAGE.with_name(f"{name}.{kind}")), render_figure(figure, kind))
    print(f"Wrote {PAGE}.")


if __name__ == "__main__":
    main()
