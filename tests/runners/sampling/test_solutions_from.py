"""Sweeps that take problems and solutions of another run, and sample verifications, scores and searches on them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import fsspec
import pytest
import yaml

from isocompute.errors import ConfigError, DataError, EngineError, RunError
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import profile_of_run
from isocompute.runners.config.sweep import Sweep, sweep_of
from isocompute.runners.cost.estimate import quote
from isocompute.runners.display import Silent
from isocompute.runners.engines import Completion
from isocompute.runners.grading import load
from isocompute.runners.imports import import_run
from isocompute.runners.sampling.ready import asking_roles
from isocompute.runners.sampling.sweep import sweep
from isocompute.runners.seeds import seed_of
from isocompute.runners.storage.check import check, repair
from isocompute.runners.storage.progress import progress
from isocompute.runners.storage.provenance import origin_of
from isocompute.runners.storage.regrade import regrade
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS, SCORES, SEARCHES, SOLUTIONS, VERIFICATIONS
from isocompute.runners.storage.taking import read_source
from isocompute.runners.tasks import lab_problems

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"
VERIFIER = {"model": "scripted/verifier", "prompt": "lab-verify"}
SEARCH = {"strategy": "beam", "n": [4], "width": 2, "rounds": 4}
PRM = {"kind": "lab", "model": "scripted/prm"}


class Notes(Silent):
    """Keeps what a sweep says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def taking(tmp_path):
    """Makes the configuration of a sweep that takes the solutions of `run`, with keys changed."""

    def make(**changes: object) -> Sweep:
        content = {
            "run": str(tmp_path / "new"),
            "solutions_from": str(tmp_path / "run"),
            "engine": "transformers",
            "verifier": VERIFIER,
            "verifications": 3,
        }
        return Sweep.model_validate({**content, **changes})

    return make


@pytest.fixture
def old(small, scripted):
    """A run of solutions without verifications, of a solver that is eight times as large as its verifier will be."""
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "parameters": 8e9}
    return Run(sweep(small(verifier=None, verifications=0, solver=solver), load=scripted()).run)


def failing(scripted, fails):
    """An engine that gives a failed completion where `fails` says so of (prompt, seed)."""
    well = scripted().says
    lost = Completion(None, None, None, None, None, "out of memory")
    return scripted(lambda prompt, seed: lost if fails(prompt, seed) else well(prompt, seed))


def refusal(config, engine, kind=RunError) -> str:
    """The one sentence in which a sweep is refused before a model is loaded or a row is written."""
    there = Run(config.run).exists and {table: Run(config.run).parts(table) for table in (SOLUTIONS, VERIFICATIONS)}
    with pytest.raises(kind) as caught:
        sweep(config, load=engine)
    assert engine.models == []
    assert there == (
        Run(config.run).exists and {table: Run(config.run).parts(table) for table in (SOLUTIONS, VERIFICATIONS)}
    )
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_the_verdicts_are_those_of_one_sweep_that_does_both(small, scripted, old, taking, tmp_path):
    whole = Run(sweep(small(run=str(tmp_path / "whole")), load=scripted()).run)
    engine = scripted()
    summary = sweep(taking(), load=engine)
    run = Run(summary.run)
    assert engine.models == ["scripted/verifier"]
    assert {request.key[0] for request in engine.asked} == {VERIFICATIONS}
    assert (summary.sampled, summary.solutions, summary.verifications, summary.failed) == (72, 24, 72, {})
    for table in (PROBLEMS, SOLUTIONS, VERIFICATIONS):
        assert run.frame(table).equals(whole.frame(table))
    assert run.read(PROBLEMS, ["problem_id"]).equals(old.read(PROBLEMS, ["problem_id"]))  # in the task's order
    assert check(run).whole


def test_the_manifest_says_where_the_solutions_are_from(scripted, old, taking):
    run = Run(sweep(taking(solutions=4, problems=3), load=scripted()).run)
    written, theirs = run.manifest(), old.manifest()
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
    sweep(taking(solutions=4, problems=3), load=scripted())
    assert json.dumps(run.manifest()) == before


def test_a_password_in_the_other_run_s_url_is_not_written_down(scripted, old, taking, monkeypatch):
    path, real = "ftp://me:hunter2@localhost/runs/old", Run.__init__
    monkeypatch.setattr(Run, "__init__", lambda self, given: real(self, old.path if given == path else given))
    run = Run(sweep(taking(solutions_from=path), load=scripted()).run)
    text = json.dumps(run.manifest())
    assert "ftp://localhost/runs/old" in text
    assert "hunter2" not in text


def test_fit_has_the_other_run_s_solver_and_its_size(small, scripted, old, taking, tmp_path):
    small_verifier = {**VERIFIER, "parameters": 1e9}
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "parameters": 8e9}
    both = small(run=str(tmp_path / "whole"), solver=solver, verifier=small_verifier)
    sweep(both, load=scripted())
    run = sweep(taking(verifier=small_verifier), load=scripted()).run
    shutil.rmtree(old.path)  # nothing that reads a run needs the run that its solutions are from
    there, expected = profile_of_run(run, "p"), profile_of_run(both.run, "p")
    assert there.models["solver"].model_dump() == {
        "name": "scripted/solver", "parameters": 8e9, "active_parameters": None,
    }  # fmt: skip
    assert there.description == f"{expected.description}; its solutions are those of {old.path}"
    assert there.model_dump(exclude={"description"}) == expected.model_dump(exclude={"description"})
    frame = (
        Run(run).frame(VERIFICATIONS)["completion_tokens"].mean()
        / Run(run).frame(SOLUTIONS)["completion_tokens"].mean()
    )
    assert there.lam == pytest.approx(frame / 8)
    assert measure_costs(read_pool(Run(run))).sizes.parameters == {"solver": 8e9, "verifier": 1e9}


def test_every_command_works_on_such_a_run(command, scripted, old, taking, tmp_path):
    new, profile = taking().run, tmp_path / "new.json"
    sweep(taking(), load=scripted())
    shutil.rmtree(old.path)
    said = json.loads(command("runs", new, "--json").out)[0]
    assert (said["solutions_from"], said["imported"], said["task"]) == (old.path, None, "lab")
    assert (said["solutions"]["done"], said["solutions"]["asked"], said["verifications"]["done"]) == (24, 24, 72)
    assert f"4 problems of lab; solutions of {old.path}; scripted/solver" in command("runs", new).out
    checked = json.loads(command("check", new, "--json").out)
    assert checked["whole"]
    assert not any(checked["missing"].values())
    assert checked["notes"] == [
        f"its solutions are those of '{old.path}': a sweep asks that run for what is missing of them, and no model"
    ]
    assert command("fit", new, "-o", profile).code == 0
    assert command("plan", "--budget", "4x", "--profile", profile).code == 0
    assert json.loads(command("difficulty", new, "--json").out)["problems"] == 4
    assert command("figures", new, "-o", tmp_path / "figures").code == 0
    graded = json.loads(command("grade", new, "--json").out)
    assert (graded["solutions"], graded["changed"], graded["grader"]) == (24, 0, "boxed-number/1")


def test_the_first_problems_and_the_first_solutions_of_each_are_taken(scripted, old, taking):
    run = Run(sweep(taking(problems=2, solutions=3, verified=2), load=scripted()).run)
    first = old.read(PROBLEMS)["problem_id"].to_pylist()[:2]
    assert run.keys(SOLUTIONS) == {(name, i) for name in first for i in range(3)}
    assert run.keys(VERIFICATIONS) == {(name, i, j) for name in first for i in range(2) for j in range(3)}


def test_what_failed_there_stands_as_a_failure_and_is_taken_once_it_came(small, scripted, taking):
    first = lab_problems(1, [1], seed=0)[0]
    lost = seed_of(0, "solutions", first.problem_id, 5)
    solving = small(verifier=None, verifications=0)
    old = Run(sweep(solving, load=failing(scripted, lambda prompt, seed: seed == lost)).run)
    notes = Notes()
    engine = scripted()
    summary = sweep(taking(), notes, load=engine)
    run = Run(summary.run)
    assert notes.said == [
        f"1 of the 24 solutions of '{old.path}' failed there; they stand as failures here too."
    ]  # fmt: skip
    assert (summary.solutions, summary.verifications, summary.failed, engine.models) == (
        23, 69, {}, ["scripted/verifier"],
    )  # fmt: skip
    row = run.frame(SOLUTIONS).set_index(["problem_id", "solution_id"]).loc[first.problem_id, 5]
    assert row["status"] == "out of memory"
    assert row[["text", "answer", "correct"]].isna().all()
    there = progress(run)
    assert (there.solutions.done, there.solutions.asked, there.solutions.failures) == (23, 24, {"out of memory": 1})
    assert summary.accuracy == there.accuracy == old.frame(SOLUTIONS)["correct"].dropna().astype(float).mean()
    assert read_pool(run).left_out == {first.problem_id: "out of memory"}
    assert profile_of_run(run.path, "p").problems == 3
    assert check(run).whole
    assert sum(gap.rows for gap in check(run).missing["solutions"]) == 1
    assert quote(taking()).roles["verifier"].requests == 0

    sweep(solving, load=scripted())
    assert quote(taking()).roles["verifier"].requests == 3
    again = sweep(taking(), load=scripted())
    assert (again.sampled, again.solutions, again.verifications) == (3, 24, 72)
    assert read_pool(run).left_out == {}
    assert not any(check(run).missing.values())


def test_solutions_of_an_unfinished_run_are_taken_as_far_as_every_problem_has_them(small, scripted, taking, rewrite):
    old = Run(sweep(small(verifier=None, verifications=0), load=scripted()).run)
    name = sorted(key[0] for key in old.keys(PROBLEMS))[1]
    rewrite(
        Path(old.path), SOLUTIONS,
        lambda frame: frame[(frame["problem_id"] != name) | ~frame["solution_id"].isin([3])],
    )  # fmt: skip
    run = Run(sweep(taking(), load=scripted()).run)
    assert len(run.keys(SOLUTIONS)) == 4 * 3
    engine = scripted()
    assert refusal(taking(run=f"{run.path}-more", solutions=5), engine) == (
        f"This sweep takes the first 5 of each problem's solutions, and the run at '{old.path}' has 3 of '{name}'; "
        "ask for no more, complete that run, or take its first problems only."
    )


def test_a_chain_of_runs_keeps_the_first_solver_and_all_the_runs_between(scripted, old, taking, tmp_path):
    sweep(taking(), load=scripted())
    last = taking(run=str(tmp_path / "last"), solutions_from=str(tmp_path / "new"), solutions=2, verifications=1)
    run = Run(sweep(last, load=scripted()).run)
    shutil.rmtree(old.path)
    shutil.rmtree(tmp_path / "new")
    said = run.manifest()["solutions_from"]
    assert (said["run"], said["solutions_from"]["run"]) == (str(tmp_path / "new"), old.path)
    assert said["solutions_from"]["config"]["solver"]["model"] == "scripted/solver"
    assert profile_of_run(run.path, "p").models["solver"].parameters == 8e9
    assert origin_of(run.manifest(), run.path).all_models == {
        "solver": "scripted/solver", "verifier": "scripted/verifier",
    }  # fmt: skip
    assert progress(run).task == "lab"


def test_a_sweep_that_was_stopped_asks_for_the_rest_only(scripted, old, taking):
    well, count = scripted().says, iter(range(10))

    def says(prompt, seed):
        if next(count, None) is None:
            raise EngineError("the engine is gone")
        return well(prompt, seed)

    with pytest.raises(EngineError, match="gone"):
        sweep(taking(), load=scripted(says))
    engine = scripted()
    assert sweep(taking(), load=engine).sampled == len(engine.asked) == 62
    assert sweep(taking(), load=scripted()).sampled == 0


def test_without_the_other_run_a_sweep_goes_on_with_what_it_took(scripted, old, taking, tmp_path):
    sweep(taking(solutions=4), load=scripted())
    shutil.rmtree(old.path)
    notes, engine = Notes(), scripted()
    run = Run(sweep(taking(verifications=5), notes, load=engine).run)
    assert notes.said == [
        f"There is no run at '{old.path}' any more; the sweep goes on with the solutions that were taken from it."
    ]
    assert (len(engine.asked), len(run.keys(SOLUTIONS)), len(run.keys(VERIFICATIONS))) == (32, 16, 80)
    for more in ({"solutions": 5}, {"problems": 5}):
        assert refusal(taking(verifications=5, **more), scripted()) == (
            f"There is no run at '{old.path}' any more, and the run at '{run.path}' has not taken all that is asked "
            "for: it has 16 solutions to 4 problems; bring the other run back, or ask for no more."
        )
    assert refusal(taking(run=str(tmp_path / "other")), scripted()) == (
        f"There is no run at '{old.path}': the folder does not exist."
    )


def test_when_the_other_run_has_grown_more_is_taken_if_asked_for(small, scripted, old, taking):
    sweep(taking(), load=scripted())
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "parameters": 8e9}
    grown = small(verifier=None, verifications=0, solver=solver, solutions=8, task={"name": "lab", "problems": 6})
    sweep(grown, load=scripted())
    assert sweep(taking(), load=scripted()).sampled == 0
    run = Run(sweep(taking(solutions=8, problems=6), load=scripted()).run)
    assert (len(run.keys(SOLUTIONS)), len(run.keys(VERIFICATIONS))) == (48, 144)
    assert sweep_of(run.manifest(), run.path).asked_solutions == 8
    assert check(run).whole
    assert refusal(taking(solutions=7, problems=6), scripted()) == (
        f"The run at '{run.path}' has solutions = 8; a run can grow, not shrink to 7."
    )
    assert "has 6 problems" in refusal(taking(solutions=8, problems=5), scripted())
    assert sweep(taking(), load=scripted()).sampled == 0  # as many as before


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"text": "another \\boxed{1}"}, "its 'text' is another"),
        ({"completion_tokens": 4000}, "its 'completion_tokens' is another"),
        ({"answer": "another", "correct": False}, "its 'answer' is another"),
        ({"status": "lost", "text": None, "answer": None, "correct": None}, "its 'text' is another"),
    ],
)
def test_solutions_that_changed_after_they_were_taken_are_refused(scripted, old, taking, rewrite, change, what):
    config = taking(solutions=4)
    sweep(config, load=scripted())
    names = sorted(key[0] for key in old.keys(PROBLEMS))

    def changed(frame):
        frame = frame.astype(object).where(frame.notna(), None)
        for key in ((names[1], 3), (names[2], 0), (names[0], 5)):  # the last was not taken
            place = (frame["problem_id"] == key[0]) & (frame["solution_id"] == key[1])
            for name, value in change.items():
                frame.loc[place, name] = value
        return frame

    rewrite(Path(old.path), SOLUTIONS, changed)
    assert refusal(config, scripted()) == (
        f"The solution {(names[1], 3)} of '{old.path}' has changed since the run at '{config.run}' took it: {what}; "
        "name another run, which takes the solutions as they are now."
    )


def test_a_question_that_changed_after_it_was_taken_is_refused(scripted, old, taking, rewrite):
    sweep(taking(), load=scripted())
    rewrite(Path(old.path), PROBLEMS, lambda frame: frame.assign(question=frame["question"] + "?"))
    assert "has another question or answer under the name 'lab-0-1-0'" in refusal(taking(), scripted())


def test_the_answers_are_those_of_the_other_run_s_last_grading(scripted, old, taking, rewrite):
    with load("exact") as grader:
        regrade(old, grader)
    run = Run(sweep(taking(), load=scripted()).run)
    assert run.manifest()["grader"] == "exact/1"
    columns = ["problem_id", "solution_id", "answer", "correct"]
    assert run.frame(SOLUTIONS, columns).equals(old.frame(SOLUTIONS, columns))
    assert run.parts(SOLUTIONS)
    assert sweep(taking(), load=scripted()).sampled == 0
    with load("boxed-number") as grader:
        regrade(old, grader)
    assert refusal(taking(), scripted()) == (
        f"The run at '{run.path}' was made with grader = 'exact/1', and this sweep asks for 'boxed-number/1'; "
        "name another run, or ask for the same."
    )
    with load("boxed-number") as grader:
        regrade(run, grader)
    assert sweep(taking(verifications=4), load=scripted()).sampled == 24


def test_a_run_that_was_graded_again_takes_no_further_solutions(scripted, old, taking):
    sweep(taking(solutions=4), load=scripted())
    run = Run(taking().run)
    with load("exact") as grader:
        regrade(run, grader)
    assert sweep(taking(solutions=4, verifications=4), load=scripted()).sampled == 16
    assert refusal(taking(solutions=5, verifications=4), scripted()) == (
        f"The run at '{run.path}' was graded again since it took solutions, so that further ones of '{old.path}' would "
        "be graded in another way; take them into another run."
    )


def imported(tmp_path, rows, **columns):
    """A run that was imported from a table of these rows."""
    source = tmp_path / "table.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_run("table", str(source), str(tmp_path / "theirs"), columns=columns)
    return Run(tmp_path / "theirs")


def logged(count=2, **changes):
    rows = []
    for name in ("a", "b"):
        for i in range(count):
            row = {"problem_id": name, "question": f"Start with 1, add {i}.", "gold": "5", "solution_id": str(i)}
            row |= {"question": f"Start with {len(name)}, add 4.", "solution": f"thought</t>\\boxed{{{5 + i}}}"}
            row |= {"correct": i == 0, "completion_tokens": 9}
            rows.append({key: value for key, value in (row | changes).items() if value is not None})
    return rows


def test_solutions_of_an_import_are_verified(scripted, taking, tmp_path):
    theirs = imported(tmp_path, logged())
    engine = scripted()
    config = taking(solutions_from=theirs.path, thinking_end="</t>")
    run = Run(sweep(config, load=engine).run)
    assert all("thought" not in request.prompt for request in engine.asked)
    said = run.manifest()["solutions_from"]
    assert (said["imported"]["format"], said["config"], said["solver"], said["parameters"]) == ("table", None, None, {})
    assert (len(run.keys(SOLUTIONS)), len(run.keys(VERIFICATIONS))) == (4, 12)
    assert check(run).whole
    assert run.frame(SOLUTIONS).equals(theirs.frame(SOLUTIONS))
    there = profile_of_run(run.path, "p")
    assert (list(there.models), there.problems) == (["verifier"], 2)
    assert there.description.startswith("an unnamed model on 2 problems of table, 2 solutions each")
    sweep(config, load=scripted())
    search = {"scorer": PRM, "searches": [SEARCH], "solver": {"model": "m", "prompt": "lab-solve"}}
    assert refusal(taking(run=f"{run.path}-2", solutions_from=theirs.path, **search), scripted()) == (
        f"The run at '{theirs.path}' does not say which model solved, so that no search can stand beside its "
        "solutions; leave 'searches' and 'solver' out."
    )


def test_right_and_wrong_as_they_were_logged_stay_so_and_need_no_grader(scripted, taking, tmp_path):
    theirs = imported(tmp_path, logged(gold=None))
    assert theirs.manifest()["grader"] == "as-logged/table"
    run = Run(sweep(taking(solutions_from=theirs.path), load=scripted()).run)
    assert run.manifest()["grader"] == "as-logged/table"
    assert run.frame(SOLUTIONS)["correct"].tolist() == [True, False, True, False]
    assert run.frame(PROBLEMS)["gold"].isna().all()
    assert check(run).whole
    assert sweep(taking(solutions_from=theirs.path), load=scripted()).sampled == 0


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            logged(solution=None, answer="5"),
            "lacks the texts of 4 of the 4 solutions that would be taken, and without its text a solution cannot be "
            "verified.",
        ),
        (
            [*logged()[:3], {**logged()[3], "solution": None}],
            "lacks the texts of 1 of the 4 solutions that would be taken, and without its text a solution cannot be "
            "verified.",
        ),
        (
            logged(question=None),
            "does not say what was asked in 2 of its problems, 'a' first, so that their solutions cannot be verified.",
        ),
    ],
)
def test_an_import_without_texts_or_questions_is_refused(scripted, taking, tmp_path, rows, sentence):
    import_run_rows = [{key: value for key, value in row.items() if value is not None} for row in rows]
    for row in import_run_rows:
        row.pop("gold")  # so that what was logged counts
    theirs = imported(tmp_path, import_run_rows)
    config = taking(solutions_from=theirs.path)
    assert refusal(config, scripted()) == f"The run at '{theirs.path}' {sentence}"
    assert not Run(config.run).exists


def test_a_run_is_not_taken_from_itself_nor_one_that_has_its_own_solutions(small, scripted, old, taking, tmp_path):
    (tmp_path / "link").symlink_to(old.path)
    for path in (old.path, f"{old.path}/", str(tmp_path / "link"), f"{tmp_path}/new/../run"):
        assert refusal(taking(run=old.path, solutions_from=path), scripted()) == (
            f"The sweep of '{old.path}' takes its solutions from itself; name another run."
        )
    sweep(small(run=str(tmp_path / "own")), load=scripted())
    assert refusal(taking(run=str(tmp_path / "own")), scripted()) == (
        f"The run at '{tmp_path}/own' has solutions of its own, and this sweep takes those of '{old.path}'; "
        "name another run."
    )
    sweep(taking(), load=scripted())
    assert refusal(small(run=taking().run), scripted()) == (
        f"The run at '{tmp_path}/new' took its solutions from '{old.path}', and this sweep samples its own; "
        "name another run."
    )


def test_a_run_that_cannot_be_taken_from_is_refused(scripted, old, taking, tmp_path):
    assert refusal(taking(solutions_from=str(tmp_path / "none")), scripted()) == (
        f"There is no run at '{tmp_path}/none': the folder does not exist."
    )
    assert refusal(taking(solutions=7), scripted()) == (
        f"This sweep takes the first 7 of each problem's solutions, and the run at '{old.path}' has 6 of "
        f"'{min(old.keys(PROBLEMS))[0]}'; ask for no more, complete that run, or take its first problems only."
    )
    assert refusal(taking(problems=5), scripted()) == (
        f"This sweep takes 5 problems, and the run at '{old.path}' has 4; ask for no more."
    )
    assert refusal(taking(verified=7), scripted(), ConfigError) == (
        f"'verified' is 7, more than the 6 solutions of '{old.path}'."
    )
    manifest = Path(old.path) / "manifest.json"
    newer = json.loads(manifest.read_text()) | {"format": 3}
    manifest.write_text(json.dumps(newer))
    assert refusal(taking(), scripted()) == (
        f"The run at '{old.path}' has the format 3, and this version of isocompute reads format 1; "
        "use the version that wrote it, or a newer one."
    )
    manifest.write_text(json.dumps(newer | {"format": 1, "models": [1]}))
    assert refusal(taking(), scripted(), DataError) == (
        f"The manifest of '{old.path}' has 'models' or 'prompts' that are not by role."
    )


def test_a_refusal_is_one_sentence_on_the_command_line(refused, old, taking, tmp_path):
    content = {key: value for key, value in taking(solutions=7).model_dump(mode="json").items() if value is not None}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content))
    for options in ([], ["--dry-run"]):
        assert refused("sweep", tmp_path / "sweep.yaml", *options).startswith(
            "This sweep takes the first 7 of each problem's solutions, and the run at "
        )
    assert not (tmp_path / "new").exists()


def test_solutions_are_taken_from_an_object_store(scripted, old, taking):
    store = fsspec.filesystem("memory")
    try:
        store.put(old.path, "/bucket/old", recursive=True)
        run = Run(sweep(taking(solutions_from="memory://bucket/old"), load=scripted()).run)
        assert run.frame(SOLUTIONS).equals(old.frame(SOLUTIONS))
        assert run.manifest()["solutions_from"]["run"] == "memory://bucket/old"
        assert sweep(taking(solutions_from="memory://bucket/old"), load=scripted()).sampled == 0
        assert sweep(taking(), load=scripted()).sampled == 0  # the other run may be moved: its rows are the same
    finally:
        store.rm("/bucket", recursive=True)


def test_solutions_that_were_lost_are_taken_again(scripted, old, taking):
    run = Run(sweep(taking(), load=scripted()).run)
    before = run.frame(VERIFICATIONS)
    Path(run.parts(SOLUTIONS)[0]).write_bytes(b"PAR1")
    assert not repair(run).whole
    sweep(taking(), load=scripted())
    assert run.frame(SOLUTIONS).equals(old.frame(SOLUTIONS))
    assert run.frame(VERIFICATIONS).equals(before)
    assert check(run).whole


def test_a_damaged_run_is_not_taken_from(scripted, old, taking):
    Path(old.parts(SOLUTIONS)[0]).write_bytes(b"PAR1")
    assert "cannot be read as Parquet" in refusal(taking(), scripted(), DataError)


def test_a_manifest_that_does_not_say_what_was_taken_is_refused(scripted, old, taking):
    run = Run(sweep(taking(), load=scripted()).run)
    written = run.manifest()
    del written["solutions_from"]
    run.write_manifest(written)
    with pytest.raises(DataError, match=r"has no 'solutions_from' that says what was taken\.$"):
        sweep_of(run.manifest(), run.path)


def test_solutions_that_are_taken_are_scored_and_searched_beside(command, scripted, stepping, small, taking, tmp_path):
    old = Run(sweep(small(verifier=None, verifications=0), load=scripted()).run)
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "max_tokens": 60}
    config = taking(
        verifier=None, verifications=0, scorer=PRM, scored=4, searches=[SEARCH], solver=solver, solutions_from=old.path
    )
    pair = stepping()
    run = Run(sweep(config, load=pair[0], load_scorer=pair[1]).run)
    assert {request.key[0] for request, _ in pair[0].asked}.isdisjoint({SOLUTIONS, VERIFICATIONS})
    assert (len(run.keys(SCORES)), len(run.keys(SEARCHES))) == (16, 4)
    assert check(run).whole
    assert {"bon", "beam+weighted"} <= set(profile_of_run(run.path, "p").strategies)
    assert command("tree", run.path, min(run.keys(PROBLEMS))[0]).code == 0
    other = config.model_copy(
        update={"run": f"{run.path}-2", "solver": config.solver.model_copy(update={"model": "x"})}
    )
    assert refusal(other, scripted()) == (
        f"The solutions of '{old.path}' are those of 'scripted/solver', not 'x'; searches go on with the model that "
        "solved, so name that, or search in a run of its own."
    )


def test_searches_may_join_later_and_the_verifier_may_change_until_something_was_verified(
    small, scripted, stepping, old, taking
):
    def gone(*_: object) -> str:
        raise EngineError("the engine is gone")

    with pytest.raises(EngineError, match="gone"):
        sweep(taking(verifier={**VERIFIER, "model": "scripted/first"}, seed=3), load=scripted(gone))
    assert len(Run(taking().run).keys(SOLUTIONS)) == 24
    sweep(taking(), load=scripted())
    pair = stepping()
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "max_tokens": 60}
    more = taking(scorer=PRM, searches=[SEARCH], solver=solver)
    run = Run(sweep(more, load=pair[0], load_scorer=pair[1]).run)
    assert len(run.keys(SEARCHES)) == 4
    changed = more.model_copy(update={"verifier": more.verifier.model_copy(update={"temperature": 0.0})})
    assert refusal(changed, scripted()) == (
        f"The run at '{run.path}' was made with verifier.temperature = 0.7, and this sweep asks for 0.0; "
        "name another run, or ask for the same."
    )


def test_a_size_that_the_other_run_knows_is_not_asked_of_a_server(old, taking):
    solver = {"model": "scripted/solver", "prompt": "lab-solve"}
    config = taking(engine="openai", scorer=PRM, searches=[SEARCH], solver=solver)
    assert asking_roles(config) == ["solver", "verifier"]
    assert asking_roles(config.with_taken(read_source(config, Run(config.run)).taken)) == ["verifier"]


def test_a_dry_run_prices_only_what_is_sampled(scripted, old, taking):
    price = quote(taking(verified=4))
    assert {role: cost.requests for role, cost in price.roles.items()} == {"verifier": 48}
    assert price.roles["verifier"].lengths.source == "max_tokens"
    sampled = quote(taking(verified=4), sample=2, load=scripted())
    assert sampled.roles["verifier"].lengths.source == "sample"
    assert set(sampled.roles) == set(sampled.rates) == {"verifier"}
    assert not Run(taking().run).exists
    sweep(taking(verified=4), load=scripted())
    assert quote(taking(verified=4)).roles["verifier"].requests == 0


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


def test_a_real_verifier_gives_the_verdicts_that_it_gave_in_one_sweep(one_thread, tmp_path):
    """A row's draw comes from its key and the seed, whoever sampled the solution."""
    both = {"engine": "transformers", "verifier": lab_role("verifier", 60), "verifications": 2}
    whole = both | {"run": str(tmp_path / "whole"), "task": {"name": "lab", "problems": 2, "seed": 2}}
    whole |= {"solver": lab_role("solver", 60), "solutions": 2}
    again = both | {"run": str(tmp_path / "again"), "solutions_from": str(tmp_path / "whole")}
    one, other = (Run(sweep(Sweep.model_validate(config)).run) for config in (whole, again))
    assert len(other.keys(VERIFICATIONS)) == 8
    assert other.frame(VERIFICATIONS)["text"].str.len().min() > 20
    for table in (PROBLEMS, SOLUTIONS, VERIFICATIONS):
        assert other.frame(table).equals(one.frame(table))


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
    run = Run(sweep(Sweep.model_validate(config)).run)
    theirs = Run(lab).frame(SOLUTIONS)
    names = Run(lab).read(PROBLEMS)["problem_id"].to_pylist()[:3]
    taken = theirs[theirs["problem_id"].isin(names) & (theirs["solution_id"] < 4)]
    assert run.frame(SOLUTIONS).equals(taken.reset_index(drop=True))
    verdicts = run.frame(VERIFICATIONS)["verdict"]
    assert len(verdicts) == 24
    assert verdicts.notna().sum() >= 20
    found = read_pool(run)
    assert measure_costs(found).sizes.parameters == {"solver": 860416.0, "verifier": 860416.0}
    assert found.pool.verdicts.shape == (3, 4, 2)
