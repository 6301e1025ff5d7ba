"""What is sampled on solutions that were taken: scores and searches, and verdicts of a real verifier."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocompute.errors import EngineError
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
)

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"
VERIFIER = {"model": "scripted/verifier", "prompt": "lab-verify"}
SEARCH = {"strategy": "beam", "n": [4], "width": 2, "rounds": 4}
PRM = {"kind": "lab", "model": "scripted/prm"}


def test_solutions_that_are_taken_are_scored_and_searched_beside(
    command, scripted, stepping, small, taking, tmp_path, refusal
):
    old = Run(run_sweep(small(verifier=None, verifications=0), load=scripted()).run)
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "max_tokens": 60}
    config = taking(
        verifier=None, verifications=0, scorer=PRM, scored=4, searches=[SEARCH], solver=solver, solutions_from=old.path
    )
    pair = stepping()
    run = Run(run_sweep(config, load=pair[0], load_scorer=pair[1]).run)
    assert {request.key[0] for request, _ in pair[0].asked}.isdisjoint({SOLUTIONS_TABLE, VERIFICATIONS_TABLE})
    assert (len(run.read_keys(SCORES_TABLE)), len(run.read_keys(SEARCHES_TABLE))) == (16, 4)
    assert check_run(run).is_whole
    assert {"bon", "beam+weighted"} <= set(estimate_run_profile(run.path, "p").strategies)
    assert command("tree", run.path, min(run.read_keys(PROBLEMS_TABLE))[0]).code == 0
    other = config.model_copy(
        update={"run": f"{run.path}-2", "solver": config.solver.model_copy(update={"model": "x"})}
    )
    assert refusal(other, scripted()) == (
        f"The solutions of '{old.path}' were sampled from 'scripted/solver', not from 'x'; searches must use the same "
        "solver: name that model, or search in a separate run."
    )


def test_searches_may_join_later_and_the_verifier_may_change_until_something_was_verified(
    small, scripted, stepping, old, taking, refusal
):
    def gone(*_: object) -> str:
        raise EngineError("the engine is gone")

    with pytest.raises(EngineError, match="gone"):
        run_sweep(taking(verifier={**VERIFIER, "model": "scripted/first"}, seed=3), load=scripted(gone))
    assert len(Run(taking().run).read_keys(SOLUTIONS_TABLE)) == 24
    run_sweep(taking(), load=scripted())
    pair = stepping()
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "max_tokens": 60}
    more = taking(scorer=PRM, searches=[SEARCH], solver=solver)
    run = Run(run_sweep(more, load=pair[0], load_scorer=pair[1]).run)
    assert len(run.read_keys(SEARCHES_TABLE)) == 4
    changed = more.model_copy(update={"verifier": more.verifier.model_copy(update={"temperature": 0.0})})
    assert refusal(changed, scripted()) == (
        f"The run at '{run.path}' was made with verifier.temperature = 0.7, but this sweep requests 0.0; name "
        "another run, or request the same."
    )


@pytest.fixture
def one_thread():
    """Lets torch use one thread: models this small are faster so, above all beside other work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def lab_role(name: str, tokens: int) -> dict[str, object]:
    """The lab's solver or verifier, in float32."""
    prompt = {"solver": "lab-solve", "verifier": "lab-verify"}[name]
    return {"model": str(LAB / name), "prompt": prompt, "max_tokens": tokens, "options": {"dtype": "float32"}}


def test_a_real_verifier_gives_the_verdicts_that_it_gave_in_one_sweep(one_thread, unclocked, tmp_path):
    """A row's draw comes from its key and the seed, whoever sampled the solution."""
    both = {"engine": "transformers", "verifier": lab_role("verifier", 60), "verifications": 2}
    whole = both | {"run": str(tmp_path / "whole"), "task": {"name": "lab", "problems": 2, "seed": 2}}
    whole |= {"solver": lab_role("solver", 60), "solutions": 2}
    again = both | {"run": str(tmp_path / "again"), "solutions_from": str(tmp_path / "whole")}
    one, other = (Run(run_sweep(Sweep.model_validate(config)).run) for config in (whole, again))
    assert len(other.read_keys(VERIFICATIONS_TABLE)) == 8
    assert other.read_frame(VERIFICATIONS_TABLE)["text"].str.len().min() > 20
    for table in (PROBLEMS_TABLE, SOLUTIONS_TABLE):
        assert other.read_frame(table).equals(one.read_frame(table))
    assert unclocked(other, VERIFICATIONS_TABLE) == unclocked(one, VERIFICATIONS_TABLE)


def test_the_shipped_run_of_the_lab_is_verified_anew_by_a_real_verifier(one_thread, tmp_path):
    lab = LAB.parent / "runs" / "lab"
    verifier = {
        "model": str(LAB / "verifier"),
        "prompt": "lab-verify",
        "max_tokens": 160,
        "options": {"dtype": "float32"},
    }
    config = {"run": str(tmp_path / "new"), "solutions_from": str(lab), "engine": "transformers", "verifier": verifier}
    config |= {"problems": 3, "solutions": 4, "verifications": 2}
    run = Run(run_sweep(Sweep.model_validate(config)).run)
    theirs = Run(lab).read_frame(SOLUTIONS_TABLE)
    names = Run(lab).read_table(PROBLEMS_TABLE)["problem_id"].to_pylist()[:3]
    taken = theirs[theirs["problem_id"].isin(names) & (theirs["solution_id"] < 4)]
    assert run.read_frame(SOLUTIONS_TABLE).equals(taken.reset_index(drop=True))
    verdicts = run.read_frame(VERIFICATIONS_TABLE)["verdict"]
    assert len(verdicts) == 24
    assert verdicts.notna().sum() >= 20
    found = read_pool(run)
    assert measure_costs(found).sizes.parameters == {"solver": 860416.0, "verifier": 860416.0}
    assert found.pool.verdicts.shape == (3, 4, 2)
