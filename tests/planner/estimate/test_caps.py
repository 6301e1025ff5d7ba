"""Caps from logs: what a run says of a lower limit is what a run under that limit gives."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isocompute.planner.estimate.caps import choose_limits
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"


class WritingEngine:
    """A test double that writes a character a token, and stops at the token limit, as real engines do.

    It thinks for a while first, and then says what it is told to.
    """

    def __init__(self, says):
        self.says = says

    def __call__(self, name, model, **options):
        return self

    def run(self, pending):
        while pending:
            request = pending.popleft()
            text = self.says(request.prompt, request.seed)
            text = "x" * random.Random(request.seed).randint(1, 60 + len(text)) + text
            text, is_cut = text[: request.sampling.max_tokens], len(text) > request.sampling.max_tokens
            yield request, Completion(text, 5, None, len(text), "length" if is_cut else "stop")

    def close(self):
        pass


@pytest.fixture
def writing(scripted):
    return WritingEngine(scripted().says)


def sample(folder, limit, load=None, **changes):
    """Sample the lab's task under a limit, and fit it."""
    content = {
        "run": str(folder / f"limit-{limit}"),
        "task": {"name": "lab", "problems": 5},
        "engine": "transformers",
        "solver": {"model": "scripted/solver", "prompt": "lab-solve", "max_tokens": limit},
        "solutions": 12,
    }
    content = content | changes
    content["solver"] = {**content["solver"], "max_tokens": limit}
    run = run_sweep(Sweep.model_validate(content), **({} if load is None else {"load": load})).run
    return run, estimate_run_profile(str(run), "p")


def check_prediction(long, caps, limit, folder, load=None, **changes):
    """Compare what a run says of a limit with a run under that limit."""
    at = caps.limits.index(limit)
    _, capped = sample(folder, limit, load, **changes)
    votes = capped.self_consistency
    knots = [votes.solutions.index(S) for S in caps.solutions]
    np.testing.assert_allclose(caps.array[:, at], votes.array[:, knots], atol=1e-9)
    assert caps.cut[at] == pytest.approx(capped.missing.cut_solutions, abs=1e-5)
    means = [record.tokens["solver"].completion for record in capped.per_problem]
    assert caps.tokens[at] == pytest.approx(np.mean(means), abs=2e-3)
    assert caps.tokens[at] < np.mean([record.tokens["solver"].completion for record in long.per_problem])


def test_a_run_says_what_a_lower_limit_gives(tmp_path, writing):
    _, long = sample(tmp_path, 200, writing)
    caps = long.caps
    assert caps.own_limit == 200
    assert (caps.cut[-1], len(caps.limits) > 3) == (0, True)
    assert 0 < caps.array[:, 0].mean() < caps.array[:, -1].mean()
    for limit in caps.limits[:-1]:
        check_prediction(long, caps, limit, tmp_path, writing)


def test_a_run_of_a_real_model_says_what_a_lower_limit_gives(tmp_path):
    pytest.importorskip("transformers")
    solver = {"model": str(LAB / "solver"), "prompt": "lab-solve", "temperature": 0.9}
    # float32, so that what else is in the batch changes no text
    solver["options"] = {"dtype": "float32", "batch_size": 32}
    changes = {"solver": solver, "task": {"name": "lab", "problems": 4, "levels": [1, 2]}, "solutions": 8}
    _, long = sample(tmp_path, 200, **changes)
    check_prediction(long, long.caps, long.caps.limits[1], tmp_path, **changes)


def test_the_last_limit_is_the_run_itself(tmp_path, writing):
    _, long = sample(tmp_path, 60, writing)  # cuts some of the solutions
    votes, caps = long.self_consistency, long.caps
    knots = [votes.solutions.index(S) for S in caps.solutions]
    np.testing.assert_allclose(caps.array[:, -1], votes.array[:, knots], atol=1e-9)
    assert (caps.limits[-1], caps.own_limit) == (60, 60)
    assert caps.cut[-1] == pytest.approx(long.missing.cut_solutions, abs=1e-5)
    assert caps.cut[-1] > 0.1


def test_what_the_run_cut_is_said(tmp_path, writing):
    _, long = sample(tmp_path, 60, writing)
    cut = round(60 * long.missing.cut_solutions)
    said = f"{100 * cut / 60:.3g} % of the solutions ({cut}) were cut at the token limit of 60, and 0 % of these are "
    assert f"{said}right; a higher solver.max_tokens may give other accuracies." in long.warnings
    _, whole = sample(tmp_path, 200, writing)
    assert not any("were cut" in warning for warning in whole.warnings)


@pytest.mark.parametrize("change", [{"completion_tokens": None}, {"completion_tokens": 7}])
def test_without_lengths_that_differ_there_are_no_caps(tmp_path, writing, rewrite, change):
    run, _ = sample(tmp_path, 200, writing)
    rewrite(run, SOLUTIONS_TABLE, lambda f: f.assign(**change).astype({"completion_tokens": "Int64"}))
    assert estimate_run_profile(str(run), "p").caps is None


def test_an_unknown_length_of_one_solution_leaves_the_caps_out(tmp_path, writing, rewrite):
    run, _ = sample(tmp_path, 200, writing)
    forget = lambda f: f.assign(completion_tokens=f["completion_tokens"].astype("Int64").mask(f.index == 3))  # noqa: E731
    rewrite(run, SOLUTIONS_TABLE, forget)
    assert estimate_run_profile(str(run), "p").caps is None


def test_a_profile_keeps_its_caps(tmp_path, writing):
    from isocompute.planner.profile import read_profile

    _, long = sample(tmp_path, 200, writing)
    long.write(str(tmp_path / "p.json"))
    assert read_profile(str(tmp_path / "p.json")).caps.model_dump() == long.caps.model_dump()
    replaced = long.model_copy(update={"caps": None})
    replaced.write(str(tmp_path / "q.json"))
    assert '"caps"' not in (tmp_path / "q.json").read_text()


def test_limits_are_few_round_and_below_the_longest():
    rng = np.random.default_rng(1)
    for lengths in (rng.lognormal(7, 1, 4000).round() + 1, rng.integers(1, 30, 50), np.array([3, 3, 3, 900])):
        limits = choose_limits(lengths)
        assert limits == sorted(set(limits))
        assert limits[-1] == lengths.max()
        assert len(limits) <= 6
        for limit in limits[:-1]:
            assert len(str(limit).rstrip("0")) <= 2
            assert 0 < (lengths > limit).mean() <= 0.5


def test_answers_that_are_unknown_allow_no_caps():
    import isocompute as iso

    frame = pd.DataFrame({"p": list("aabbcc"), "right": [1, 0, 1, 1, 0, 0], "tokens": [5, 9, 7, 8, 3, 4]})
    run = iso.from_frame(frame, problem="p", correct="right", tokens="tokens")
    assert iso.fit(run)._profile.caps is None
    frame = frame.assign(answer=[1, 2, 1, 1, 2, 3])
    voted = iso.fit(iso.from_frame(frame, problem="p", correct="right", answer="answer", tokens="tokens"))._profile
    assert voted.caps.own_limit is None
    assert voted.caps.limits[-1] == 9
