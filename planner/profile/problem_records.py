"""The data of each problem besides its accuracies: level, cluster and mean tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isocompute.planner.profile.numbers import NonNegativeNumber


class TokenMeans(BaseModel):
    """Mean tokens and seconds of one role's rows on one problem; None where any row does not report them.

    Args:
        prompt: prompt tokens.
        cached: prompt tokens read from the prefix cache.
        completion: completion tokens.
        completion_sd: standard deviation of the completion tokens over the problem's rows; None in older profiles.
        seconds: wall time from the engine starting a row to its completion, while other rows ran concurrently.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    prompt: NonNegativeNumber | None = None
    cached: NonNegativeNumber | None = None
    completion: NonNegativeNumber | None = None
    completion_sd: NonNegativeNumber | None = None
    seconds: NonNegativeNumber | None = None

    @model_validator(mode="after")
    def _check_cached(self) -> TokenMeans:
        check_cached_tokens([self.cached], [self.prompt])
        return self


def check_cached_tokens(cached: Sequence[float | None], prompt: Sequence[float | None]) -> None:
    """Raise if more prompt tokens were read from the cache than there were; means may be rounded.

    Raises:
        ValueError: there were; the message gives both.
    """
    for read, there in zip(cached, prompt, strict=False):
        if read is not None and there is not None and read > there * (1 + 1e-6) + 0.01:
            raise ValueError(f"'cached' is {read:g}, but only {there:g} prompt tokens can be cached")


class ProblemRecord(BaseModel):
    """The data of one problem besides its accuracies.

    Args:
        id: the problem's id; None in profiles of format 1, which do not have it.
        digest: digest of the question.
        level: difficulty given by the dataset, 1 the easiest.
        cluster: the group of problems that it was drawn with, or that ask the same question; None if it is alone.
        tokens: mean tokens by role: solver, verifier, scorer.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    id: str | None = None
    digest: str | None = None
    level: Annotated[int, Field(ge=-(2**31), lt=2**31, strict=True)] | None = None
    cluster: str | None = None
    tokens: dict[str, TokenMeans] = {}


def code_clusters(names: Sequence[object | None]) -> list[int] | None:
    """Number the clusters of problems; a problem without one is its own. None if no two problems share a cluster.

    >>> code_clusters(["x", None, "x"]), code_clusters(["x", None, "y"])
    ([0, 1, 0], None)
    """
    known = [name for name in names if name is not None]
    if len(set(known)) == len(known):
        return None
    number: dict[object, int] = {}
    return [number.setdefault((at, None) if name is None else name, len(number)) for at, name in enumerate(names)]


def select_strata(levels: Sequence[int | None]) -> list[int] | None:
    """Return the levels of problems as strata; None unless all are known and two of them differ.

    >>> select_strata([2, 1]), select_strata([2, 2]), select_strata([2, None])
    ([2, 1], None, None)
    """
    known = [level for level in levels if level is not None]
    return known if len(known) == len(levels) and len(set(known)) > 1 else None
