from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import SurfaceSmoother, draw_bootstrap_weights, fit_allocation_laws
from isocompute.fits.laws.optima import find_best_on_surface

FIG_1B = Path(__file__).resolve().parents[2] / "golden" / "singhi2025_fig1b.csv"
S, V = 2 ** np.arange(1, 11), 2 ** np.arange(10)
BUDGETS = 2.0 ** np.arange(8, 17)
LAM = 8.0


def known(S, V, a, start=0.6):
    """A surface that is best where S = start·C^a, and falls with the square of the distance from there."""
    x = np.log(S[:, None] * (1 + LAM * V))
    return 0.2 + 0.03 * x - 0.02 * (np.log(S[:, None] / start) - a * x) ** 2


def drawn(rng, mean, problems=100):
    """Problems about a mean surface, each of which would like S to be larger, or smaller, than the mean would."""
    S_like = rng.normal(0, 0.08, (problems, 1, 1)) * np.log(S)[:, None]
    return mean + rng.normal(0, 0.3, (problems, 1, 1)) + S_like + rng.normal(0, 0.01, (problems, *mean.shape))


@pytest.mark.parametrize("a", [0.45, 0.5, 0.55])
def test_a_known_law_is_recovered(a):
    laws = fit_allocation_laws(known(S, V, a), S, V, LAM, BUDGETS)
    assert laws.grid.a == pytest.approx(a, abs=0.07)  # the optimum is read off on knots a factor of 2 apart
    assert laws.smooth.a == pytest.approx(a, abs=0.002)
    assert laws.smooth.solutions.prefactor == pytest.approx(0.6, rel=0.02)
    assert laws.censored is not None
    assert laws.censored.a == laws.smooth.a
    for law in laws:
        assert not law.is_at_edge.any()
        assert law.inner_exponents == pytest.approx((law.a, law.b))
        assert (law.solutions.interval, law.difference_interval, law.replicate_share) == (None, None, None)


@pytest.mark.parametrize("a", [0.45, 0.6])
def test_exponents_spend_the_budget(a):
    laws = fit_allocation_laws(known(S, V, a), S, V, LAM, BUDGETS)
    assert abs(laws.smooth.identity) < 0.005
    assert abs(laws.grid.identity) < 0.1
    np.testing.assert_allclose(laws.smooth.S_opt * (1 + LAM * laws.smooth.V_opt), BUDGETS)


def test_a_grid_that_stops_early_biases_a_fit_that_ignores_it():
    capped = V[:5]
    laws = fit_allocation_laws(known(S, capped, 0.5), S, capped, LAM, 2.0 ** np.arange(5, 15))
    assert laws.grid.edges[-3:] == ("V upper",) * 3
    assert laws.smooth.edges[-3:] == ("", "V upper", "V upper")
    assert laws.grid.a > 0.54
    assert laws.smooth.a > 0.54
    assert laws.smooth.b < 0.49
    assert laws.censored.a == pytest.approx(0.5, abs=0.03)
    assert laws.censored.b == pytest.approx(1 - laws.censored.a, abs=0.05)
    assert laws.smooth.inner_exponents[0] == pytest.approx(0.5, abs=0.05)


def test_a_cap_on_solutions_biases_the_other_way():
    capped = S[:5]
    laws = fit_allocation_laws(known(capped, V, 0.5), capped, V, LAM, 2.0 ** np.arange(5, 14))
    assert laws.smooth.edges[-1] == "S upper"
    assert laws.smooth.a < 0.47 < 0.49 < laws.censored.a < 0.51


def test_optima_at_the_lower_edges_are_bounds_too():
    optima = find_best_on_surface(
        known(S, V, 0.5, 0.05)[None], SurfaceSmoother(S, V, (0.0, 0.0)), LAM, 2.0 ** np.arange(6, 12)
    )
    assert optima.edges[:3] == ("S lower",) * 3
    assert (optima.side[0, :3] == 1).all()
    optima = find_best_on_surface(
        known(S, V, 0.5, 4.0)[None], SurfaceSmoother(S, V, (0.0, 0.0)), LAM, 2.0 ** np.arange(6, 12)
    )
    assert optima.edges[0] == "V lower"
    assert optima.side[0, 0] == -1


def test_the_best_allocation_lies_between_the_knots():
    optima = find_best_on_surface(known(S, V, 0.5)[None], SurfaceSmoother(S, V, (0.0, 0.0)), LAM, BUDGETS)
    np.testing.assert_allclose(optima.S[0], 0.6 * BUDGETS**0.5, rtol=0.01)


def test_with_too_few_budgets_inside_there_is_no_censored_law():
    laws = fit_allocation_laws(known(S, V[:2], 0.5), S, V[:2], LAM, [128, 256, 512])
    assert laws.censored is None
    assert "Only 0 of 3 optima lie inside the grid: too few to treat the others as bounds." in laws.notes
    assert [law.way for law in laws] == ["grid", "smooth"]


def test_an_interval_without_width_is_unknown():
    """All replicates have their optima at the same edge, by which a line would look certain."""
    problems = drawn(np.random.default_rng(5), known(S, V[:2], 0.5), 40)
    laws = fit_allocation_laws(problems, S, V[:2], LAM, [128, 256, 512], draw_bootstrap_weights(40, 60, seed=1))
    assert laws.usable is None
    assert laws.unknown_reason == (
        "3 of 3 optima lie at an edge of the measured grid (the largest V at 3), and a law needs 3 inside."
    )
    for law in laws:
        assert not law.is_known
        for part in (law.solutions, law.verifications):
            assert part.interval is None
            assert part.prefactor_interval is None
        assert law.difference_interval is None


def test_the_bootstrap_repeats_the_whole_fit():
    rng = np.random.default_rng(6)
    problems = drawn(rng, known(S, V[:6], 0.55), 64)
    weights = draw_bootstrap_weights(64, 60, seed=1)
    laws = fit_allocation_laws(problems, S, V[:6], LAM, BUDGETS, weights)
    for law in laws:
        assert law.replicate_share == 1.0
        assert law.replicates.shape == (60, 2)
        low, high = np.quantile(law.replicates[:, 0], 0.025, method="lower"), law.replicates[:, 0].max()
        assert law.solutions.interval[0] == low
        assert low < law.a < high
        apart = law.replicates[:, 0] - law.replicates[:, 1]
        assert law.difference_interval[0] == np.quantile(apart, 0.025, method="lower")
    alone = find_best_on_surface(np.tensordot(weights, problems, 1)[3:4], laws.surface, LAM, BUDGETS)
    assert laws.smooth.replicates[3, 0] == pytest.approx(np.polyfit(np.log(BUDGETS), np.log(alone.S[0]), 1)[0])


def test_the_same_seed_gives_the_same_laws():
    problems = drawn(np.random.default_rng(7), known(S, V[:6], 0.55), 30)
    once, again = (
        fit_allocation_laws(problems, S, V[:6], LAM, BUDGETS, draw_bootstrap_weights(30, 40, seed=2)) for _ in range(2)
    )
    assert str(once) == str(again)


def test_intervals_cover_a_known_law_where_the_grid_caps_it_too():
    rng = np.random.default_rng(8)
    held = {"smooth": [], "censored": []}
    for world in range(60):
        problems = drawn(rng, known(S, V[:5], 0.55))
        laws = fit_allocation_laws(
            problems, S, V[:5], LAM, 2.0 ** np.arange(6, 16), draw_bootstrap_weights(100, 150, world)
        )
        for law in (laws.smooth, laws.censored):
            held[law.way].append(law.solutions.interval[0] <= 0.55 <= law.solutions.interval[1])
    assert np.mean(held["smooth"]) < 0.8
    assert 0.86 < np.mean(held["censored"]) <= 1


def test_what_cannot_be_told_apart_is_said():
    rng = np.random.default_rng(9)
    weights = draw_bootstrap_weights(40, 200, seed=3)
    equal = fit_allocation_laws(drawn(rng, known(S, V, 0.5), 40), S, V, LAM, BUDGETS, weights)
    assert any(note.startswith("The exponents a and b cannot be told apart (") for note in equal.notes)
    assert "The fits 'smoothed surface' and 'edges as bounds' cannot be told apart." in equal.notes
    apart = fit_allocation_laws(
        known(S, V[:5], 0.75, 0.3) + 0 * rng.random((40, 1, 1)), S, V[:5], LAM, BUDGETS, weights
    )
    assert not any("a and b" in note for note in apart.notes)


def test_published_grid_of_the_paper(shared_data):
    published = json.loads((shared_data / "published_grids.json").read_text())["math128_llama8b"]
    knots_s, knots_v = 2 ** np.arange(9), 2 ** np.arange(6)
    surface = np.array([cell["success"] for cell in published["best_of_n"]]).reshape(9, 6)
    laws = fit_allocation_laws(surface, knots_s, knots_v, published["lambda_"], 2.0 ** np.arange(5, 15))
    assert laws.grid.a == pytest.approx(0.61, abs=0.01)
    assert laws.grid.b == pytest.approx(0.39, abs=0.01)
    assert laws.budgets[laws.grid.is_at_edge].tolist() == [2048, 4096, 8192, 16384]
    assert laws.smooth.a == pytest.approx(0.60, abs=0.03)


def test_published_figure_of_the_paper():
    table = np.loadtxt(FIG_1B, delimiter=",", skiprows=3)
    knots_v = 2 ** np.arange(6)
    laws = fit_allocation_laws(table[:, 1:] / 100, table[:, 0].astype(int), knots_v, 2.0, 2.0 ** np.arange(5, 15))
    assert 0.5 < laws.grid.a < 0.7
    assert 0.3 < laws.grid.b < 0.55
    assert laws.grid.is_at_edge.sum() == 4
    assert laws.censored.a < laws.grid.a
    assert laws.censored.b > laws.grid.b


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"budgets": [16, 32, 2**24]},
            "the budget 1.67772e+07 cannot be spent on this grid, whose allocations cost 4 to 525312.",
        ),
        ({"budgets": [4, 8]}, "budgets must be at least 3 positive increasing numbers; got [4, 8]."),
        (
            {"weights": np.ones((2, 2)) / 2},
            "surface must have the shape (nS, nV), or (P, nS, nV) with weights; got (10, 10).",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(change, sentence):
    with pytest.raises(DataError) as caught:
        fit_allocation_laws(
            **{"surface": known(S, V, 0.5), "S": S, "V": V, "lam": 1.0, "budgets": [8, 16, 32], **change}
        )
    assert str(caught.value) == sentence
