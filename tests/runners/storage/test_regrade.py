from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from isocompute.errors import DataError, RunError
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.provenance import read_grader_title
from isocompute.runners.storage.regrade import regrade_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import GRADES_TABLE, PROBLEMS_TABLE, SOLUTIONS_TABLE

TEXTS = {
    "a": [r"\boxed{\frac{1}{2}}", r"\boxed{50\%}", r"\boxed{2x}", r"\boxed{x+x}", None],
    "b": [r"\boxed{7}", "The answer is 7.", "I am lost here", r"\boxed{9^{9^{9}}}", r"\boxed{7.0}"],
}
THOUGHT = "<think>\\boxed{1}?</think>"
SOLVER = {"model": "scripted/solver", "prompt": "math-solve", "thinking_end": "</think>"}
GOLDS = {"a": "1/2", "b": "7"}


def solution(problem: str, number: int, text: str | None, status: str = "ok") -> dict[str, object]:
    answer = None if text is None else load_grader_by_name("boxed-number").extract_answer(text)
    return {
        "problem_id": problem, "solution_id": number, "text": text and THOUGHT + text,
        "status": status if text else "failed",
        "answer": answer, "correct": None if text is None else answer == GOLDS[problem],
    }  # fmt: skip


@pytest.fixture
def run(tmp_path, small) -> Run:
    run = Run(tmp_path / "run")
    run.write_manifest({"config": small(solver=SOLVER).model_dump(mode="json"), "grader": "boxed-number/1"})
    for table, rows in (
        (PROBLEMS_TABLE, [{"problem_id": p, "task": "t", "question": "?", "gold": gold} for p, gold in GOLDS.items()]),
        (SOLUTIONS_TABLE, [solution(p, i, text) for p, texts in TEXTS.items() for i, text in enumerate(texts)]),
    ):
        writer = run.open_writer(table)
        writer.add_rows(rows)
        writer.flush()
    return run


@pytest.fixture(scope="module")
def math():
    with load_grader_by_name("math") as grader:
        yield grader


def contents(run: Run) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(run.path).rglob("*") if path.suffix in {".parquet", ".json"}}


def answers(run: Run) -> dict[str, list[str | None]]:
    frame = run.read_frame(SOLUTIONS_TABLE, ["problem_id", "answer"])
    frame["answer"] = frame["answer"].astype(object).where(frame["answer"].notna(), None)
    return {problem: group["answer"].tolist() for problem, group in frame.groupby("problem_id")}


def test_a_regrade_lies_over_the_answers_and_says_what_changed(run, math):
    before = contents(run)
    assert answers(run)["a"] == ["\\frac{1}{2}", "50\\%", "2x", "x+x", None]
    found = regrade_run(run, math)
    assert answers(run) == {"a": ["1/2", "1/2", "2x", "2x", None], "b": ["7", "7", None, "9^{9^{9}}", "7"]}
    frame = run.read_frame(SOLUTIONS_TABLE)
    assert frame["correct"].tolist() == [True, True, False, False, None, True, True, False, False, True]
    assert (found.before, found.grader) == ("boxed-number/1", math.title)
    assert (found.solutions, found.changed, found.now_right, found.now_wrong) == (9, 4, 3, 0)
    assert (found.unread, found.refused) == (1, 1)
    assert read_grader_title(run) == math.title
    after = contents(run)
    assert {path: after[path] for path in before} == before


def test_another_regrade_takes_the_place_of_the_former_and_the_first_grader_brings_the_answers_back(run, math):
    first = run.read_frame(SOLUTIONS_TABLE)
    regrade_run(run, math)
    found = regrade_run(run, load_grader_by_name("boxed-number"))
    assert (found.before, found.grader, found.now_wrong) == (math.title, "boxed-number/1", 3)
    pd.testing.assert_frame_equal(run.read_frame(SOLUTIONS_TABLE), first)
    assert len(run.list_parts(GRADES_TABLE)) == 1


def test_the_same_regrade_gives_the_same_bytes(run, math):
    regrade_run(run, math)
    once = contents(run)
    assert regrade_run(run, math).changed == 0
    assert contents(run) == once


def test_a_regrade_killed_before_it_is_written_leaves_the_former(run, math, monkeypatch):
    regrade_run(run, math)
    before = contents(run), answers(run)

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("isocompute.runners.storage.run.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        regrade_run(run, load_grader_by_name("exact"))
    monkeypatch.undo()
    assert (contents(run), answers(run)) == before
    regrade_run(run, math)
    assert list(Path(run.path).rglob("*.tmp")) == []


def test_solutions_that_came_later_keep_their_own_answers(run, math):
    regrade_run(run, math)
    writer = run.open_writer(SOLUTIONS_TABLE)
    writer.add_rows([solution("a", 4, r"\boxed{3x}"), solution("b", 5, r"\boxed{8}")])
    writer.flush()
    assert answers(run) == {"a": ["1/2", "1/2", "2x", "2x", "3x"], "b": ["7", "7", None, "9^{9^{9}}", "7", "8"]}
    assert run.read_frame(SOLUTIONS_TABLE, ["correct"])["correct"].sum() == 5


def test_any_columns_may_be_asked_for(run, math):
    regrade_run(run, math)
    assert run.read_frame(SOLUTIONS_TABLE, ["correct"])["correct"].eq(True).sum() == 5
    assert run.read_frame(SOLUTIONS_TABLE, ["text"])["text"].notna().sum() == 9


def test_a_run_without_solutions_or_without_anything_is_refused(run, tmp_path, math):
    with pytest.raises(RunError, match="There is no run"):
        regrade_run(Run(tmp_path / "elsewhere"), math)
    for path in run.list_parts(SOLUTIONS_TABLE):
        Path(path).unlink()
    with pytest.raises(RunError, match="holds no solutions to grade"):
        regrade_run(run, math)


def test_a_grader_that_cannot_read_the_right_answers_changes_nothing(run):
    with pytest.raises(DataError, match="'letter' cannot read the right answer '1/2'"):
        regrade_run(run, load_grader_by_name("letter"))
    assert run.list_parts(GRADES_TABLE) == []


def test_a_run_that_is_being_written_is_not_graded(run, math):
    with run.lock(), pytest.raises(RunError, match="Another process is writing"):
        regrade_run(run, math)


def test_beside_searches_solutions_are_graded_by_their_grader_alone(searching, stepping, math):
    engine, scorer = stepping()
    run = Run(run_sweep(searching(), load=engine, load_scorer=scorer).run)
    with load_grader_by_name("boxed-number") as own:
        assert regrade_run(run, own).changed == 0
    with pytest.raises(RunError, match=r"^The searches of '.*' selected answers that boxed-number/\d+ read"):
        regrade_run(run, math)


def test_a_right_answer_stays_as_it_was_given_for_whichever_grader_comes_next(small, scripted, tmp_path):
    task = tmp_path / "capitals.jsonl"
    task.write_text('{"question": "Capital of France?", "answer": "Paris"}\n')
    config = small(task={"path": str(task), "grader": "boxed-number"}, verifier=None, verifications=0, solutions=1)
    run_sweep(config, load=scripted(lambda *_: r"It is \boxed{Paris}."))
    run = Run(config.run)
    assert run.read_frame(PROBLEMS_TABLE)["gold"].tolist() == ["Paris"]
    assert run.read_frame(SOLUTIONS_TABLE)["correct"].tolist() == [True]
    with load_grader_by_name("exact") as exact:
        found = regrade_run(run, exact)
    assert found.notes == []
    assert run.read_frame(SOLUTIONS_TABLE)["answer"].tolist() == [exact.extract_answer(r"It is \boxed{Paris}.")]
    manifest = json.loads((Path(run.path) / "manifest.json").read_text())
    del manifest["gold"]  # as runs of earlier versions, which hold what their grader read
    (Path(run.path) / "manifest.json").write_text(json.dumps(manifest))
    with load_grader_by_name("exact") as exact:
        [note] = regrade_run(run, exact).notes
    assert note.startswith("this run holds the right answers as boxed-number/1 read them")
