"""The answers that a tool chose among solutions, beside those that its own rules choose among the answers read here.

Ties go to the first, as in the tool; estimates of a strategy break them at random.
Source: github.com/huggingface/search-and-learn at 6f81cac (src/sal/utils/math.py, utils/score.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from isocompute.runners.scorers.aggregate import aggregate_scores

LOGGED_AGGREGATE = "last"
"""The rule by which search-and-learn makes one score of step scores before it chooses, whatever its setting."""


@dataclass(frozen=True)
class ChoiceComparison:
    """The accuracy of a strategy on the first S solutions of each problem, as the tool chose and as read here.

    Args:
        strategy: the strategy.
        S: the number of solutions.
        problems: problems with a choice of the tool and S solutions that have what the strategy needs.
        logged: share of them whose answer in the log is right.
        ours: share of them whose answer here is right.
        differing: problems on which one is right and the other wrong.
    """

    strategy: str
    S: int
    problems: int
    logged: float
    ours: float
    differing: int


class LoggedChoices:
    """The tool's choices so far: whether each is right, by strategy, S and problem."""

    def __init__(self) -> None:
        self.verdicts: defaultdict[tuple[str, int], dict[str, bool]] = defaultdict(dict)

    def add_choice(self, strategy: str, S: int, problem: str, correct: bool) -> None:
        """Add whether the tool's choice is right."""
        self.verdicts[strategy, S][problem] = correct

    def compare_choices(self, solutions: pd.DataFrame, scores: pd.DataFrame) -> list[ChoiceComparison]:
        """Return the comparison of each strategy.

        Args:
            solutions: rows with problem_id, solution_id, answer, correct and status.
            scores: rows with problem_id, solution_id and step_scores.
        """
        keys = ["problem_id", "solution_id"]
        steps = scores.dropna(subset=["step_scores"]).set_index(keys)["step_scores"]
        known = {key: aggregate_scores(row, LOGGED_AGGREGATE) for key, row in steps.items()}
        ok = solutions[solutions["status"].eq("ok")].sort_values(keys)
        score = [known.get(key, float("nan")) for key in ok[keys].itertuples(index=False, name=None)]
        by_problem = {str(name): rows for name, rows in ok.assign(score=score).groupby("problem_id")}
        found = []
        for (strategy, S), verdicts in self.verdicts.items():
            both = []
            for problem, logged in verdicts.items():
                first = by_problem[problem].iloc[:S] if problem in by_problem else solutions.iloc[:0]
                if len(first) == S and (strategy == "sc" or first["score"].notna().all()):
                    weights = [1.0] * S if strategy == "sc" else first["score"].tolist()
                    ours = choose_solution(strategy, first["answer"].tolist(), weights)
                    both.append((logged, ours is not None and bool(first["correct"].iloc[ours])))
            if both:
                right, ours_right = (sum(each) / len(both) for each in zip(*both, strict=True))
                differing = sum(logged != ours for logged, ours in both)
                found.append(ChoiceComparison(strategy, S, len(both), right, ours_right, differing))
        return found


def choose_solution(strategy: str, answers: Sequence[str | None], weights: Sequence[float]) -> int | None:
    """Return a solution with the answer that search-and-learn would choose, the first of equals; None without answers.

    >>> choose_solution("sc", ["7", "8", None, "8"], [1, 1, 1, 1]), choose_solution("bon", ["7", None], [0.2, 0.9])
    (1, 1)
    """
    if strategy == "bon":
        return max(range(len(answers)), key=weights.__getitem__)
    totals: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if not pd.isna(answer):
            totals[str(answer)] = totals.get(str(answer), 0.0) + weight
    return answers.index(max(totals, key=totals.__getitem__)) if totals else None
