"""What figures are made from: a run, with all that is estimated from it, or a profile alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

from isocompute.figures.registry import FigureInput
from isocompute.planner.difficulty import DifficultyStudy, build_figure_studies
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.profile import Profile, find_bundled_profiles, read_profile
from isocompute.runners.storage.run import Run


@dataclass(frozen=True, eq=False)
class FigureSource:
    """What figures are made from.

    Args:
        profile: what was measured.
        run: what it was estimated from; None if there is only the profile.
        pool: of the run.
    """

    profile: Profile
    run: Run | None = None
    pool: RunPool | None = None

    @cached_property
    def studies(self) -> list[DifficultyStudy]:
        """The studies of difficulty; none of a profile of means."""
        return build_figure_studies(self.profile, self.pool)

    def get_input(self, needs: FigureInput) -> Profile | Run | list[DifficultyStudy] | None:
        """Return what a figure needs; None if this source does not have it, as none has a single search."""
        if needs == "profile":
            return self.profile
        if needs == "run":
            return self.run
        return self.studies or None if needs == "studies" else None


def open_figure_source(path: str) -> FigureSource:
    """Read a run or a profile.

    Args:
        path: a run's folder, a profile's file, or the name of a bundled profile.

    Raises:
        RunError, DataError: it is missing, incomplete or damaged.
    """
    if path.endswith(".json") or path in find_bundled_profiles():
        return FigureSource(read_profile(path))
    return read_figure_source(Run(path))


def read_figure_source(run: Run) -> FigureSource:
    """Read a run, and estimate its profile.

    Raises:
        RunError, DataError: it is missing, incomplete or damaged.
    """
    pool = read_pool(run)
    return FigureSource(build_profile(run, pool, measure_costs(pool), PurePath(run.root).name), run, pool)
