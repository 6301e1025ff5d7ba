"""The model of votes and verdicts: its probabilities against enumeration, its fit against simulated problems."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import binom, logsumexp

from experiments.worlds_policies import LAB_LIKE, draw_world
from isocompute.errors import DataError
from isocompute.fits import Pool
from isocompute.fits.policies.answer_counts import count_answers
from isocompute.fits.policies.answer_model import AnswerModel
from isocompute.fits.policies.answer_model_fit import PRIOR_MODES, _Likelihood, _start_parameters, fit_answer_model
from isocompute.fits.policies.kernels_answers import (
    add_solution,
    add_verdict,
    compute_shares,
    compute_verdict_gain,
)
from isocompute.fits.verdict_codes import VerdictTallies


def list_partitions(n):
    """The sequences of answers of n solutions, numbered in order of appearance."""
    found = [[0]]
    for _ in range(n - 1):
        found = [[*row, a] for row in found for a in range(max(row) + 2)]
    return found


@pytest.mark.parametrize("solutions", [1, 2, 3, 4])
def test_the_probabilities_of_all_samples_sum_to_one(solutions):
    total = 0.0
    for answers in list_partitions(solutions):
        votes = np.bincount(answers)
        for verdicts in product([0, 1], repeat=solutions):
            yes = np.bincount(answers, weights=verdicts)
            joint, none = LAB_LIKE.compute_log_joint(votes, yes, votes - yes)
            total += np.exp(joint).sum() + np.exp(none).sum()
    assert total == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_compiled_updates_agree_with_the_formula_after_every_sample(seed):
    rng, size = np.random.default_rng(seed), 40
    none, ratio, shares = LAB_LIKE.table[:, 8].copy(), np.zeros((3, size)), np.zeros(size)
    votes, yes, no = (np.zeros(size, dtype=np.int64) for _ in range(3))
    answers = 0
    for _ in range(size):
        answer = int(rng.integers(0, answers + 1)) if rng.random() < 0.6 else int(votes.argmax())
        add_solution(LAB_LIKE.table, none, ratio, votes, answers, int(votes.sum()), answer)
        answers += answer == answers
        votes[answer] += 1
        for _ in range(rng.integers(0, 3)):
            other, is_yes = int(rng.integers(0, answers)), bool(rng.random() < 0.5)
            add_verdict(LAB_LIKE.table, none, ratio, yes, no, other, is_yes)
            (yes if is_yes else no)[other] += 1
        lead, unseen, _ = compute_shares(none, ratio, answers, shares)
        expected, nothing = LAB_LIKE.compute_right_probabilities(votes, yes, no)
        assert shares[:answers] == pytest.approx(expected[:answers], rel=1e-9)
        assert unseen == pytest.approx(nothing, rel=1e-9)
        assert lead == shares[:answers].argmax()


def compute_gain_by_formula(votes, yes, no, answer, m):
    """The expected P(right) of the best answer after m verdicts, over all sequences of verdicts, minus that now."""
    joint, none = LAB_LIKE.compute_log_joint(votes, yes, no)
    now = logsumexp(np.concatenate([joint, none[..., None]], axis=-1))
    best, _ = LAB_LIKE.compute_right_probabilities(votes, yes, no)
    gain = -best.max()
    for said in product([0, 1], repeat=m):
        more_yes, more_no = yes.copy(), no.copy()
        more_yes[answer] += sum(said)
        more_no[answer] += m - sum(said)
        joint, none = LAB_LIKE.compute_log_joint(votes, more_yes, more_no)
        probability = np.exp(logsumexp(np.concatenate([joint, none[..., None]], axis=-1)) - now)
        after, _ = LAB_LIKE.compute_right_probabilities(votes, more_yes, more_no)
        gain += probability * after.max()
    return gain


@pytest.mark.parametrize("answer", [0, 1, 2])
def test_the_gain_of_verdicts_is_that_of_all_their_outcomes(answer):
    votes, yes, no = np.array([3, 2, 1]), np.array([1, 1, 0]), np.array([1, 0, 0])
    none, ratio, shares = LAB_LIKE.table[:, 8].copy(), np.zeros((3, 3)), np.zeros(3)
    counts = np.zeros(3, dtype=np.int64)
    seen_yes, seen_no = counts.copy(), counts.copy()
    for a in range(3):
        for n in range(votes[a]):
            add_solution(LAB_LIKE.table, none, ratio, counts, a + (n > 0), int(counts.sum()), a)
            counts[a] += 1
        for sign, many, seen in ((True, yes, seen_yes), (False, no, seen_no)):
            for _ in range(many[a]):
                add_verdict(LAB_LIKE.table, none, ratio, seen_yes, seen_no, a, sign)
                seen[a] += 1
    _, _, whole = compute_shares(none, ratio, 3, shares)
    leaders = np.argsort(-shares)
    expected = {m: compute_gain_by_formula(votes, yes, no, answer, m) / m for m in (1, 2, 4)}
    batches = np.array([1, 2, 4])
    choose = binom(batches[:, None], np.arange(5))
    space = np.empty((3, 5)), np.empty(5), np.empty(5)
    gain, many = compute_verdict_gain(
        LAB_LIKE.table, none, ratio, whole, shares, leaders, answer, yes[answer], no[answer], batches, choose, *space
    )
    assert gain == pytest.approx(max(expected.values()), abs=1e-12)
    assert gain == pytest.approx(expected[many], abs=1e-12)
    assert gain > 0


def test_an_answer_without_votes_is_never_right():
    right, unseen = LAB_LIKE.compute_right_probabilities([2, 0], [0, 0], [0, 0])
    assert right[1] == 0
    assert right[0] + unseen == pytest.approx(1)


def test_counts_hold_votes_and_verdicts_by_answer():
    verdicts = [[[1, 0.4], [0.5, np.nan]], [[1, 1], [0, 0]]]
    pool = Pool([[3, 5, 3, -1], [2, -1, 1, 1]], [[3, 3], [1, 2]], verdicts)
    counts = count_answers(pool)
    assert counts.problem.tolist() == [0, 0, 1]
    assert counts.votes.tolist() == [1, 2, 3]  # the two right answers of the second problem count as one
    assert counts.yes.tolist() == [1, 1, 2]
    assert counts.no.tolist() == [0, 1, 0]
    assert counts.is_right.tolist() == [False, True, True]
    assert counts.unread == 1


def test_the_gradient_of_the_likelihood_is_right(random_pool):
    likelihood = _Likelihood(count_answers(random_pool(12, 10, 3, seed=2)))
    start = _start_parameters(2, 0.7)
    assert check_grad(lambda x: likelihood.compute_loss(x)[0], lambda x: likelihood.compute_loss(x)[1], start) < 1e-3


def test_the_likelihood_is_that_of_the_formula(random_pool):
    pool = random_pool(6, 8, 2, seed=4)
    coded = _start_parameters(2, 0.7)
    table = np.concatenate([np.exp(coded.reshape(2, 9)[:, :8]), [[0.5], [0.5]]], axis=1)
    table[:, 2] /= 1 + table[:, 2]
    model, whole = AnswerModel(table, 1.0), 0.0
    for p in range(pool.problems):
        counts = count_answers(pool.select_problems([p]))
        joint, none = model.compute_log_joint(counts.votes, counts.yes, counts.no)
        whole += logsumexp(joint[:, counts.is_right] if counts.is_right.any() else none)
    likelihood = _Likelihood(count_answers(pool))
    prior = likelihood.compute_loss(coded)[0] + whole
    empty = Pool(np.full((1, 1), 1), [0])
    one, alone = AnswerModel(table, 1.0), _Likelihood(count_answers(empty)).compute_loss(coded)[0]
    _, none = one.compute_log_joint([1], [0], [0])
    assert prior == pytest.approx(alone + logsumexp(none), abs=1e-9)  # the same prior, whatever the samples


def test_a_fit_is_calibrated_on_new_problems():
    rng = np.random.default_rng(0)
    model = fit_answer_model(draw_world(LAB_LIKE, 300, 24, 2, rng))
    world = draw_world(LAB_LIKE, 1500, 12, 1, rng)
    stated, right, log_loss = [], [], {"fit": 0.0, "truth": 0.0}
    for p in range(world.problems):
        counts = count_answers(world.select_problems([p]))
        for name, each in (("fit", model), ("truth", LAB_LIKE)):
            found, unseen = each.compute_right_probabilities(counts.votes, counts.yes, counts.no)
            hit = found[counts.is_right].sum() if counts.is_right.any() else unseen
            log_loss[name] -= np.log(hit) / world.problems
            if name == "fit":
                stated.append(found.max())
                right.append(counts.is_right[found.argmax()])
    stated, right = np.array(stated), np.array(right, dtype=float)
    assert log_loss["fit"] - log_loss["truth"] < 0.03
    for low in (0.0, 0.3, 0.5, 0.7, 0.9):
        inside = (stated >= low) & (stated < low + 0.2 + (low == 0.9))
        if inside.sum() >= 50:
            error = right[inside].std() / np.sqrt(inside.sum()) + 0.01
            assert abs(stated[inside].mean() - right[inside].mean()) < 4 * error + 0.03


def test_the_order_of_problems_and_solutions_changes_no_byte_of_a_fit(random_pool):
    pool, rng = random_pool(20, 10, 2, seed=6), np.random.default_rng(0)
    turned = [rng.permutation(pool.solutions) for _ in range(pool.problems)]
    answers = np.stack([pool.answers[p, turn] for p, turn in enumerate(turned)])
    verdicts = np.stack([pool.verdicts[p, turn] for p, turn in enumerate(turned)])
    other = Pool(answers, pool.gold, verdicts, keys=pool.keys).select_problems(rng.permutation(20))
    one, two = fit_answer_model(pool, kinds=2), fit_answer_model(other, kinds=2)
    assert one.table.tobytes() == two.table.tobytes()
    assert one.read == two.read


def test_two_pools_are_fitted_as_one(random_pool):
    pool = random_pool(20, 10, 2, seed=8)
    halves = [pool.select_problems(np.arange(10)), pool.select_problems(np.arange(10, 20))]
    assert fit_answer_model(halves, 1).table == pytest.approx(fit_answer_model(pool, 1).table, rel=1e-6)


def test_a_pool_without_verdicts_is_fitted_by_its_votes(random_pool):
    pool = random_pool(30, 12, seed=10)
    model = fit_answer_model(Pool(pool.answers, pool.gold), 1)
    assert model.read == 1
    assert model.table[0, 4] == pytest.approx(0.8, rel=1e-3)  # the prior's


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": np.ones((2, 8))}, "must have the shape"),
        ({"table": np.full((1, 9), -1.0)}, "must be positive"),
        ({"table": np.array([[1, 1, 0.1, 1, 1, 1, 1, 1, 0.5]])}, "sum to 1"),
        ({"read": -0.1}, "must lie in"),
        ({"read": 1.1}, "must lie in"),
    ],
)
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        AnswerModel(**({"table": LAB_LIKE.table, "read": 1.0} | change))


def test_a_fit_without_answers_is_the_mode_of_the_prior():
    table = fit_answer_model(Pool([[-1]], [0]), kinds=1).table
    assert table[0, :8] == pytest.approx(PRIOR_MODES)


def test_a_fit_without_kinds_is_refused(random_pool):
    with pytest.raises(DataError, match="kinds must be at least 1"):
        fit_answer_model(random_pool(3, 4), kinds=0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("verifications", [8, 300, 3000, 30_000])
def test_a_fit_to_any_number_of_verdicts_finds_their_rates_and_the_same_model_of_votes(verifications):
    rng = np.random.default_rng(0)
    is_right = rng.random((300, 32)) < rng.beta(2, 2, 300)[:, None]
    answers = np.where(is_right, 0, rng.integers(1, 9, is_right.shape))
    yes = rng.binomial(verifications, np.where(is_right, 0.8, 0.3))
    tallies = VerdictTallies(yes, verifications - yes, verifications)
    model = fit_answer_model(Pool(answers, np.zeros(300, dtype=int), tallies))
    a, b, _, theta, ra, rb, wa, wb = model.table[model.table[:, 8].argmax(), :8]
    by_votes = fit_answer_model(Pool(answers, np.zeros(300, dtype=int)), kinds=1).table[0]
    assert [a, b, theta] == pytest.approx(by_votes[[0, 1, 3]], rel=0.1)
    assert (ra / (ra + rb), wa / (wa + wb)) == (pytest.approx(0.8, abs=0.005), pytest.approx(0.3, abs=0.005))
    assert 1 < ra + rb <= 2e6


@pytest.mark.parametrize("code", [14.0, 40.0, 800.0, -800.0])
def test_parameters_beyond_all_limits_have_a_likelihood_and_the_slope_of_the_prior(random_pool, code):
    likelihood, coded = _Likelihood(count_answers(random_pool(4, 5, 2))), _start_parameters(2, 1.0)
    coded[[0, 2, 12, 17]] = code
    with np.errstate(all="raise", under="ignore"):
        loss, slope = likelihood.compute_loss(coded)
    assert np.isfinite(loss)
    assert np.isfinite(slope).all()
    assert (np.sign(slope[[0, 2, 12, 17]]) == np.sign(code)).all()
    step = 1e-4 * np.eye(len(coded))
    slopes = [(likelihood.compute_loss(coded + h)[0] - likelihood.compute_loss(coded - h)[0]) / 2e-4 for h in step]
    assert slope == pytest.approx(slopes, rel=1e-3, abs=1e-3)
