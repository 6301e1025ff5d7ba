"""Studies of difficulty as Python objects: what to run on easy and on hard problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isocompute.api.profiles import FittedProfile
from isocompute.api.results import Result
from isocompute.api.runs import SOURCE_KINDS, OpenedRun, RunSource, require_path
from isocompute.errors import ConfigError
from isocompute.planner.difficulty import DIFFICULTY_SAMPLES, build_profile_study, build_source_study
from isocompute.planner.difficulty_study import DIFFICULTY_KINDS, DifficultyStudy
from isocompute.planner.profile import apply_costs
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.files import describe_place

if TYPE_CHECKING:
    import pandas as pd


class DifficultyResult(Result):
    """The strategy to run on each level of difficulty within each budget, and the gain from choosing by level.

    Args:
        study: the study.
    """

    def __init__(self, study: DifficultyStudy) -> None:
        self._study = study

    @property
    def warnings(self) -> list[str]:
        """The limits of the study, in sentences."""
        return self._study.warnings

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each budget and level, and level "all".

        Columns: budget, level, share, run, accuracy, low, high, one_for_all, gain, gain_low, gain_high. Accuracies are
        0 … 1, and NaN where the budget pays for nothing; the gain is that of all levels together.
        """
        import pandas as pd

        policy = self._study.policy
        rows: list[tuple[Any, ...]] = []
        for i, budget in enumerate(policy.budgets):
            accuracies, gain = policy.by_difficulty, (policy.gain[i], policy.gain_low[i], policy.gain_high[i])
            common_cells = (
                accuracies.accuracy[i],
                accuracies.low[i],
                accuracies.high[i],
                policy.one_for_all.accuracy[i],
            )
            rows.append((budget, "all", 1.0, None, *common_cells, *gain))
            for level in policy.levels:
                here = level.by_difficulty
                cells = (here.accuracy[i], here.low[i], here.high[i], level.one_for_all[i])
                rows.append((budget, str(level.level), level.problem_share, level.choices[i], *cells, None, None, None))
        names = ["budget", "level", "share", "run", "accuracy", "low", "high", "one_for_all"]
        return pd.DataFrame(rows, columns=[*names, "gain", "gain_low", "gain_high"])

    def to_dict(self) -> dict[str, Any]:
        """Return what ``isocompute difficulty --json`` prints."""
        from isocompute.api.json_schema.difficulties import build_difficulty_json

        return build_difficulty_json(self._study).to_dict()

    def _describe(self) -> list[str]:
        policy = self._study.policy
        name = describe_place(self._study.name).removeprefix("at ")
        known = np.flatnonzero(~np.isnan(policy.gain))
        if known.size:
            i = int(known[-1])
            percents = (100 * x for x in (policy.gain[i], policy.gain_low[i], policy.gain_high[i]))
            gain = "{:+.1f} points [{:+.1f}, {:+.1f}]".format(*percents)
            sentence = f"At {policy.budgets[i]:,.0f}x choosing by level gains {gain} over one choice for all"
        else:
            sentence = "No measured budget pays for both the estimate of the level and a strategy"
        return [
            f"Difficulty of {name} by {self._study.kind_description}: {self._study.problems} problems",
            sentence,
            *(f"warning: {warning}" for warning in self.warnings),
        ]


def difficulty(
    source: RunSource | FittedProfile,
    bins: str = "agreement",
    samples: int = DIFFICULTY_SAMPLES,
    *,
    lam: float | str | None = None,
    rho: float | None = None,
) -> DifficultyResult:
    """Choose what to run on easy and on hard problems, as ``isocompute difficulty`` does.

    Args:
        source: a run or its path; or a profile, its name or its file, which only ``bins="oracle"`` can use.
        bins: the measure of difficulty: oracle, estimate, agreement, score or level.
        samples: solutions from which difficulty is estimated; their cost is charged.
        lam: λ as a number, or a way of counting tokens: completion, prompts or cached.
        rho: ρ, the cost of scoring a solution in solutions.

    Raises:
        ConfigError: ``bins`` is unknown, or ``samples`` is not a whole number from 1.
        RunError, DataError: the source is missing or does not hold what ``bins`` needs, or λ or ρ is not a cost.
    """
    if not isinstance(bins, str) or bins not in DIFFICULTY_KINDS:
        raise ConfigError(f"bins={format_error_value(bins)} must be one of {', '.join(DIFFICULTY_KINDS)}.")
    if isinstance(samples, bool) or not isinstance(samples, int | np.integer) or samples < 1:
        raise ConfigError(f"samples={format_error_value(samples)} must be a whole number from 1.")
    if isinstance(source, FittedProfile):
        return DifficultyResult(build_profile_study(apply_costs(source._profile, lam, rho), bins))
    path = source.path if isinstance(source, OpenedRun) else require_path(source, "source", SOURCE_KINDS)
    return DifficultyResult(build_source_study(path, bins, samples, lam, rho))
