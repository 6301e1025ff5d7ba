"""The ranges of the numbers in a profile."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

LARGEST_NUMBER = 1e18
"""The largest tokens, seconds, FLOPs, bytes or parameters; with it, no sum or product of a plan overflows."""
PositiveNumber = Annotated[float, Field(ge=1 / LARGEST_NUMBER, le=LARGEST_NUMBER, strict=True)]
NonNegativeNumber = Annotated[float, Field(ge=0, le=LARGEST_NUMBER, strict=True)]
FiniteNumber = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
StandardError = Annotated[float, Field(ge=0, le=1, strict=True)]
"""A standard error of an accuracy."""
SMALLEST_LAMBDA, LARGEST_LAMBDA = 1e-6, 1e6
"""The range of λ, the cost of a verification in solutions: no verifier is cheaper or dearer by such a factor."""
Lambda = Annotated[float, Field(ge=SMALLEST_LAMBDA, le=LARGEST_LAMBDA, strict=True)]
Rho = Annotated[float, Field(ge=0, le=LARGEST_LAMBDA, strict=True)]
"""The cost of scoring a solution in solutions."""
LARGEST_COUNT = 10**9
WholeNumber = Annotated[int, Field(ge=1, le=LARGEST_COUNT, strict=True)]
WholeNumberFromZero = Annotated[int, Field(ge=0, le=LARGEST_COUNT, strict=True)]
Knots = Annotated[list[WholeNumber], Field(min_length=1)]
