"""The value rule as it was learnt: a model of answers, and the gain of going on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.answer_model import COLUMNS, AnswerModel

FEATURE_NAMES = (
    "constant",
    "log_leader_wrong",
    "log_second_right",
    "log_none_right",
    "log_leader_right",
    "log_compute",
    "answers_per_solution",
)
"""The features of a state: 1; log P of the leading answer being wrong, of the second one and of no seen answer being
right, and of the leading one being right, each plus 10⁻⁴; log of the compute so far in solutions; different answers
per solution."""


@dataclass(frozen=True, eq=False)
class ValueModel:
    """The value rule without its price.

    The rule samples and verifies side by side: it makes `rate` verifications for each solution on average, each where
    the model of answers expects the most gain in P(right). At looks, see `list_looks`, it stops if going on gains less
    than the price μ in P(right) for a unit of compute, which it takes to be exp(weights · features). Its answer is the
    one with the highest P(right).

    Args:
        answers: the model of votes and verdicts.
        weights: (7,) of the features `FEATURE_NAMES`.
        rate: verifications for each solution, ≥ 0.
        verifiable: only so many first solutions of a problem are verified.
        verifications: the most verifications of a solution.

    Raises:
        DataError: a wrong number of weights, or a number out of range.
    """

    answers: AnswerModel
    weights: Floats
    rate: float
    verifiable: int
    verifications: int

    def __post_init__(self) -> None:
        weights = np.array(self.weights, dtype=float)
        if weights.shape != (len(FEATURE_NAMES),) or not np.isfinite(weights).all():
            raise DataError(f"weights must be {len(FEATURE_NAMES)} finite numbers; got {self.weights!r}.")
        if not 0 <= self.rate < np.inf:
            raise DataError(f"rate must be at least 0 verifications a solution; got {self.rate}.")
        for name in ("verifiable", "verifications"):
            if getattr(self, name) < 0:
                raise DataError(f"{name} must be at least 0; got {getattr(self, name)}.")
        weights.setflags(write=False)
        object.__setattr__(self, "weights", weights)

    @property
    def is_verifying(self) -> bool:
        """True if it may verify at all."""
        return min(self.rate, self.verifiable, self.verifications) > 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as names and plain numbers, for a JSON file."""
        return {
            "kinds": [dict(zip(COLUMNS, row, strict=True)) for row in self.answers.table.tolist()],
            "read": self.answers.read,
            "gain": dict(zip(FEATURE_NAMES, self.weights.tolist(), strict=True)),
            "rate": self.rate,
            "verifiable": self.verifiable,
            "verifications": self.verifications,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ValueModel:
        """Return the model of such names and numbers.

        Raises:
            DataError: a name is missing, or what stands there is no number, or one out of range.
        """
        try:
            table = np.array([[read_model_number(kind[name]) for name in COLUMNS] for kind in content["kinds"]])
            weights = np.array([read_model_number(content["gain"][name]) for name in FEATURE_NAMES])
            read, rate = read_model_number(content["read"]), read_model_number(content["rate"])
            verifiable = read_model_count(content["verifiable"])
            verifications = read_model_count(content["verifications"])
        except KeyError as error:
            raise DataError(f"the model of the value rule cannot be read: {error} is missing.") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"the model of the value rule cannot be read: {error}.") from None
        return cls(AnswerModel(table, read), weights, rate, verifiable, verifications)


def read_model_number(value: Any) -> float:
    """Return a number of JSON; True, which Python counts as 1, and texts are none.

    Raises:
        TypeError: it is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{repr(value)[:60]} is not a number")
    return float(value)


def read_model_count(value: Any) -> int:
    """Return a whole number of JSON.

    Raises:
        TypeError: it is not a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{repr(value)[:60]} is not a whole number")
    return value


def list_looks(most: int) -> Ints:
    """Return the numbers of solutions after which the rule looks: each, from 20 on about a tenth apart, and the last.

    >>> list_looks(40)
    array([ 1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,
           18, 19, 20, 22, 24, 26, 28, 30, 33, 36, 39, 40])
    """
    looks = [1]
    while looks[-1] < most:
        looks.append(min(looks[-1] + max(looks[-1] // 10, 1), most))
    return np.array(looks)
