"""What was a run's work, in tokens by way of counting, and what is that in solutions?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits import Work, counted, in_solutions, verification_ratios
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.cost.model_size import model_sizes
from isocompute.runners.storage.provenance import Imported
from isocompute.runners.storage.run import Run

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """How large a run's models are, and what a token that is read counts.

    Args:
        parameters: by role; None where nobody says.
        read: what a token that is read counts, where a decoded one counts 1.
    """

    parameters: Mapping[str, float | None]
    read: float = 1.0

    def relative(self, role: str) -> float:
        """Return a model's parameters over the solver's; 1 if one of the two is unknown."""
        own, solver = self.parameters.get(role), self.parameters.get("solver")
        return 1.0 if own is None or solver is None else own / solver


def sizes(origin: Sweep | Imported, given: Sequence[float] = (), read: float = 1.0) -> Sizes:
    """Return how large a run's models are: as the checkpoint in a folder says, else as was given.

    Args:
        origin: what the run was made by.
        given: sizes of models that no folder here tells: the solver's, the verifier's, the scorer's, of those there
            are; the last one holds on.
        read: what a token that is read counts.

    Raises:
        DataError: a size or a weight that can be none.
        EngineError: a checkpoint cannot be read.
    """
    for name, number in (*(("A model's size", size) for size in given), ("What a token that is read counts", read)):
        if not (number > 0 and np.isfinite(number)):
            raise DataError(f"{name} is {number:g}; it must be above zero.")
    return Sizes(model_sizes(models_of(origin), given), read)


def models_of(origin: Sweep | Imported) -> dict[str, str]:
    """Return a run's models by role."""
    return origin.all_models if isinstance(origin, Sweep) else dict(origin.models)


def assumed(origin: Sweep | Imported, known: Sizes) -> list[str]:
    """Say what the cost of a scorer rests on: how large it is, or that nobody says, and what reading counts."""
    said = [] if known.read == 1 else [f"A token that is read counts {known.read:g} of one that is decoded."]
    models = models_of(origin)
    if models.get("scorer") in (None, models.get("solver")):
        return said
    if None not in (known.parameters.get("solver"), known.parameters.get("scorer")):
        return [*said, f"A token of the scorer counts {known.relative('scorer'):.3g} of the solver's, by parameters."]
    return [*said, "The size of the solver or of the scorer is unknown; a token is taken to cost both the same. "
                   "--parameters gives sizes."]  # fmt: skip


def generated(frame: pd.DataFrame, read: float) -> dict[str, Array]:
    """Return the tokens of rows that were sampled and are ok, by way of counting."""
    sampled = frame[frame["status"] == "ok"]
    return counted(*columns(sampled, "completion_tokens", "prompt_tokens", "cached_tokens"), read=read)


def columns(frame: pd.DataFrame, *names: str) -> tuple[Array, Array, Array]:
    """Return three columns of counts, NaN where unknown."""
    first, second, third = (frame[name].to_numpy(float) for name in names)
    return first, second, third


def mean_tokens(run: Run, frame: pd.DataFrame) -> float | None:
    """Return the mean completion tokens of the rows that are ok; None if one does not say its own.

    Raises:
        DataError: all say that they have none.
    """
    tokens = frame.loc[frame["status"] == "ok", "completion_tokens"]
    if tokens.isna().any():
        return None
    if not tokens.any():
        raise DataError(f"The run at '{run.path}' has completion_tokens that are all zero.")
    return float(tokens.mean())


def ratios(solutions: pd.DataFrame, verifications: pd.DataFrame, known: Sizes) -> dict[str, float]:
    """Return λ by way of counting tokens, over the rows that are ok; NaN where one does not say its tokens."""
    solved, judged = (generated(frame, known.read) for frame in (solutions, verifications))
    return verification_ratios(solved, judged, known.relative("verifier"))


def solving(solutions: pd.DataFrame, known: Sizes) -> Work:
    """Return what generating a solution takes."""
    return Work(generated(solutions, known.read))


def scoring(scores: pd.DataFrame, solution: pd.Series, known: Sizes, writes: bool) -> Work:
    """Return what a scorer did, row by row.

    Args:
        scores: its columns scored_tokens, scored_cached_tokens and scorer_sampled_tokens.
        solution: tokens of solutions that it met in each row for the first time, as the solver counts them, since the
            log does not tell them apart from the question in what was read; never more than was read.
        known: the models' sizes.
        writes: whether it writes verdicts; then what it reads is a prompt, as it is of a verifier.
    """
    tokens = columns(scores, "scorer_sampled_tokens", "scored_tokens", "scored_cached_tokens")
    new = 0.0 if writes else np.minimum(solution.to_numpy(float), tokens[1])
    return Work(counted(*tokens, new, known.read), known.relative("scorer"))


def priced(works: Sequence[Work], solution: Work) -> dict[str, float | None]:
    """Return what works cost in solutions, by way of counting; None where unknown."""
    return {way: None if np.isnan(x) else x for way, x in in_solutions(works, solution).items()}
