"""A small profile whose tokens, times and models are known, so that its costs can be computed by hand."""

from __future__ import annotations

import pytest

from isocompute.planner.profile import (
    Curve,
    ModelRecord,
    ProblemRecord,
    Profile,
    Surface,
    TimeSpread,
    TokenMeans,
)

TOKENS = [
    {
        "solver": TokenMeans(prompt=100, cached=0, completion=400, completion_sd=0, seconds=2),
        "verifier": TokenMeans(prompt=700, cached=500, completion=200, completion_sd=0, seconds=1),
    },
    {
        "solver": TokenMeans(prompt=300, cached=200, completion=600, completion_sd=100, seconds=4),
        "verifier": TokenMeans(prompt=900, cached=700, completion=300, completion_sd=0, seconds=1),
    },
]
MODELS = {
    "solver": ModelRecord(name="small", parameters=8e9, kv_bytes=1000, attention_flops=2e6),
    "verifier": ModelRecord(
        name="org/big", parameters=47e9, active_parameters=13e9, kv_bytes=2000, attention_flops=4e6
    ),
}
EVEN = TimeSpread(ratios=[1.0] * 33, rows=64, busy=10.0, concurrency=8.0)


@pytest.fixture
def hand_profile():
    """Forty problems, of which the halves are alike, with SC and GenRM on two S and two V."""
    curve = [[0.4, 0.5, 0.55], [0.6, 0.6, 0.65]] * 20
    surface = [[[0.45, 0.5], [0.55, 0.6]], [[0.6, 0.7], [0.7, 0.8]]] * 20
    return Profile(
        name="hand",
        description="made by hand",
        problems=40,
        models=MODELS,
        lam=0.5 * 13 / 8,
        lambda_source="by hand",
        lambdas={"completion": 0.5 * 13 / 8, "prompts": 1050 / 700 * 13 / 8, "cached": 450 / 600 * 13 / 8},
        strategies={
            "sc": Curve(solutions=[1, 4, 64], accuracy=curve),
            "genrm": Surface(solutions=[1, 4], verifications=[1, 2], accuracy=surface),
        },
        timings={"solver": EVEN, "verifier": EVEN},
        per_problem=[ProblemRecord(id=str(at), tokens=TOKENS[at % 2]) for at in range(40)],
    )
