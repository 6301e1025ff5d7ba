"""The result of a study of difficulty: the choice for each level, what it gains, and its limits in sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocompute.fits import ComputeOptimalPolicy
from isocompute.planner.policies.level_policies import LevelPolicy

DIFFICULTY_KINDS = ("oracle", "estimate", "agreement", "score", "level")
"""Ways to tell difficulty: by pass@1 of the pool or of a few solutions, agreement, verdicts, or the dataset."""
MIN_LEVEL_PROBLEMS = 10
"""With fewer problems in a level, the choice for the level is mostly luck."""


@dataclass(frozen=True, eq=False)
class DifficultyStudy:
    """The result of choosing by difficulty.

    Args:
        name: name of the run or profile.
        kind: how difficulty is measured, one of `DIFFICULTY_KINDS`.
        kind_description: the kind in words.
        in_practice: whether the level can be found without the gold answer.
        problems: number of problems.
        policy: the choice for each level within each budget, and its accuracy.
        charge: cost of finding the level, in x, which every budget has to pay.
        samples: number of solutions that the level is estimated from; a strategy over the pool goes on from them.
        notes: limits of the options, in sentences.
        policies: the rules that stop early at the same budgets on average, by level, the most accurate first; empty
            where they were not measured.
    """

    name: str
    kind: str
    kind_description: str
    in_practice: bool
    problems: int
    policy: ComputeOptimalPolicy
    charge: float
    samples: int
    notes: tuple[str, ...] = ()
    policies: tuple[LevelPolicy, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """The limits of the study, in sentences."""
        sentences = list(self.notes)
        if not self.in_practice:
            sentences.append(
                f"Difficulty by {self.kind_description} needs the right answers, so it cannot be used on new "
                "problems. It shows the gain if the level were known; by chance another kind can come out above it."
            )
        unaffordable = [f"{x:,.0f}x" for x in self.policy.budgets[np.isnan(self.policy.gain)]]
        if unaffordable:
            sentences.append(
                f"Finding the level costs {self.charge:,.3g}x, which a budget of {', '.join(unaffordable)} does not "
                "pay for."
            )
        levels = [level.level for level in self.policy.levels]
        empty_levels = [str(level) for level in range(1, levels[-1]) if level not in levels]
        if empty_levels and self.kind != "level":
            sentences.append(
                f"No problem is in level {', '.join(empty_levels)}: too many problems have the same estimated "
                "difficulty."
            )
        small_levels = [
            str(level.level) for level in self.policy.levels if level.problem_share * self.problems < MIN_LEVEL_PROBLEMS
        ]
        if small_levels:
            sentences.append(
                f"Level {', '.join(small_levels)} has fewer than {MIN_LEVEL_PROBLEMS} problems, so the choice there "
                "is mostly luck."
            )
        return sentences
