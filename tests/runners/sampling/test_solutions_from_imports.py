"""Sweeps that take the solutions of an import."""

from __future__ import annotations

import json

import pytest

from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

SEARCH = {"strategy": "beam", "n": [4], "width": 2, "rounds": 4}
PRM = {"kind": "lab", "model": "scripted/prm"}


def imported(tmp_path, rows, **columns):
    """A run that was imported from a table of these rows."""
    source = tmp_path / "table.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_logged_run("table", str(source), str(tmp_path / "theirs"), ImportOptions(columns=columns))
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


def test_solutions_of_an_import_are_verified(scripted, taking, tmp_path, refusal):
    theirs = imported(tmp_path, logged())
    engine = scripted()
    config = taking(solutions_from=theirs.path, thinking_end="</t>")
    run = Run(run_sweep(config, load=engine).run)
    assert all("thought" not in request.prompt for request in engine.asked)
    said = run.read_manifest()["solutions_from"]
    assert (said["imported"]["format"], said["config"], said["solver"], said["parameters"]) == ("table", None, None, {})
    assert (len(run.read_keys(SOLUTIONS_TABLE)), len(run.read_keys(VERIFICATIONS_TABLE))) == (4, 12)
    assert check_run(run).is_whole
    assert run.read_frame(SOLUTIONS_TABLE).equals(theirs.read_frame(SOLUTIONS_TABLE))
    there = estimate_run_profile(run.path, "p")
    assert (list(there.models), there.problems) == (["verifier"], 2)
    assert there.description.startswith("an unnamed model on 2 problems of table, 2 solutions each")
    run_sweep(config, load=scripted())
    search = {"scorer": PRM, "searches": [SEARCH], "solver": {"model": "m", "prompt": "lab-solve"}}
    assert refusal(taking(run=f"{run.path}-2", solutions_from=theirs.path, **search), scripted()) == (
        f"The run at '{theirs.path}' does not name its solver, so searches cannot be compared with its solutions; "
        "leave out 'searches' and 'solver'."
    )


def test_right_and_wrong_as_they_were_logged_stay_so_and_need_no_grader(scripted, taking, tmp_path):
    theirs = imported(tmp_path, logged(gold=None))
    assert theirs.read_manifest()["grader"] == "as-logged/table"
    run = Run(run_sweep(taking(solutions_from=theirs.path), load=scripted()).run)
    assert run.read_manifest()["grader"] == "as-logged/table"
    assert run.read_frame(SOLUTIONS_TABLE)["correct"].tolist() == [True, False, True, False]
    assert run.read_frame(PROBLEMS_TABLE)["gold"].isna().all()
    assert check_run(run).is_whole
    assert run_sweep(taking(solutions_from=theirs.path), load=scripted()).sampled == 0


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            logged(solution=None, answer="5"),
            "lacks the texts of 4 of the 4 solutions that would be taken, and a solution without a text cannot be "
            "verified.",
        ),
        (
            [*logged()[:3], {**logged()[3], "solution": None}],
            "lacks the texts of 1 of the 4 solutions that would be taken, and a solution without a text cannot be "
            "verified.",
        ),
        (
            logged(question=None),
            "lacks the questions of 2 of its problems, 'a' first, so their solutions cannot be verified.",
        ),
    ],
)
def test_an_import_without_texts_or_questions_is_refused(scripted, taking, tmp_path, rows, sentence, refusal):
    import_run_rows = [{key: value for key, value in row.items() if value is not None} for row in rows]
    for row in import_run_rows:
        row.pop("gold")  # so that what was logged counts
    theirs = imported(tmp_path, import_run_rows)
    config = taking(solutions_from=theirs.path)
    assert refusal(config, scripted()) == f"The run at '{theirs.path}' {sentence}"
    assert not Run(config.run).exists
