"""Fitting: a profile from the path of a run or of a published grid, with λ and ρ as they are given."""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.errors import ConfigError
from isocompute.planner.profile import Profile, apply_costs, check_costs, check_profile_output
from isocompute.planner.profile.numbers import LARGEST_NUMBER
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.unequal import check_fewest_solutions


def name_profile_file(output: str) -> str:
    """Return the file that a profile is written to: ``.json`` is added where it is missing.

    Raises:
        DataError: nothing can be written there.
    """
    target = output if output.endswith((".json", "/")) else f"{output}.json"
    check_profile_output(target)
    return target


def fit_profile(
    source: str,
    name: str,
    entry: str | None = None,
    lam: float | str | None = None,
    rho: float | None = None,
    parameters: Sequence[float] = (),
    read: float = 1.0,
    problems_with: int | None = None,
) -> Profile:
    """Estimate a profile.

    Args:
        source: a run's path, or the path of a grid of means, which ends in ``.json``.
        name: the profile's name.
        entry: which entry of a grid with several.
        lam: λ as a number, or a way of counting tokens.
        rho: ρ, the cost of scoring a solution in solutions.
        parameters: sizes of models that no folder tells: the solver's, the verifier's, the scorer's.
        read: what a token that is only read counts, where a decoded one counts 1.
        problems_with: leave out problems with fewer solutions and keep all others; if not given, see `read_pool`.

    Raises:
        RunError, DataError, EngineError: the source is missing, incomplete or damaged, or a number is bad.
        ConfigError: the source is a grid, which has no tokens for ``parameters`` and ``read``, nor solutions.
    """
    sizes, fewest = check_sizes(parameters, read), check_fewest_solutions(problems_with)
    check_costs(lam, rho)
    if source.endswith(".json"):
        from isocompute.planner.estimate.profile_from_grid import read_grid_profile

        if sizes or read != 1:
            raise ConfigError(
                "Model sizes (parameters) and the cost of a read token (read) are for a run; a grid has no tokens."
            )
        if fewest is not None:
            raise ConfigError("--problems-with (problems_with) is for a run; a grid has no solutions.")
        profile = read_grid_profile(source, entry, name)
    else:
        from isocompute.planner.estimate.profile_from_run import estimate_run_profile

        profile = estimate_run_profile(source, name, sizes, read, fewest)
    return apply_costs(profile, lam, rho)


def check_sizes(parameters: object, read: object) -> tuple[float, ...]:
    """Return the sizes of models as numbers.

    Raises:
        ConfigError: they are not a list of numbers, or what a read token counts is not a number.
    """
    each: list[object] = list(parameters) if isinstance(parameters, list | tuple) else [None]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (*each, read)):
        raise ConfigError("Model sizes (parameters) must be a list of numbers, and read must be a number.")
    for name, values in (("A model's size", each), ("The cost of a token that is read", [read])):
        for number in values:
            if not number > 0:  # type: ignore[operator]
                raise ConfigError(f"{name} is {number:g}; it must be above zero.")
            if number > LARGEST_NUMBER:  # type: ignore[operator]
                raise ConfigError(f"{name} is {format_error_value(number)}; it must be at most {LARGEST_NUMBER:g}.")
    return tuple(float(value) for value in each)  # type: ignore[arg-type]
