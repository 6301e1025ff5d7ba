from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import Pool, estimate_genrm, estimate_genrm_vote, estimate_verdict_votes, measure_verifier
from isocompute.fits.estimators import verification
from isocompute.fits.estimators.additive_vote import DrawnVotes
from isocompute.fits.estimators.kernels_sampled import draw_verdict_rows, draw_verdicts
from isocompute.fits.estimators.kernels_streams import start_streams
from isocompute.fits.estimators.monte_carlo import average_verdicts
from isocompute.fits.estimators.solution_order import label_right_first, sort_solutions, sort_tallied_solutions
from isocompute.fits.estimators.verdict_agreement import measure_verdict_agreement
from isocompute.fits.policies.answer_model_fit import fit_answer_model
from isocompute.fits.policies.orders import draw_orders, read_ordered_verdicts
from isocompute.fits.policies.value_fit import fit_value_model
from isocompute.fits.policies.vote_track import track_votes
from isocompute.fits.verdict_codes import VerdictTallies, decode_verdicts, encode_verdicts


def make_pool(problems=6, solutions=7, verifications=9, seed=0, is_probability=False):
    """Return a pool with unparsed answers and verdicts, and unequal numbers of verdicts."""
    rng = np.random.default_rng(seed)
    answers = rng.integers(-1, 3, (problems, solutions))
    verdicts = rng.random((problems, solutions, verifications))
    verdicts = verdicts if is_probability else (verdicts < 0.5).astype(float)
    verdicts[rng.random(verdicts.shape) < 0.1] = np.nan
    judged = rng.integers(0, verifications + 1, (problems, solutions))
    verdicts[np.arange(verifications) >= judged[..., None]] = np.nan
    return Pool(answers, np.zeros(problems, dtype=int), verdicts, judged), verdicts


@pytest.mark.parametrize(("is_probability", "kind"), [(False, np.int8), (True, np.float64)])
def test_codes_are_bytes_where_all_verdicts_are_yes_or_no_and_give_the_verdicts_back(is_probability, kind):
    pool, verdicts = make_pool(is_probability=is_probability)
    assert pool.verdict_codes.dtype == kind
    np.testing.assert_array_equal(pool.verdicts, verdicts)
    np.testing.assert_array_equal(decode_verdicts(encode_verdicts(verdicts)), verdicts)
    np.testing.assert_array_equal(pool.tallies.yes, (verdicts >= 0.5).sum(axis=2))
    np.testing.assert_array_equal(pool.tallies.no, (verdicts < 0.5).sum(axis=2))
    with pytest.raises(ValueError, match="read-only"):
        pool.verdicts[0, 0, 0] = 1


def test_integers_say_with_minus_one_that_a_verdict_was_not_parsed():
    assert np.isnan(Pool([[0]], [0], np.array([[[1, -1]]])).verdicts[0, 0, 1])
    with pytest.raises(DataError, match=r"holds -2 at .* verification 1: it .* or be -1 where it was"):
        Pool([[0]], [0], np.array([[[1, -2]]]))


def test_solutions_stand_in_the_same_order_by_numbers_of_verdicts_as_by_the_verdicts():
    pool, verdicts = make_pool(problems=40, verifications=3)
    label, _ = label_right_first(pool)
    by_value, values, judged = sort_solutions(label, verdicts, pool.judged)
    tallies = pool.tallies
    by_number, yes, no, number = sort_tallied_solutions(label, tallies.yes, tallies.no, pool.judged)
    np.testing.assert_array_equal(by_number, by_value)
    np.testing.assert_array_equal(number, judged)
    np.testing.assert_array_equal([yes, no], [(values == 1).sum(axis=2), (values == 0).sum(axis=2)])


def test_draws_from_numbers_of_verdicts_are_those_from_the_verdicts():
    pool, verdicts = make_pool()
    V, streams = np.array([1, 2, 5]), start_streams(pool.keys, np.uint64(3))
    sums, parsed = draw_verdicts(np.sort(verdicts, axis=2), pool.judged, V, 2, 8, streams)
    rows = draw_verdict_rows(pool.tallies.yes, pool.tallies.no, pool.judged, V, 2, 8, streams)
    np.testing.assert_array_equal(rows, sums * 6 + parsed)


def test_values_that_are_the_verdicts_give_the_same_votes():
    pool, verdicts = make_pool()
    given, own = (DrawnVotes(pool, each, [average_verdicts], [1, 3, 7], [1, 4], 0) for each in (verdicts, None))
    np.testing.assert_array_equal(given.estimate(64)[0].accuracy, own.estimate(64)[0].accuracy)


@pytest.mark.parametrize("estimate", [estimate_genrm, estimate_genrm_vote])
def test_levels_of_a_few_problems_at_a_time_give_the_same_bytes(estimate, monkeypatch):
    def compute():
        pool, _ = make_pool(problems=11, solutions=6, verifications=12)
        return estimate(pool, [1, 2, 5], [1, 3, 12])

    whole = compute()
    monkeypatch.setattr(verification, "_LEVEL_CELLS", 2000)  # two problems with V = 12
    np.testing.assert_array_equal(compute(), whole)


@pytest.mark.parametrize("is_probability", [False, True])
def test_orders_of_the_first_verdicts_are_the_first_of_all_orders(is_probability):
    pool, verdicts = make_pool(is_probability=is_probability)
    every, first = draw_orders(pool, 8, seed=1), draw_orders(pool, 8, seed=1, verdicts=2)
    np.testing.assert_array_equal(first.solutions, every.solutions)
    np.testing.assert_array_equal(first.verdicts, every.verdicts[..., :2])
    np.testing.assert_array_equal(np.sort(every.verdicts, axis=3)[0, 0, 0], np.arange(9))
    drawn = np.take_along_axis(verdicts[:, None], every.verdicts.astype(int), axis=3)
    assert np.isnan(drawn[np.broadcast_to(np.arange(9) >= pool.judged[:, None, :, None], drawn.shape)]).all()


def test_estimates_take_less_memory_than_verdicts_as_numbers_would():
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 2, (40, 8, 4000), dtype=np.int8)
    codes.setflags(write=False)
    pool = Pool(rng.integers(0, 3, (40, 8)), np.zeros(40, dtype=int), codes)
    assert pool.verdict_codes is codes

    def estimate(pool):
        estimate_genrm_vote(pool, [1, 2], [1, 2])
        estimate_verdict_votes(pool, [1, 2], [1, 2], 32, 0)
        measure_verifier(pool)
        draw_orders(pool, 8, seed=0, verdicts=1)

    estimate(pool)  # the loops are compiled
    tracemalloc.start()
    try:
        estimate(pool)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * codes.nbytes  # as numbers they would take eight times their bytes


def tally_pool(pool):
    """Return a pool that holds the numbers of another one's verdicts alone."""
    return Pool(pool.answers, pool.gold, pool.tallies, pool.judged)


def test_a_pool_of_tallies_has_the_verdicts_in_another_order():
    pool, verdicts = make_pool()
    tallied = tally_pool(pool)
    assert (tallied.verified_solutions, tallied.verifications) == (pool.verified_solutions, pool.verifications)
    np.testing.assert_array_equal(np.sort(tallied.verdicts, axis=2), np.sort(verdicts, axis=2))
    chosen = tallied.select_problems([3, 1])
    assert isinstance(chosen.held_verdicts, VerdictTallies)
    np.testing.assert_array_equal(np.sort(chosen.verdicts, axis=2), np.sort(verdicts[[3, 1]], axis=2))


@pytest.mark.parametrize(
    "estimate",
    [
        lambda pool: estimate_genrm(pool, [1, 3, 7], [1, 4, 9]),
        lambda pool: estimate_genrm_vote(pool, [1, 3, 7], [1, 4, 9]),
        lambda pool: [each.accuracy for each in estimate_verdict_votes(pool, [1, 7], [1, 9], 64, 0)],
        lambda pool: vars(measure_verifier(pool))["auroc"],
        lambda pool: measure_verdict_agreement(pool, True, [2, 3]).correlation,
        lambda pool: fit_answer_model(pool).table,
        lambda pool: draw_orders(pool, 8, 0).solutions,
        lambda pool: read_ordered_verdicts(pool, draw_orders(pool, 8, 0, 4).verdicts),
        lambda pool: track_votes(pool, draw_orders(pool, 8, 0), is_weighted=True).right,
        lambda pool: list(fit_value_model(pool, 0.3, rates=[1.0]).to_dict()["gain"].values()),
    ],
)
def test_the_numbers_of_verdicts_tell_all_that_is_estimated(estimate):
    pool, _ = make_pool()
    np.testing.assert_array_equal(estimate(tally_pool(pool)), estimate(pool))


@pytest.mark.parametrize(
    ("tallies", "judged", "sentence"),
    [
        (([[1]], [[-1]], 2), None, "tallies holds -1 at problem 0, solution 0: it must be a number of verdicts ≥ 0."),
        (([[2]], [[1]], 2), None, "tallies holds 3 verdicts at problem 0, solution 0, but the solution has only 2."),
        (([[1]], [[1]], 2), [[1]], "tallies holds 2 verdicts at problem 0, solution 0, but the solution has only 1."),
        (([[1, 1]], [[1, 1]], 2), None, "tallies must hold two numbers per verified solution, of the shape"),
    ],
)
def test_tallies_that_cannot_be_are_refused(tallies, judged, sentence):
    yes, no, most = tallies
    with pytest.raises(DataError, match=sentence):
        Pool([[0]], [0], VerdictTallies(np.array(yes), np.array(no), most), judged)


def test_estimates_from_tallies_take_less_memory_than_a_byte_for_each_verdict():
    def measure(verifications):
        yes = np.random.default_rng(0).integers(0, verifications + 1, (40, 8))
        pool = Pool(
            np.arange(320).reshape(40, 8) % 3, [0] * 40, VerdictTallies(yes, verifications - yes, verifications)
        )
        tracemalloc.start()
        try:
            estimate_verdict_votes(pool, [1, 2], [1, 2], 32, 0)
            measure_verifier(pool)
            fit_answer_model(pool)
            read_ordered_verdicts(pool, draw_orders(pool, 8, 0, 2).verdicts)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    measure(9)  # the loops are compiled
    assert measure(20_000) < 40 * 8 * 20_000 / 2  # a problem at a time has orders of its own
