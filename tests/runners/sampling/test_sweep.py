from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime

import pytest

from isocompute.errors import EngineError, RunError
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.runners.config.sweep_reading import extract_sweep
from isocompute.runners.engines import Completion
from isocompute.runners.parsing.kinds import count_verification_kinds
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE
from isocompute.runners.tasks import make_lab_problems


def every_key(run, problems=4, solutions=6, verified=6, verifications=3):
    ids = sorted(key[0] for key in run.read_keys(PROBLEMS_TABLE))
    assert len(ids) == problems
    solved = [(p, i) for p in ids for i in range(solutions)]
    return solved, [(p, i, j) for p, i in solved if i < verified for j in range(verifications)]


def keys(run, table):
    """The keys in a table's parts as they stand there, none of them given way."""
    return [tuple(row.values()) for row in run.read_table(table, table.key_names).to_pylist()]


def complete(run, **sizes):
    solved, verified = every_key(run, **sizes)
    return sorted(keys(run, SOLUTIONS_TABLE)) == solved and sorted(keys(run, VERIFICATIONS_TABLE)) == verified


def failing(scripted, fails, status="out of memory"):
    """An engine that gives a failed completion where `fails` says so of (prompt, seed)."""
    well = scripted().says
    lost = Completion(None, None, None, None, None, status)
    return scripted(lambda prompt, seed: lost if fails(prompt, seed) else well(prompt, seed))


def breaking(scripted, after):
    """An engine that breaks down after so many completions."""
    well, count = scripted().says, iter(range(after))

    def says(prompt, seed):
        if next(count, None) is None:
            raise EngineError("the engine is gone")
        return well(prompt, seed)

    return scripted(says)


def test_a_sweep_asks_for_every_key_once(small, scripted):
    summary = run_sweep(small(), load=scripted())
    run = Run(summary.run)
    assert complete(run)
    assert (summary.sampled, summary.solutions, summary.verifications) == (96, 24, 72)
    assert 0 < summary.accuracy < 1
    assert not summary.failed


def test_only_the_first_solutions_are_verified_if_so_asked(small, scripted):
    assert complete(Run(run_sweep(small(verified=2), load=scripted()).run), verified=2)


def test_a_sweep_without_verifications_loads_no_verifier(small, scripted):
    engine = scripted()
    summary = run_sweep(small(verifications=0), load=engine)
    assert complete(Run(summary.run), verifications=0)
    assert engine.models == ["scripted/solver"]


def test_a_complete_run_loads_no_model(small, scripted):
    run_sweep(small(), load=scripted())
    engine = scripted()
    assert run_sweep(small(), load=engine).sampled == 0
    assert engine.models == []


@pytest.mark.parametrize("after", [0, 1, 23, 24, 25, 95])
@pytest.mark.parametrize("verifier", ["scripted/verifier", "scripted/solver"])
def test_after_a_failure_only_what_is_missing_is_asked_for(small, scripted, after, verifier):
    config = small(verifier={"model": verifier, "prompt": "lab-verify"})
    with pytest.raises(EngineError, match="gone"):
        run_sweep(config, load=breaking(scripted, after))
    run = Run(config.run)
    there = set(keys(run, SOLUTIONS_TABLE) + keys(run, VERIFICATIONS_TABLE))
    assert len(there) == after

    engine = scripted()
    run_sweep(config, load=engine)
    assert complete(run)
    assert not there & {request.key[1:] for request in engine.asked}


def test_a_seed_depends_on_the_row_and_not_on_when_it_is_asked_for(small, scripted, tmp_path):
    whole, resumed = scripted(), scripted()
    run_sweep(small(run=str(tmp_path / "whole")), load=whole)
    with pytest.raises(EngineError):
        run_sweep(small(), load=(broken := breaking(scripted, 40)))
    run_sweep(small(), load=resumed)
    seeds = {request.key: request.seed for request in whole.asked}
    assert {request.key: request.seed for request in broken.asked + resumed.asked} == seeds
    assert len(set(seeds.values())) == len(seeds)
    one, other = (Run(path).read_frame(VERIFICATIONS_TABLE) for path in (tmp_path / "whole", tmp_path / "run"))
    assert one.equals(other)


@pytest.mark.parametrize(
    ("changes", "sizes"),
    [
        ({"solutions": 9}, {"solutions": 9, "verified": 9}),
        ({"verifications": 5}, {"verifications": 5}),
        ({"task": {"name": "lab", "problems": 7}}, {"problems": 7}),
        ({"solutions": 9, "verified": 6}, {"solutions": 9}),
    ],
)
def test_a_run_grows(small, scripted, changes, sizes):
    first, second = scripted(), scripted()
    run_sweep(small(), load=first)
    before = {request.key for request in first.asked}
    run = Run(run_sweep(small(**changes), load=second).run)
    assert complete(run, **sizes)
    assert before.isdisjoint(request.key for request in second.asked)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"solutions": 5}, "has solutions = 6; a run can grow, not shrink to 5."),
        ({"verifications": 2}, "has verifications = 3; a run can grow, not shrink to 2."),
        ({"verifications": 0}, "has verifications = 3; a run can grow, not shrink to 0."),
        ({"verified": 2}, "has verified = 6; a run can grow, not shrink to 2."),
        (
            {"task": {"name": "lab", "problems": 3}},
            "has 4 problems, including 'lab-0-4-0', which is not among this sweep's 3; a run can grow, not shrink.",
        ),
        ({"seed": 7}, "was made with seed = 0, but this sweep requests 7; name another run, or request the same."),
        (
            {"solver": {"model": "scripted/other", "prompt": "lab-solve"}},
            "was made with solver.model = 'scripted/solver', but this sweep requests 'scripted/other'; name another "
            "run, or request the same.",
        ),
        (
            {"verifier": {"model": "scripted/verifier", "prompt": "lab-verify", "temperature": 0}},
            "was made with verifier.temperature = 0.7, but this sweep requests 0.0; name another run, or request the "
            "same.",
        ),
        (
            {"seed": 7, "solver": {"model": "scripted/other", "prompt": "lab-solve", "temperature": 0}},
            "was made with seed = 0, solver.model = 'scripted/solver', solver.temperature = 0.7, but this sweep "
            "requests 7, 'scripted/other', 0.0; name another run, or request the same.",
        ),
        (
            {"task": {"name": "lab", "problems": 4, "seed": 1}},
            "was made with task.seed = 0, but this sweep requests 1; name another run, or request the same.",
        ),
    ],
)
def test_a_run_neither_shrinks_nor_changes(small, scripted, changes, sentence):
    config = small()
    run_sweep(config, load=scripted())
    engine = scripted()
    with pytest.raises(RunError) as caught:
        run_sweep(small(**changes), load=engine)
    assert str(caught.value) == f"The run at '{config.run}' {sentence}"
    assert engine.models == []
    assert complete(Run(config.run))


@pytest.mark.parametrize(
    "sizes", [{"verified": 6}, {"verified": 4, "verifications": 5}, {"verified": 3, "solutions": 9}]
)
def test_more_of_the_solutions_may_be_verified(small, scripted, sizes):
    first, second = scripted(), scripted()
    run_sweep(small(verified=2), load=first)
    config = small(**sizes)
    run = Run(run_sweep(config, load=second).run)
    assert complete(run, solutions=config.solutions, verified=config.to_verify, verifications=config.verifications)
    assert {request.key for request in first.asked}.isdisjoint(request.key for request in second.asked)
    assert read_pool(run).pool.verdicts.shape == (4, config.to_verify, config.verifications)


def test_a_run_grows_in_all_ways_at_once_and_its_manifest_says_so(small, scripted):
    run_sweep(small(verified=2), load=scripted())
    larger = small(solutions=8, verified=5, verifications=4, task={"name": "lab", "problems": 6})
    run = Run(run_sweep(larger, load=scripted()).run)
    assert complete(run, problems=6, solutions=8, verified=5, verifications=4)
    assert extract_sweep(run.read_manifest(), run.path) == larger
    assert check_run(run).is_whole


def test_rows_without_a_manifest_are_not_added_to(small, scripted, tmp_path):
    run_sweep(small(), load=scripted())
    (tmp_path / "run" / "manifest.json").unlink()
    engine = scripted()
    with pytest.raises(RunError, match=r"has solutions but no manifest.json, so it is unknown how they were made"):
        run_sweep(small(), load=engine)
    assert engine.asked == []


def test_no_verification_reaches_the_disk_before_its_solution(small, scripted, monkeypatch):
    """With one model in both roles, at every moment; a solution sampled anew might be another one."""
    put, writer = Run._put_file, Run.open_writer

    def watched(run, path, content, *options, **named):
        put(run, path, content, *options, **named)
        assert {key[:2] for key in run.read_keys(VERIFICATIONS_TABLE)} <= run.read_keys(SOLUTIONS_TABLE)

    def uneven(run, table, seconds=0.0, **settings):
        return writer(run, table, 0.0 if table is VERIFICATIONS_TABLE else 3600.0, **settings)

    monkeypatch.setattr(Run, "_put_file", watched)
    monkeypatch.setattr(Run, "open_writer", uneven)
    run_sweep(small(verifier={"model": "scripted/solver", "prompt": "lab-verify"}), load=scripted())


def test_a_run_keeps_its_prompts(small, scripted, tmp_path):
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Problem: {question}\n")
    config = small(solver={"model": "scripted/solver", "prompt": str(prompt)})
    run_sweep(config, load=scripted())
    prompt.write_text("Please: {question}\n")
    with pytest.raises(RunError, match=r"was made with prompts.solver.sha256 = '\w{64}'"):
        run_sweep(config, load=scripted())


def test_a_run_keeps_its_questions(small, scripted, tmp_path):
    file = tmp_path / "task.jsonl"
    file.write_text('{"question": "Start with 1, add 1.", "answer": "2"}\n')
    config = small(task={"path": str(file)})
    run_sweep(config, load=scripted())
    file.write_text('{"question": "Start with 1, add 2.", "answer": "3"}\n')
    with pytest.raises(RunError, match="has another question or answer for the problem '1'"):
        run_sweep(config, load=scripted())


def test_what_no_row_was_made_with_may_still_change(small, scripted):
    with pytest.raises(EngineError):
        run_sweep(small(), load=breaking(scripted, 0))
    solver = {"model": "scripted/better", "prompt": "lab-solve"}
    run_sweep(small(solver=solver, verifier=None, verifications=0, engine="vllm"), load=scripted())
    assert complete(Run(run_sweep(small(solver=solver, engine="vllm"), load=scripted()).run))


def test_a_model_that_is_not_there_is_told_before_anything_is_sampled(small, scripted, tmp_path):
    config = small(verifier={"model": str(tmp_path / "none"), "prompt": "lab-verify"})
    engine = scripted()
    with pytest.raises(EngineError, match="does not exist; give a checkpoint's folder or a name on the hub"):
        run_sweep(config, load=engine)
    assert engine.models == []
    assert not Run(config.run).exists


def test_failed_rows_have_a_status_and_no_answer_and_are_asked_for_again(small, scripted):
    summary = run_sweep(small(), load=failing(scripted, lambda prompt, seed: seed % 3 == 0))
    run = Run(summary.run)
    for table, said in ((SOLUTIONS_TABLE, ["text", "answer", "correct"]), (VERIFICATIONS_TABLE, ["text", "verdict"])):
        frame = run.read_frame(table)
        failed = frame[frame["status"] != "ok"]
        assert len(failed) > 0
        assert set(failed["status"]) == {"out of memory"}
        assert failed[said].isna().all(axis=None)
    ok = run.read_frame(SOLUTIONS_TABLE).query("status == 'ok'")
    assert summary.accuracy == ok["correct"].astype(float).mean()
    unanswered = summary.failed["out of memory"]
    assert (summary.solutions + summary.verifications + unanswered) == summary.sampled

    run_sweep(small(), load=scripted())
    assert Counter(run.read_frame(SOLUTIONS_TABLE)["status"]) == {"ok": 24}
    assert Counter(run.read_frame(VERIFICATIONS_TABLE)["status"]) == {"ok": 72}


def test_a_row_that_fails_again_and_again_stands_once_and_its_problem_is_left_out(small, scripted):
    first = make_lab_problems(1, [1], seed=0)[0]
    for _ in range(2):
        engine = failing(scripted, lambda prompt, seed: first.question in prompt, "too long")
        summary = run_sweep(small(), load=engine)
    assert summary.failed == {"too long": 6}
    assert len(Run(summary.run).read_frame(SOLUTIONS_TABLE)) == 24
    found = read_pool(Run(summary.run))
    assert found.excluded_problems == {first.problem_id: "no solutions (too long)"}
    assert found.pool.verdicts.shape == (3, 6, 3)


def test_two_models_are_loaded_one_after_the_other(small, scripted):
    engine = scripted()
    run_sweep(small(), load=engine)
    assert engine.models == ["scripted/solver", "scripted/verifier"]
    assert [{request.key[0] for request in run} for run in engine.runs] == [{SOLUTIONS_TABLE}, {VERIFICATIONS_TABLE}]


def test_one_model_in_both_roles_is_loaded_once(small, scripted):
    engine = scripted()
    config = small(verifier={"model": "scripted/solver", "prompt": "lab-verify"})
    assert complete(Run(run_sweep(config, load=engine).run))
    assert engine.models == ["scripted/solver"]
    assert len(engine.runs) == 1


def test_one_model_verifies_what_is_solved_before_it_solves_on(small, scripted):
    config = small(verifier={"model": "scripted/solver", "prompt": "lab-verify"})
    with pytest.raises(EngineError):
        run_sweep(config, load=breaking(scripted, 2))
    engine = scripted()
    run_sweep(config, load=engine)
    tables = [request.key[0].name for request in engine.asked]
    assert tables == ["verifications"] * 6 + ["solutions"] * 22 + ["verifications"] * 66


@pytest.mark.parametrize("verifier", ["scripted/verifier", "scripted/solver"])
def test_the_verifications_of_a_solution_stand_side_by_side(small, scripted, verifier):
    engine = scripted()
    run_sweep(small(verifier={"model": verifier, "prompt": "lab-verify"}), load=engine)
    verifications = [request for request in engine.asked if request.key[0] is VERIFICATIONS_TABLE]
    for i in range(0, len(verifications), 3):
        group = verifications[i : i + 3]
        assert len({request.prompt for request in group}) == 1
        assert [request.key[-1] for request in group] == [0, 1, 2]


def test_a_verification_is_of_what_the_solver_wrote(small, scripted):
    engine = scripted()
    run = Run(run_sweep(small(), load=engine).run)
    texts = run.read_frame(SOLUTIONS_TABLE).set_index(["problem_id", "solution_id"])["text"]
    for request in engine.asked:
        if request.key[0] is VERIFICATIONS_TABLE:
            assert f"Solution:\n{texts[request.key[1:3]]}\nVerification:\n" in request.prompt


def test_the_manifest_of_the_same_sweep_is_the_same(small, scripted, tmp_path):
    run_sweep(small(), load=scripted())
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    run_sweep(small(), load=scripted())
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before


def test_a_row_says_when_it_was_made_as_far_as_the_engine_does(small, scripted):
    """An engine that says nothing, or what cannot be, gives null; and so does what nobody was asked."""
    well, said = scripted().says, iter(range(10**6))
    made = [{}, {"started_at": 1e9, "seconds": 2.5}, {"started_at": math.nan, "seconds": -1.0}, {"seconds": 0.0}]

    def says(prompt, seed):
        text = "" if prompt.endswith("Solution:\n") and seed % 5 == 0 else well(prompt, seed)
        i = next(said)
        if i == 7:
            return Completion(None, None, None, None, None, "lost", started_at=1e9, seconds=2.5)
        return Completion(text, 3, None, 4, "stop", **made[i % 4])

    run = Run(run_sweep(small(), load=scripted(says)).run)
    began = datetime.fromtimestamp(1e9, UTC)
    there = {(None, None), (began, 2.5), (None, 0.0)}
    for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        rows = run.read_table(table).to_pylist()
        assert {(row["started_at"], row["seconds"]) for row in rows} == there
    (lost,) = (row for row in run.read_table(SOLUTIONS_TABLE).to_pylist() if row["status"] == "lost")
    assert (lost["started_at"], lost["seconds"]) == (began, 2.5)
    skipped = [row for row in run.read_table(VERIFICATIONS_TABLE).to_pylist() if row["finish_reason"] == "skipped"]
    assert {(row["started_at"], row["seconds"]) for row in skipped} == {(None, 0.0)}
    assert check_run(run).is_whole


@pytest.mark.parametrize("verifier", ["scripted/verifier", "scripted/solver"])
def test_thinking_is_logged_and_cut_and_what_never_ends_is_not_verified(small, scripted, verifier):
    def says(prompt, seed):
        if prompt.endswith("Verification:\n"):
            assert "thought" not in prompt
            return "Verdict: Yes?</think>Verdict: No"
        if seed % 3 == 0:
            return Completion("thought \\boxed{1}", 3, None, 9, "length")
        return "thought \\boxed{1}</think>\\boxed{2}"

    config = small(
        solver={"model": "scripted/solver", "prompt": "lab-solve", "thinking_end": "</think>"},
        verifier={"model": verifier, "prompt": "lab-verify", "thinking_end": "</think>"},
    )
    run = Run(run_sweep(config, load=scripted(says)).run)
    solutions, verifications = run.read_frame(SOLUTIONS_TABLE), run.read_frame(VERIFICATIONS_TABLE)
    endless = int((solutions["finish_reason"] == "length").sum())
    assert 0 < endless < 24
    assert solutions["text"].str.startswith("thought").all()
    assert solutions["answer"].isna().sum() == endless
    assert set(solutions["answer"].dropna()) == {"2"}
    counts = count_verification_kinds(verifications)
    assert (counts["skipped"], counts["no"]) == (3 * endless, 72 - 3 * endless)
    assert (verifications.loc[verifications["finish_reason"] == "skipped", "completion_tokens"] == 0).all()
    assert run_sweep(config, load=scripted(says)).sampled == 0
    assert read_pool(run).excluded_problems == {}
