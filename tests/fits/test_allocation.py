from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import allocation_law, resampling_weights

FIG_1B = Path(__file__).resolve().parents[1] / "golden" / "singhi2025_fig1b.csv"
S, V = 2 ** np.arange(11), 2 ** np.arange(10)


def known(S, V, a, b):
    """Losses S^-b' and V^-a' with exponents such that the cheapest mix is S ∝ C^a, V ∝ C^b where λV ≫ 1."""
    return 0.9 - 0.3 * S[:, None] ** -(0.8 * b) - 0.3 * V ** -(0.8 * a)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (0.6, 0.4), (0.7, 0.3)])
def test_a_known_law_is_recovered(a, b):
    law = allocation_law(known(S, V, a, b), S, V, lam=8.0, budgets=2.0 ** np.arange(8, 17))
    assert law.a == pytest.approx(a, abs=0.07)  # the optimum is read off on knots a factor of 2 apart
    assert law.b == pytest.approx(b, abs=0.07)
    assert not law.censored.any()
    assert law.interior_solutions == law.solutions
    assert law.solutions.interval is None
    assert law.interior_share is None


def test_a_grid_that_stops_early_biases_the_law_and_says_so():
    capped = V[:5]
    law = allocation_law(known(S, capped, 0.5, 0.5), S, capped, lam=8.0, budgets=2.0 ** np.arange(5, 17))
    assert law.a > 0.57
    assert (law.V_opt[law.censored] == 16).all()
    assert law.censored.sum() >= 4
    assert law.interior_solutions.exponent == pytest.approx(0.5, abs=0.1)
    assert "at the edge of the grid, without them" in str(law)


def test_with_too_few_budgets_inside_there_is_no_second_law():
    law = allocation_law(known(S, V[:2], 0.5, 0.5), S, V[:2], lam=1.0, budgets=[128, 256, 512])
    assert law.interior_solutions is None
    assert "too few others" in str(law)


def test_the_bootstrap_repeats_the_whole_fit():
    rng = np.random.default_rng(6)
    mean = known(S, V, 0.6, 0.4)
    problems = mean + rng.normal(0, 0.1, (64, 1, 1)) + rng.normal(0, 0.02, (64, *mean.shape))
    weights = resampling_weights(64, 200, seed=1)
    budgets = 2.0 ** np.arange(8, 17)
    law = allocation_law(problems, S, V, 8.0, budgets, weights)
    alone = [allocation_law(np.tensordot(row, problems, 1), S, V, 8.0, budgets).a for row in weights]
    low, high = law.solutions.interval
    assert (low, high) == pytest.approx(
        (np.quantile(alone, 0.025, method="lower"), np.quantile(alone, 0.975, method="higher"))
    )
    assert low < 0.6 < high
    assert law.interior_share == 1.0


def test_published_grid_of_the_paper(shared_data):
    published = json.loads((shared_data / "published_grids.json").read_text())["math128_llama8b"]
    knots_s, knots_v = 2 ** np.arange(9), 2 ** np.arange(6)
    surface = np.array([cell["success"] for cell in published["best_of_n"]]).reshape(9, 6)
    law = allocation_law(surface, knots_s, knots_v, published["lambda_"], 2.0 ** np.arange(5, 15))
    assert law.a == pytest.approx(0.61, abs=0.01)
    assert law.b == pytest.approx(0.39, abs=0.01)
    assert law.budgets[law.censored].tolist() == [2048, 4096, 8192, 16384]


def test_published_figure_of_the_paper():
    table = np.loadtxt(FIG_1B, delimiter=",", skiprows=3)
    knots_v = 2 ** np.arange(6)
    law = allocation_law(table[:, 1:] / 100, table[:, 0].astype(int), knots_v, 2.0, 2.0 ** np.arange(5, 15))
    assert 0.5 < law.a < 0.7
    assert 0.3 < law.b < 0.55
    assert law.censored.sum() == 4
    assert law.interior_solutions.exponent < law.a


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"budgets": [4, 8, 2**21]},
            "the budget 2.09715e+06 cannot be spent on this grid, whose allocations cost 2 to 525312.",
        ),
        ({"budgets": [4, 8]}, "budgets must be at least 3 positive increasing numbers; got [4, 8]."),
        (
            {"weights": np.ones((2, 2)) / 2},
            "surface must have the shape (nS, nV), or (P, nS, nV) with weights; got (11, 10).",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(change, sentence):
    with pytest.raises(DataError) as caught:
        allocation_law(
            **{"surface": known(S, V, 0.5, 0.5), "S": S, "V": V, "lam": 1.0, "budgets": [8, 16, 32], **change}
        )
    assert str(caught.value) == sentence
