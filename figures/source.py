"""The source of figures: a run with its estimates, or a profile alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import PurePath

from isocompute.figures.registry import FigureInput
from isocompute.planner.difficulty import build_figure_studies
from isocompute.planner.difficulty_study import DifficultyStudy
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.policies import add_policies
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.profile import Profile, find_bundled_profiles, read_profile
from isocompute.runners.storage.run import Run

MOST_RECENT = 2
"""The number of runs whose sources are kept, since a figure takes a second, and estimating the profile minutes."""
BLOCK_BYTES = 1 << 20
"""Bytes of a file that are read at once."""
RECENT_SOURCES: dict[bytes, FigureSource] = {}
"""The sources of the last runs of this process, by `digest_run`."""


@dataclass(frozen=True, eq=False)
class FigureSource:
    """The source of figures.

    Args:
        profile: the measurements.
        run: the run from which the profile was estimated; None if there is only the profile.
        pool: the run's pool; None likewise.
    """

    profile: Profile
    run: Run | None = None
    pool: RunPool | None = None

    @cached_property
    def studies(self) -> list[DifficultyStudy]:
        """The studies of difficulty; empty for a profile of means."""
        return build_figure_studies(self.profile, self.pool)

    def get_input(self, needs: FigureInput) -> Profile | Run | FigureSource | list[DifficultyStudy] | None:
        """Return the input that a figure needs; None if this source does not have it.

        No source has a single search, and one source alone has no profiles to compare, see `get_compared_input`.
        """
        if needs == "profile":
            return self.profile
        if needs == "run":
            return self.run
        if needs == "source":
            return self
        return self.studies or None if needs == "studies" else None


def get_compared_input(sources: Sequence[FigureSource]) -> list[Profile] | None:
    """Return the profiles of several sources, for a figure that compares them; None if there are fewer than two."""
    return [source.profile for source in sources] if len(sources) > 1 else None


def open_figure_source(path: str) -> FigureSource:
    """Read a run or a profile as a source of figures.

    Args:
        path: a run's folder, a profile's file (``.json``), or the name of a bundled profile.

    Raises:
        RunError, DataError: the run or profile is missing, incomplete or damaged.
    """
    if path.endswith(".json") or path in find_bundled_profiles():
        return FigureSource(read_profile(path))
    return read_figure_source(Run(path))


def read_figure_source(run: Run) -> FigureSource:
    """Read a run, and estimate its profile, unless one of the last sources of this process is of the same files.

    Raises:
        RunError, DataError: it is missing, incomplete or damaged.
    """
    run.read_manifest()  # raises if there is no run
    try:
        key = digest_run(run)
    except OSError:  # a file cannot be read, which is said below, or has just gone
        return estimate_figure_source(run)
    if key not in RECENT_SOURCES:
        RECENT_SOURCES[key] = estimate_figure_source(run)
    while len(RECENT_SOURCES) > MOST_RECENT:
        del RECENT_SOURCES[next(iter(RECENT_SOURCES))]
    return RECENT_SOURCES[key]


def digest_run(run: Run) -> bytes:
    """Return a digest of a run's path and of the names and contents of its files."""
    digest = blake2b(run.path.encode("utf-8", "replace"))
    for file in sorted(run.fs.find(run.root)):
        digest.update(f"\n{file} {run.fs.size(file)}\n".encode("utf-8", "replace"))
        with run.fs.open(file, "rb") as content:
            for block in iter(partial(content.read, BLOCK_BYTES), b""):
                digest.update(block)
    return digest.digest()


def estimate_figure_source(run: Run) -> FigureSource:
    """Estimate the profile of a run."""
    pool = read_pool(run)
    profile = build_profile(run, pool, measure_costs(pool), PurePath(run.root).name)
    return FigureSource(add_policies(profile, pool), run, pool)
