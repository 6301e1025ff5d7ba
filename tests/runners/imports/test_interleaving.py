"""Completions under other problems: the order of the tool of before January 2025, and its inverse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from isocompute.runners.imports.interleaving import Batches, compute_evidence, infer_batches, locate_completions


def store_as_the_tool_did(samples, batch):
    """The tool's own code before commit 179c75b: samples is one list of texts for each problem."""
    n = len(samples[0])
    stored = []
    for first in range(0, len(samples), batch):
        problems = samples[first : first + batch]
        prompts = list(range(len(problems))) * n  # x["problem"] * config.n
        seen = [0] * len(problems)
        responses = []
        for problem in prompts:
            responses.append(problems[problem][seen[problem]])
            seen[problem] += 1
        stored += [responses[i * n : (i + 1) * n] for i in range(len(problems))]
    return stored


def sample_answers(problems, n, seed, right=0.5, wrong=3):
    """Codes of answers, and of the right ones: each problem has its own right answer and its own wrong ones."""
    rng = np.random.default_rng(seed)
    first = np.arange(problems) * (wrong + 1)
    is_wrong = rng.random((problems, n)) >= right
    return first[:, None] + is_wrong * rng.integers(1, wrong + 1, (problems, n)), first


@pytest.mark.parametrize(("problems", "n", "batch"), list(itertools.product((1, 5, 12), (1, 2, 4, 7), (1, 2, 5, 12))))
def test_each_completion_goes_back_to_its_problem_in_the_order_of_sampling(problems, n, batch):
    samples = [[f"{problem}.{sample}" for sample in range(n)] for problem in range(problems)]
    stored = [text for line in store_as_the_tool_did(samples, batch) for text in line]
    owners = locate_completions(problems, n, Batches(batch))[0]
    assert [[stored[place] for place in np.flatnonzero(owners == problem)] for problem in range(problems)] == samples


@pytest.mark.parametrize(
    ("problems", "n", "batch"), [(10, 4, 10), (60, 4, 25), (40, 16, 8), (50, 3, 25), (9, 4, 1), (60, 4, 2)]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_batches_are_inferred_from_the_answers(problems, n, batch, seed):
    answers, golds = sample_answers(problems, n, seed, right=0.7)
    stored = np.array(store_as_the_tool_did(answers.tolist(), batch))
    assert infer_batches(stored, golds) == Batches(batch)


def test_answers_that_cannot_be_read_tell_nothing_and_do_no_harm():
    answers, golds = sample_answers(30, 4, 0)
    stored = np.array(store_as_the_tool_did(answers.tolist(), 10))
    unread = np.random.default_rng(1).random(stored.shape) < 0.2
    assert infer_batches(np.where(unread, -1, stored), golds) == Batches(10)
    assert infer_batches(np.full((30, 4), -1), np.full(30, -1)) is None


def test_a_part_of_a_file_is_no_whole_file():
    answers, golds = sample_answers(60, 4, 0)
    stored = np.array(store_as_the_tool_did(answers.tolist(), 20))
    assert infer_batches(stored[:50], golds[:50]) == Batches(20, is_cut=True)
    for part in (slice(10, 50), slice(20, 50), slice(5, 45), slice(19, 39)):
        found = infer_batches(stored[part], golds[part])
        assert found is None or found.is_cut
    found = infer_batches(np.delete(stored, 3, axis=0), np.delete(golds, 3))
    assert found is None or found.is_cut


def test_what_the_answers_do_not_tell_is_not_guessed():
    rng = np.random.default_rng(0)
    golds = np.arange(30)
    assert infer_batches(rng.integers(1000, 10**6, (30, 4)), golds) is None  # no two agree
    answers, golds = sample_answers(30, 4, 0)
    order = rng.permutation(30 * 4)
    assert infer_batches(answers.ravel()[order].reshape(30, 4), golds) is None
    letters = rng.integers(0, 2, (30, 4))
    assert infer_batches(np.array(store_as_the_tool_did(letters.tolist(), 10)), letters[:, 0]) is None


def test_one_completion_a_problem_is_where_it_belongs():
    assert infer_batches(np.arange(5)[:, None], np.arange(5)) == Batches(1)


def test_of_a_large_file_a_part_is_compared():
    answers, golds = sample_answers(400, 160, 0, wrong=40)
    stored = np.array(store_as_the_tool_did(answers.tolist(), 25))
    assert infer_batches(stored, golds) == Batches(25)


def test_the_evidence_is_that_of_the_urn_drawn_one_by_one():
    rng = np.random.default_rng(0)
    owners, codes = rng.integers(0, 4, 30), rng.integers(0, 6, 30)
    frequencies = np.bincount(codes, minlength=6) / 30
    expected = np.zeros(5)
    for problem in range(4):
        drawn = codes[owners == problem].tolist()
        for i, code in enumerate(drawn):
            chance = (2 * frequencies[code] + drawn[:i].count(code)) / (2 + i)
            expected[problem] += np.log(chance / frequencies[code])
    assert compute_evidence(owners, codes, frequencies, 5) == pytest.approx(expected, abs=1e-10)
