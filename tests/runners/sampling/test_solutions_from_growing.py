"""Sweeps that take solutions go on: when they were stopped, when the other run has grown, changed, or is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from isocompute.errors import EngineError
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.runners.config.sweep_reading import extract_sweep
from isocompute.runners.cost.estimate import quote_sweep
from isocompute.runners.engines import Completion
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.seeds import derive_seed
from isocompute.runners.storage.check import check_run, repair_run
from isocompute.runners.storage.progress import measure_run_progress
from isocompute.runners.storage.regrade import regrade_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE
from isocompute.runners.tasks import make_lab_problems


def failing(scripted, fails):
    """An engine that gives a failed completion where `fails` says so of (prompt, seed)."""
    well = scripted().says
    lost = Completion(None, None, None, None, None, "out of memory")
    return scripted(lambda prompt, seed: lost if fails(prompt, seed) else well(prompt, seed))


def test_what_failed_there_stands_as_a_failure_and_is_taken_once_it_came(small, scripted, taking, notes):
    first = make_lab_problems(1, [1], seed=0)[0]
    lost = derive_seed(0, "solutions", first.problem_id, 5)
    solving = small(verifier=None, verifications=0)
    old = Run(run_sweep(solving, load=failing(scripted, lambda prompt, seed: seed == lost)).run)
    shown = notes()
    engine = scripted()
    summary = run_sweep(taking(), shown, load=engine)
    run = Run(summary.run)
    assert shown.said == [
        f"1 of the 24 solutions of '{old.path}' failed there; they count as failures here too."
    ]  # fmt: skip
    assert (summary.solutions, summary.verifications, summary.failed, engine.models) == (
        23, 69, {}, ["scripted/verifier"],
    )  # fmt: skip
    row = run.read_frame(SOLUTIONS_TABLE).set_index(["problem_id", "solution_id"]).loc[first.problem_id, 5]
    assert row["status"] == "out of memory"
    assert row[["text", "answer", "correct"]].isna().all()
    there = measure_run_progress(run)
    assert (there.solutions.done, there.solutions.asked, there.solutions.failures) == (23, 24, {"out of memory": 1})
    assert (
        summary.accuracy == there.accuracy == old.read_frame(SOLUTIONS_TABLE)["correct"].dropna().astype(float).mean()
    )
    found = read_pool(run)
    assert (found.excluded_problems, found.failed.solutions["status"].tolist()) == ({}, ["out of memory"])
    assert estimate_run_profile(run.path, "p").problems == 4
    assert check_run(run).is_whole
    assert sum(gap.rows for gap in check_run(run).missing["solutions"]) == 1
    assert quote_sweep(taking()).roles["verifier"].requests == 0

    run_sweep(solving, load=scripted())
    assert quote_sweep(taking()).roles["verifier"].requests == 3
    again = run_sweep(taking(), load=scripted())
    assert (again.sampled, again.solutions, again.verifications) == (3, 24, 72)
    assert read_pool(run).failed.solutions.empty
    assert not any(check_run(run).missing.values())


def test_solutions_of_an_unfinished_run_are_taken_as_far_as_every_problem_has_them(
    small, scripted, taking, rewrite, refusal
):
    old = Run(run_sweep(small(verifier=None, verifications=0), load=scripted()).run)
    name = sorted(key[0] for key in old.read_keys(PROBLEMS_TABLE))[1]
    rewrite(
        Path(old.path), SOLUTIONS_TABLE,
        lambda frame: frame[(frame["problem_id"] != name) | ~frame["solution_id"].isin([3])],
    )  # fmt: skip
    run = Run(run_sweep(taking(), load=scripted()).run)
    assert len(run.read_keys(SOLUTIONS_TABLE)) == 4 * 3
    engine = scripted()
    assert refusal(taking(run=f"{run.path}-more", solutions=5), engine) == (
        f"This sweep takes the first 5 of each problem's solutions, but the run at '{old.path}' has only 3 of "
        f"'{name}'; request fewer, complete that run, or take only its first problems."
    )


def test_a_sweep_that_was_stopped_asks_for_the_rest_only(scripted, old, taking):
    well, count = scripted().says, iter(range(10))

    def says(prompt, seed):
        if next(count, None) is None:
            raise EngineError("the engine is gone")
        return well(prompt, seed)

    with pytest.raises(EngineError, match="gone"):
        run_sweep(taking(), load=scripted(says))
    engine = scripted()
    assert run_sweep(taking(), load=engine).sampled == len(engine.asked) == 62
    assert run_sweep(taking(), load=scripted()).sampled == 0


def test_without_the_other_run_a_sweep_goes_on_with_what_it_took(scripted, old, taking, tmp_path, refusal, notes):
    run_sweep(taking(solutions=4), load=scripted())
    shutil.rmtree(old.path)
    shown, engine = notes(), scripted()
    run = Run(run_sweep(taking(verifications=5), shown, load=engine).run)
    assert shown.said == [
        f"The run at '{old.path}' no longer exists; the sweep continues with the solutions that were taken from it."
    ]
    assert (len(engine.asked), len(run.read_keys(SOLUTIONS_TABLE)), len(run.read_keys(VERIFICATIONS_TABLE))) == (
        32,
        16,
        80,
    )
    for more in ({"solutions": 5}, {"problems": 5}):
        assert refusal(taking(verifications=5, **more), scripted()) == (
            f"The run at '{old.path}' no longer exists, and the run at '{run.path}' did not take everything that "
            "this sweep requests: it has 16 solutions to 4 problems; restore the other run, or request no more than "
            "that."
        )
    assert refusal(taking(run=str(tmp_path / "other")), scripted()) == (
        f"There is no run at '{old.path}': the folder does not exist."
    )


def test_when_the_other_run_has_grown_more_is_taken_if_asked_for(small, scripted, old, taking, refusal):
    run_sweep(taking(), load=scripted())
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "parameters": 8e9}
    grown = small(verifier=None, verifications=0, solver=solver, solutions=8, task={"name": "lab", "problems": 6})
    run_sweep(grown, load=scripted())
    assert run_sweep(taking(), load=scripted()).sampled == 0
    run = Run(run_sweep(taking(solutions=8, problems=6), load=scripted()).run)
    assert (len(run.read_keys(SOLUTIONS_TABLE)), len(run.read_keys(VERIFICATIONS_TABLE))) == (48, 144)
    assert extract_sweep(run.read_manifest(), run.path).solution_count == 8
    assert check_run(run).is_whole
    assert refusal(taking(solutions=7, problems=6), scripted()) == (
        f"The run at '{run.path}' has solutions = 8; a run can grow, not shrink to 7."
    )
    assert "has 6 problems" in refusal(taking(solutions=8, problems=5), scripted())
    assert run_sweep(taking(), load=scripted()).sampled == 0  # as many as before


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"text": "another \\boxed{1}"}, "its 'text' differs"),
        ({"completion_tokens": 4000}, "its 'completion_tokens' differs"),
        ({"answer": "another", "correct": False}, "its 'answer' differs"),
        ({"status": "lost", "text": None, "answer": None, "correct": None}, "its 'text' differs"),
    ],
)
def test_solutions_that_changed_after_they_were_taken_are_refused(
    scripted, old, taking, rewrite, change, what, refusal
):
    config = taking(solutions=4)
    run_sweep(config, load=scripted())
    names = sorted(key[0] for key in old.read_keys(PROBLEMS_TABLE))

    def changed(frame):
        frame = frame.astype(object).where(frame.notna(), None)
        for key in ((names[1], 3), (names[2], 0), (names[0], 5)):  # the last was not taken
            place = (frame["problem_id"] == key[0]) & (frame["solution_id"] == key[1])
            for name, value in change.items():
                frame.loc[place, name] = value
        return frame

    rewrite(Path(old.path), SOLUTIONS_TABLE, changed)
    assert refusal(config, scripted()) == (
        f"The solution {(names[1], 3)} of '{old.path}' has changed since the run at '{config.run}' took it: {what}; "
        "name another run to take the solutions as they are now."
    )


def test_a_question_that_changed_after_it_was_taken_is_refused(scripted, old, taking, rewrite, refusal):
    run_sweep(taking(), load=scripted())
    rewrite(Path(old.path), PROBLEMS_TABLE, lambda frame: frame.assign(question=frame["question"] + "?"))
    assert "has another question or answer for the problem 'lab-0-1-0'" in refusal(taking(), scripted())


def test_the_answers_are_those_of_the_other_run_s_last_grading(scripted, old, taking, rewrite, refusal):
    with load_grader_by_name("exact") as grader:
        regrade_run(old, grader)
    run = Run(run_sweep(taking(), load=scripted()).run)
    assert run.read_manifest()["grader"] == "exact/1"
    columns = ["problem_id", "solution_id", "answer", "correct"]
    assert run.read_frame(SOLUTIONS_TABLE, columns).equals(old.read_frame(SOLUTIONS_TABLE, columns))
    assert run.list_parts(SOLUTIONS_TABLE)
    assert run_sweep(taking(), load=scripted()).sampled == 0
    with load_grader_by_name("boxed-number") as grader:
        regrade_run(old, grader)
    assert refusal(taking(), scripted()) == (
        f"The run at '{run.path}' was made with grader = 'exact/1', but this sweep requests 'boxed-number/1'; name "
        "another run, or request the same."
    )
    with load_grader_by_name("boxed-number") as grader:
        regrade_run(run, grader)
    assert run_sweep(taking(verifications=4), load=scripted()).sampled == 24


def test_a_run_that_was_graded_again_takes_no_further_solutions(scripted, old, taking, refusal):
    run_sweep(taking(solutions=4), load=scripted())
    run = Run(taking().run)
    with load_grader_by_name("exact") as grader:
        regrade_run(run, grader)
    assert run_sweep(taking(solutions=4, verifications=4), load=scripted()).sampled == 16
    assert refusal(taking(solutions=5, verifications=4), scripted()) == (
        f"The run at '{run.path}' was graded again after it took its solutions, so further solutions of '{old.path}' "
        "would be graded differently; take them into another run."
    )


def test_solutions_that_were_lost_are_taken_again(scripted, old, taking):
    run = Run(run_sweep(taking(), load=scripted()).run)
    before = run.read_frame(VERIFICATIONS_TABLE)
    Path(run.list_parts(SOLUTIONS_TABLE)[0]).write_bytes(b"PAR1")
    assert not repair_run(run).is_whole
    run_sweep(taking(), load=scripted())
    assert run.read_frame(SOLUTIONS_TABLE).equals(old.read_frame(SOLUTIONS_TABLE))
    assert run.read_frame(VERIFICATIONS_TABLE).equals(before)
    assert check_run(run).is_whole
