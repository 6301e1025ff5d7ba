"""Profiles as Python objects: fitted from a run or a grid, or read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from isocompute.api.results import Result
from isocompute.api.runs import OpenedRun, RunSource, require_path
from isocompute.planner import DEFAULT_PROFILE
from isocompute.planner.compare import Comparison, compute_frontier
from isocompute.planner.estimate.fitting import fit_profile, name_profile_file
from isocompute.planner.findings import Findings, derive_findings
from isocompute.planner.power import StrategyPower, measure_strategy_power
from isocompute.planner.profile import Profile, read_profile
from isocompute.runners.parsing.printable import format_count

if TYPE_CHECKING:
    import pandas as pd

    from isocompute.figures.source import FigureSource


class FittedProfile(Result):
    """A profile: the accuracy of every strategy over its allocations, and what follows from it.

    Args:
        profile: what was measured.
        path: its file; None if it has none.
    """

    def __init__(self, profile: Profile, path: str | None = None) -> None:
        self._profile, self._path = profile, path

    @property
    def name(self) -> str:
        """The name of the profile."""
        return self._profile.name

    @property
    def description(self) -> str:
        """The model, the task, and where the numbers come from."""
        return self._profile.description

    @property
    def path(self) -> str | None:
        """The file it was read from or written to; None if it has none."""
        return self._path

    @property
    def problems(self) -> int:
        """The number of measured problems."""
        return self._profile.problems

    @property
    def strategies(self) -> list[str]:
        """The strategies that were measured."""
        return list(self._profile.strategies)

    @property
    def lam(self) -> float | None:
        """λ, the cost of a verification in solutions; None without verifications, or if it is unknown."""
        return self._profile.lam

    @property
    def warnings(self) -> list[str]:
        """The limits of the measurement, in sentences."""
        return list(self.to_dict()["warnings"])

    @cached_property
    def _frontier(self) -> list[tuple[float, Comparison]]:
        return compute_frontier(self._profile)

    @cached_property
    def _findings(self) -> Findings:
        return derive_findings(self._profile, self._profile.lam)

    @cached_property
    def _power(self) -> StrategyPower | None:
        return measure_strategy_power(self._profile, [x for x, _ in self._frontier])

    def save(self, path: str | os.PathLike[str]) -> FittedProfile:
        """Write the profile to a file, ``.json`` added where it is missing.

        Raises:
            DataError: it cannot be written there.
        """
        target = name_profile_file(require_path(path, "path"))
        renamed = self._profile.model_copy(update={"name": PurePath(target).stem})
        renamed.write(target)
        return FittedProfile(renamed, target)

    def to_frame(self) -> pd.DataFrame:
        """Return the frontier: the best allocation of each strategy within each power of two.

        Columns: budget, strategy, S, V, settings, compute, accuracy, measured_accuracy, low, high, probability_best,
        probability_highest, interpolated.
        """
        import pandas as pd

        rows = [{"budget": budget, **describe_option(option)} for budget, at in self._frontier for option in at.options]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``isocompute fit --json`` prints; ``profile`` is null without a file."""
        from isocompute.api.json_schema.fits import build_fit_json
        from isocompute.planner.policies.profile_policies import measure_profile_policies

        policies = measure_profile_policies(self._profile)
        found = build_fit_json(self._profile, self._findings, self._frontier, policies, self._power, self._path)
        return found.to_dict()

    def _open_figure_source(self) -> FigureSource:
        from isocompute.figures.source import FigureSource

        return FigureSource(self._profile)

    def _describe(self) -> list[str]:
        profile, (budget, at) = self._profile, self._frontier[-1]
        best = at.options[0]
        lam = "" if profile.lam is None else f"; λ = {profile.lam:.3g}"
        return [
            f"Profile '{profile.name}': {format_count(profile.problems, 'problem')}{lam}; "
            f"{', '.join(profile.strategies)}",
            profile.description,
            f"At {budget:,.0f}x the best is {best.strategy} {best.settings}; "
            f"{100 * at.expected_accuracy:.1f} % expected accuracy",
            *(f"warning: {warning}" for warning in profile.warnings),
        ]


ProfileSource = FittedProfile | str | os.PathLike[str]


def describe_option(option: Any) -> dict[str, Any]:
    """Return a strategy's option as cells of a frame."""
    low, high = option.interval or (None, None)
    return {
        "strategy": option.strategy,
        "S": option.solutions,
        "V": option.verifications,
        "settings": option.settings,
        "compute": option.compute,
        "accuracy": option.accuracy,
        "measured_accuracy": option.measured_accuracy,
        "low": low,
        "high": high,
        "probability_best": option.probability_best,
        "probability_highest": option.probability_highest,
        "interpolated": option.interpolated,
    }


def load_profile(profile: ProfileSource = DEFAULT_PROFILE) -> FittedProfile:
    """Read a profile: a bundled one by its name, or a file from `fit`.

    Raises:
        DataError: there is none, or it is not a profile.
    """
    if isinstance(profile, FittedProfile):
        return profile
    path = require_path(profile, "profile", "a profile, the name of a bundled one, or a path")
    return FittedProfile(read_profile(path), path)


def fit(
    source: RunSource,
    output: str | os.PathLike[str] | None = None,
    *,
    entry: str | None = None,
    lam: float | str | None = None,
    rho: float | None = None,
    parameters: Sequence[float] = (),
    read: float = 1.0,
    problems_with: int | None = None,
) -> FittedProfile:
    """Estimate a profile from a run or a published grid, as ``isocompute fit`` does.

    Args:
        source: a run, its path, or the path of a grid of means (``.json``).
        output: where the profile is written; nowhere if not given.
        entry: which entry of a grid with several.
        lam: λ as a number, or a way of counting tokens: completion, prompts or cached.
        rho: ρ, the cost of scoring a solution in solutions.
        parameters: sizes of models that no folder tells: the solver's, the verifier's, the scorer's.
        read: what a token that is only read counts, where a decoded one counts 1.
        problems_with: leave out problems with fewer solutions and keep all others; if not given, those with fewer
            than half of the pool's solutions are left out.

    Raises:
        RunError, DataError, EngineError: the source is missing, incomplete or damaged, or a number is bad.
        ConfigError: the source is a grid, which has no tokens for ``parameters`` and ``read``, nor solutions.
    """
    path = (
        source.path
        if isinstance(source, OpenedRun)
        else require_path(source, "source", "a run or a grid, or the path or URL of one")
    )
    target = None if output is None else name_profile_file(require_path(output, "output"))
    name = PurePath(path).name.removesuffix(".json") if target is None else PurePath(target).stem
    profile = fit_profile(path, name, entry, lam, rho, parameters, read, problems_with)
    if target is not None:
        profile.write(target)
    return FittedProfile(profile, target)
