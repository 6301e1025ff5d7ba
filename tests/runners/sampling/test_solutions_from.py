"""Sweeps that take problems and solutions of another run: what is taken, and what is said of it."""

from __future__ import annotations

import json
import shutil

import fsspec
import pytest

from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.runners.cost.estimate import quote_sweep
from isocompute.runners.sampling.served_sizes import list_served_roles
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.progress import measure_run_progress
from isocompute.runners.storage.provenance import extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE
from isocompute.runners.storage.taking import read_source_solutions

VERIFIER = {"model": "scripted/verifier", "prompt": "lab-verify"}
SEARCH = {"strategy": "beam", "n": [4], "width": 2, "rounds": 4}
PRM = {"kind": "lab", "model": "scripted/prm"}


def test_the_verdicts_are_those_of_one_sweep_that_does_both(small, scripted, old, taking, tmp_path):
    whole = Run(run_sweep(small(run=str(tmp_path / "whole")), load=scripted()).run)
    engine = scripted()
    summary = run_sweep(taking(), load=engine)
    run = Run(summary.run)
    assert engine.models == ["scripted/verifier"]
    assert {request.key[0] for request in engine.asked} == {VERIFICATIONS_TABLE}
    assert (summary.sampled, summary.solutions, summary.verifications, summary.failed) == (72, 24, 72, {})
    for table in (PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        assert run.read_frame(table).equals(whole.read_frame(table))
    assert run.read_table(PROBLEMS_TABLE, ["problem_id"]).equals(
        old.read_table(PROBLEMS_TABLE, ["problem_id"])
    )  # in the task's order
    assert check_run(run).is_whole


def test_the_manifest_says_where_the_solutions_are_from(scripted, old, taking):
    run = Run(run_sweep(taking(solutions=4, problems=3), load=scripted()).run)
    written, theirs = run.read_manifest(), old.read_manifest()
    said = written["solutions_from"]
    assert said["run"] == old.path
    for key in ("config", "models", "parameters", "prompts", "grader"):
        assert said[key] == theirs[key]
    assert (said["imported"], said["solutions_from"]) == (None, None)
    assert (said["solver"], said["task"], said["thinking_end"]) == ("scripted/solver", "lab", None)
    assert (said["problems"], said["solutions"], said["failed"]) == (3, 4, 0)
    assert len(said["digest"]) == 32
    assert written["models"] == {"solver": theirs["models"]["solver"], "verifier": {"hub": "scripted/verifier"}}
    assert (written["grader"], written["gold"], written["problems"]) == (
        theirs["grader"], theirs["gold"], theirs["problems"],
    )  # fmt: skip
    assert set(written["prompts"]) == {"verifier"}
    before = json.dumps(written)
    run_sweep(taking(solutions=4, problems=3), load=scripted())
    assert json.dumps(run.read_manifest()) == before


def test_a_password_in_the_other_run_s_url_is_not_written_down(scripted, old, taking, monkeypatch):
    path, real = "ftp://me:hunter2@localhost/runs/old", Run.__init__
    monkeypatch.setattr(Run, "__init__", lambda self, given: real(self, old.path if given == path else given))
    run = Run(run_sweep(taking(solutions_from=path), load=scripted()).run)
    text = json.dumps(run.read_manifest())
    assert "ftp://localhost/runs/old" in text
    assert "hunter2" not in text


def test_fit_has_the_other_run_s_solver_and_its_size(small, scripted, old, taking, tmp_path):
    small_verifier = {**VERIFIER, "parameters": 1e9}
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "parameters": 8e9}
    both = small(run=str(tmp_path / "whole"), solver=solver, verifier=small_verifier)
    run_sweep(both, load=scripted())
    run = run_sweep(taking(verifier=small_verifier), load=scripted()).run
    shutil.rmtree(old.path)  # nothing that reads a run needs the run that its solutions are from
    there, expected = estimate_run_profile(run, "p"), estimate_run_profile(both.run, "p")
    solver = there.models["solver"]
    assert (solver.name, solver.parameters, solver.active_parameters) == ("scripted/solver", 8e9, None)
    assert there.description == f"{expected.description}; its solutions are those of {old.path}"
    assert there.model_dump(exclude={"description"}) == expected.model_dump(exclude={"description"})
    frame = (
        Run(run).read_frame(VERIFICATIONS_TABLE)["completion_tokens"].mean()
        / Run(run).read_frame(SOLUTIONS_TABLE)["completion_tokens"].mean()
    )
    assert there.lam == pytest.approx(frame / 8)
    assert measure_costs(read_pool(Run(run))).sizes.parameters == {"solver": 8e9, "verifier": 1e9}


def test_every_command_works_on_such_a_run(command, scripted, old, taking, tmp_path):
    new, profile = taking().run, tmp_path / "new.json"
    run_sweep(taking(), load=scripted())
    shutil.rmtree(old.path)
    said = json.loads(command("runs", new, "--json").out)[0]
    assert (said["solutions_from"], said["imported"], said["task"]) == (old.path, None, "lab")
    assert (said["solutions"]["done"], said["solutions"]["asked"], said["verifications"]["done"]) == (24, 24, 72)
    assert f"4 problems of lab; solutions of {old.path}; scripted/solver" in command("runs", new).out
    checked = json.loads(command("check", new, "--json").out)
    assert checked["whole"]
    assert not any(checked["missing"].values())
    assert checked["notes"] == [
        f"its solutions were taken from '{old.path}'; a sweep takes missing ones from that run and samples none",
        "9 of 24 solutions (37.5 %) have no answer that can be read; they count as wrong",
        "9 of 72 verdicts (12.5 %) cannot be read; they count as neither yes nor no",
    ]
    assert command("fit", new, "-o", profile).code == 0
    assert command("plan", "--budget", "4x", "--profile", profile).code == 0
    assert json.loads(command("difficulty", new, "--json").out)["problems"] == 4
    assert command("figures", new, "-o", tmp_path / "figures").code == 0
    graded = json.loads(command("grade", new, "--json").out)
    assert (graded["solutions"], graded["changed"], graded["grader"]) == (24, 0, "boxed-number/1")


def test_the_first_problems_and_the_first_solutions_of_each_are_taken(scripted, old, taking):
    run = Run(run_sweep(taking(problems=2, solutions=3, verified=2), load=scripted()).run)
    first = old.read_table(PROBLEMS_TABLE)["problem_id"].to_pylist()[:2]
    assert run.read_keys(SOLUTIONS_TABLE) == {(name, i) for name in first for i in range(3)}
    assert run.read_keys(VERIFICATIONS_TABLE) == {(name, i, j) for name in first for i in range(2) for j in range(3)}


def test_a_chain_of_runs_keeps_the_first_solver_and_all_the_runs_between(scripted, old, taking, tmp_path):
    run_sweep(taking(), load=scripted())
    last = taking(run=str(tmp_path / "last"), solutions_from=str(tmp_path / "new"), solutions=2, verifications=1)
    run = Run(run_sweep(last, load=scripted()).run)
    shutil.rmtree(old.path)
    shutil.rmtree(tmp_path / "new")
    said = run.read_manifest()["solutions_from"]
    assert (said["run"], said["solutions_from"]["run"]) == (str(tmp_path / "new"), old.path)
    assert said["solutions_from"]["config"]["solver"]["model"] == "scripted/solver"
    assert estimate_run_profile(run.path, "p").models["solver"].parameters == 8e9
    assert extract_origin(run.read_manifest(), run.path).all_models == {
        "solver": "scripted/solver", "verifier": "scripted/verifier",
    }  # fmt: skip
    assert measure_run_progress(run).task == "lab"


def test_solutions_are_taken_from_an_object_store(scripted, old, taking):
    store = fsspec.filesystem("memory")
    try:
        store.put(old.path, "/bucket/old", recursive=True)
        run = Run(run_sweep(taking(solutions_from="memory://bucket/old"), load=scripted()).run)
        assert run.read_frame(SOLUTIONS_TABLE).equals(old.read_frame(SOLUTIONS_TABLE))
        assert run.read_manifest()["solutions_from"]["run"] == "memory://bucket/old"
        assert run_sweep(taking(solutions_from="memory://bucket/old"), load=scripted()).sampled == 0
        assert run_sweep(taking(), load=scripted()).sampled == 0  # the other run may be moved: its rows are the same
    finally:
        store.rm("/bucket", recursive=True)


def test_a_size_that_the_other_run_knows_is_not_asked_of_a_server(old, taking):
    solver = {"model": "scripted/solver", "prompt": "lab-solve"}
    config = taking(engine="openai", scorer=PRM, searches=[SEARCH], solver=solver)
    assert list_served_roles(config) == ["solver", "verifier"]
    assert list_served_roles(config.bind_source_run(read_source_solutions(config, Run(config.run)).source_run)) == [
        "verifier"
    ]


def test_a_dry_run_prices_only_what_is_sampled(scripted, old, taking):
    price = quote_sweep(taking(verified=4))
    assert {role: cost.requests for role, cost in price.roles.items()} == {"verifier": 48}
    assert price.roles["verifier"].lengths.source == "max_tokens"
    sampled = quote_sweep(taking(verified=4), sample=2, load=scripted())
    assert sampled.roles["verifier"].lengths.source == "sample"
    assert set(sampled.roles) == set(sampled.rates) == {"verifier"}
    assert not Run(taking().run).exists
    run_sweep(taking(verified=4), load=scripted())
    assert quote_sweep(taking(verified=4)).roles["verifier"].requests == 0
