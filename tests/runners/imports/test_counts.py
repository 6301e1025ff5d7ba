"""Counts of right solutions, and the results of LiveCodeBench and EvalPlus, which say right or wrong of programs."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import ConfigError, DataError
from isocompute.fits import estimate_coverage_of_counts
from isocompute.planner.profile import read_profile
from isocompute.runners.imports import ImportOptions, counts, import_logged_run
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE

ROWS = pd.DataFrame({"problem": ["a", "b", "c"], "n": [4, 10, 10], "right": [1, 5, 0]})


@pytest.fixture
def take(tmp_path):
    """Imports a table, or a file with some content, and returns the summary and the run."""

    def run(content, name="x.csv", format="counts", columns=None, **choices):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            if name.endswith(".csv"):
                content.to_csv(path, index=False)
            elif name.endswith(".parquet"):
                content.to_parquet(path)
            else:
                content.to_json(path, orient="records", lines=name.endswith(".jsonl"))
        else:
            path.write_text(json.dumps(content))
        target = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        return import_logged_run(format, str(path), str(target), ImportOptions(columns=columns, **choices)), Run(target)

    return run


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.json", "x.parquet"])
def test_counts_become_right_and_wrong_solutions(take, name):
    summary, run = take(ROWS, name)
    solutions = run.read_frame(SOLUTIONS_TABLE)
    by_problem = solutions.groupby("problem_id")["correct"].agg(["size", "sum"])
    assert by_problem.to_numpy().tolist() == [[4, 1], [10, 5], [10, 0]]
    assert solutions["text"].isna().all()
    assert solutions["answer"].isna().all()
    assert any("votes cannot be counted, so SC is known" in note for note in summary.notes)
    assert check_run(run).is_whole


@pytest.mark.parametrize(
    ("problem", "n", "right"),
    [("task_id", "Total", "c"), ("id", "Num Samples", "num_correct"), ("question_id", "n_samples", "Passed"),
     ("problem_id", "samples", "correct")],
)  # fmt: skip
def test_columns_may_have_their_usual_names(take, problem, n, right):
    summary, run = take(ROWS.set_axis([problem, n, right], axis=1).assign(note="x"))
    assert run.read_frame(SOLUTIONS_TABLE)["correct"].sum() == 6
    assert summary.columns == {problem: "problem", n: "n", right: "right"}
    assert summary.ignored_columns == ["note"]


def test_columns_may_be_named(take):
    named = ROWS.set_axis(["frage", "versuche", "richtig"], axis=1)
    with pytest.raises(
        DataError, match=r"row 1: no column is 'problem' \(problem_id, .* there are frage, versuche, rich"
    ):
        take(named)
    given = {"frage": "problem", "versuche": "n", "richtig": "right"}
    assert take(named, columns=given)[0].accuracy == pytest.approx(6 / 24)
    with pytest.raises(ConfigError, match="'x' is not a known column; there are problem, n, right"):
        take(named, columns={"frage": "x"})
    with pytest.raises(DataError, match="there is no column 'ja'; it has frage, versuche, richtig"):
        take(named, columns={"ja": "right"})
    both = ROWS.set_axis(["problem", "total", "right"], axis=1).assign(samples=4)
    with pytest.raises(DataError, match=r"'total' and 'samples' could both be 'n'; choose one with --col"):
        take(both)
    assert take(both.assign(samples=[4, 10, 10]), columns={"samples": "n"})[0].imported.rows["solutions"] == 24
    assert take(ROWS.assign(total=99))[0].imported.rows["solutions"] == 24  # a column with our own name is meant


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"right": [5, 0, 0]}, "row 1: 5 solutions of 'a' are right, but there are only 4."),
        ({"right": [-1, 0, 0]}, "row 1: 'right' must be a whole number from 0 to 2,147,483,647; it is '-1'."),
        ({"right": [0.5, 0, 0]}, "row 1: 'right' must be a whole number from 0 to 2,147,483,647; it is '0.5'."),
        ({"n": ["many", 1, 1]}, "row 1: 'n' must be a whole number from 0 to 2,147,483,647; it is 'many'."),
        ({"n": [None, 9, 9]}, "row 1: 'n' is missing."),
        ({"problem": ["a", "b", "a"]}, "row 3: the problem 'a' appears twice; give it one row."),
        ({"problem": [None, "b", "a"]}, "row 1: 'problem', which names the problem, is missing."),
        ({"n": [4, 10**9, 10]}, "row 2: these are more than 5,000,000 solutions, the most of a run."),
    ],
)
def test_counts_that_cannot_be_are_refused(take, changes, sentence):
    with pytest.raises(DataError) as found:
        take(ROWS.assign(**changes))
    assert str(found.value).endswith(sentence)


def test_coverage_of_counts_is_that_of_all_subsets():
    for n, c in ((1, 0), (1, 1), (4, 1), (5, 3), (6, 6)):
        right = np.arange(n) < c
        for S in range(1, n + 1):
            drawn = np.mean([right[list(each)].any() for each in combinations(range(n), S)])
            assert estimate_coverage_of_counts([n], [c], [S]) == pytest.approx(drawn)
    assert estimate_coverage_of_counts([10_000], [1], [5000])[0, 0] == pytest.approx(0.5)
    with pytest.raises(DataError, match="S must lie between 1 and 4"):
        estimate_coverage_of_counts([4, 8], [1, 1], [5])


def test_a_fit_of_counts_has_exact_coverage_and_no_votes(take, tmp_path):
    _, run = take(ROWS)
    iso.fit(run.path, tmp_path / "p.json")
    profile = read_profile(str(tmp_path / "p.json"))
    assert profile.coverage.solutions == [1, 2, 4]
    expected = [[1 / 4, 1 / 2, 1], [1 / 2, 1 - 2 / 9, 1 - 5 / 210], [0, 0, 0]]
    np.testing.assert_allclose(profile.coverage.array, expected, atol=1e-5)
    assert profile.self_consistency.solutions == [1]
    np.testing.assert_allclose(profile.self_consistency.array[:, 0], [1 / 4, 1 / 2, 0], atol=1e-5)
    assert any("votes cannot be counted" in warning for warning in profile.warnings)
    assert "SC and coverage count all solutions of each problem." in profile.warnings


def test_the_first_solutions_are_right_as_often_as_the_others():
    rows = [list(counts.shuffle_right_solutions(f"p{i}", 20, 5, "here")) for i in range(400)]
    first = np.mean([[row.correct for row in each[:4]] for each in rows])
    assert abs(first - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 1600)
    assert rows[0] == list(counts.shuffle_right_solutions("p0", 20, 5, "here"))


def test_livecodebench_is_taken_as_logged(golden, tmp_path):
    summary = import_logged_run("livecodebench", str(golden / "livecodebench"), str(tmp_path / "run"))
    assert (summary.imported.task, summary.accuracy) == ("livecodebench-codegeneration", 0.25)
    assert "Programs are right or wrong as logged; they are never compared with each other." in summary.notes
    run = Run(tmp_path / "run")
    problems = run.read_frame(PROBLEMS_TABLE)
    assert dict(zip(problems["problem_id"], problems["level"], strict=True)) == {"2770": 3, "abc300_a": 1}
    solutions = run.read_frame(SOLUTIONS_TABLE)
    assert solutions["answer"].isna().all()
    assert solutions["text"].str.contains("sum").sum() == 1


def problem(**changes):
    return {"question_id": "q", "graded_list": [True, False], "pass@1": 0.5, "output_list": ["a", "b"], **changes}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pass@1": 1.0}, "entry 1: 'pass@1' is 1, but 'graded_list' has 1 of 2 right."),
        ({"output_list": ["a"]}, "entry 1: 'output_list' must be a list of 2 texts, as many as in 'graded_list'."),
        ({"graded_list": [True, 0.5]}, "entry 1, sample 1: 'graded_list' must be true or false; it is 0.5."),
        ({"graded_list": True}, "entry 1: 'graded_list' must be a list of true and false; it is True."),
        ({"question_id": None}, "entry 1: 'question_id', which names the problem, is missing."),
    ],
)
def test_livecodebench_that_contradicts_itself_is_refused(take, changes, sentence):
    with pytest.raises(DataError) as found:
        take([problem(**changes)], "x_eval_all.json", "livecodebench")
    assert str(found.value).endswith(sentence)


def test_livecodebench_has_other_forms(take):
    execution = [problem(id=f"sample_{i}", function_name="f", problem_id=1, pred_list=["1", "2"]) for i in range(2)]
    assert take(execution, "codeexecution_2_0.2_eval_all.json", "livecodebench")[0].imported.rows["problems"] == 2
    tests = [problem(test_id=i, function_name="f", metadata={}) for i in range(2)]
    assert take(tests, "testoutputprediction_2_0.2_eval_all.json", "livecodebench")[0].imported.rows["problems"] == 2
    bare = [{"question_id": "q", "graded_list": [True], "difficulty": "medium"}]
    assert take(bare, "x.json", "livecodebench")[0].accuracy == 1
    with pytest.raises(DataError, match=r"'graded_list' is missing; the file to import is named …_eval_all\.json"):
        take([{"pass@1": 1.0}, {}, []], "x_eval.json", "livecodebench")


def test_the_given_evaluation_has_the_log_s_own_pass_at_1(shared_data, tmp_path):
    path = shared_data.parent / "cases" / "imports" / "lcb_eval_all.json"
    if not path.is_file():
        pytest.skip(f"no cases at {path.parent}")
    logged = [row["pass@1"] for row in json.loads(path.read_text())]
    summary = import_logged_run("livecodebench", str(path), str(tmp_path / "run"))
    assert summary.accuracy == pytest.approx(np.mean(logged))


def test_counts_of_one_problem_in_two_rows_are_refused_in_any_spelling(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text("problem,n,right\n1,4,2\n1.0,4,2\n")
    with pytest.raises(DataError, match=r"the problem '1.0' appears twice; give it one row"):
        import_logged_run("counts", str(path), str(tmp_path / "run"))


def test_evalplus_has_two_scorers(golden, tmp_path):
    folder = golden / "evalplus"
    for scorer, accuracy, task in ((None, 0.25, "mbpp+"), ("plus", 0.25, "mbpp+"), ("base", 0.5, "mbpp")):
        summary = import_logged_run("evalplus", str(folder), str(tmp_path / str(scorer)), ImportOptions(scorer=scorer))
        assert (summary.accuracy, summary.imported.task) == (accuracy, task)
        assert summary.imported.solver == "mistralai/Mistral-7B-Instruct-v0.2"
    assert summary.notes[:2] == [
        "Programs are right or wrong as logged; they are never compared with each other.",
        "Right is what passes the base tests; --scorer base or plus (scorer= in Python) chooses.",
    ]
    assert check_run(Run(tmp_path / "base")).is_whole


def results(*pairs):
    return [{"task_id": "HumanEval/0", "solution": "", "base_status": a, "plus_status": b} for a, b in pairs]


def test_evalplus_of_all_versions_gives_its_own_pass_at_1(take):
    pairs = [("pass", "pass"), ("pass", "fail"), ("fail", "pass"), ("timeout", None)]
    log = {"eval": {"HumanEval/0": results(*pairs)}, "pass_at_k": {"base": {"pass@1": 0.5}, "plus": {"pass@1": 0.25}}}
    summary, _ = take(log, "x_eval_results.json", "evalplus")
    assert summary.accuracy == 0.25
    assert any("base and added (plus); the log's pass@1 of them is 0.250" in note for note in summary.notes)
    old = {"nfiles": 3, "base": [["success", []], ["success", []], ["failed", []]],
           "plus": [["success", []], ["timed out", []], [None, []]]}  # fmt: skip
    assert take({"eval": {"HumanEval/0": old}}, "x_eval_results.json", "evalplus")[0].accuracy == pytest.approx(1 / 3)
    base_only = {"eval": {"HumanEval/0": results(("pass", None), ("fail", None))}}
    summary, _ = take(base_only, "x_eval_results.json", "evalplus")
    assert summary.accuracy == 0.5
    assert "The added tests (plus) were not run: every plus_status is null." in summary.notes
    with pytest.raises(DataError, match="the added tests were not run, so there is no scorer 'plus'; there is: base"):
        take(base_only, "x_eval_results.json", "evalplus", scorer="plus")
    with pytest.raises(DataError, match="there is no scorer 'extra'; there are: plus, base"):
        take(log, "x_eval_results.json", "evalplus", scorer="extra")


def test_evalplus_programs_without_an_outcome_of_the_added_tests_are_counted(take):
    log = {"eval": {"HumanEval/0": results(("pass", "pass"), ("pass", None), ("fail", None))}}
    summary, _ = take(log, "x_eval_results.json", "evalplus")
    assert summary.accuracy == pytest.approx(1 / 3)
    (note,) = [note for note in summary.notes if "plus_status" in note]
    assert note.startswith("The added tests have no outcome (plus_status is null) for 1 of 2 programs that pass")
    killed = {"eval": {"HumanEval/0": results(("pass", None))}, "pass_at_k": {"plus": {"pass@1": 0.0}}}
    assert take(killed, "x_eval_results.json", "evalplus")[0].accuracy == 0


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ({}, "x.json: 'eval' must be a block of tasks; it is None."),
        ({"eval": {"a": 1}}, "x.json, a must list programs with a 'base_status'; it is 1."),
        ({"eval": {"a": [{"solution": ""}]}}, "a must list programs with a 'base_status'; it is [{'solution': ''}]."),
        ({"eval": {"a": results(("pass", "ok"))}}, "a, solution 0: the outcome of tests must be pass, fail or timeout; "
                                                   "it is 'ok'."),
        ({"eval": {"a": results(({}, "pass"))}}, "the outcome of tests must be pass, fail or timeout; it is {}."),
        ({"eval": {"a": {"base": [["pass", []]], "plus": [1, 2]}}}, "'base' and 'plus' must be lists with an entry for "
                                                                     "each program."),
        ({"eval": {}}, "x.json' holds no solutions."),
    ],
)  # fmt: skip
def test_evalplus_that_is_something_else_is_refused(take, log, sentence):
    with pytest.raises(DataError) as found:
        take(log, "x.json", "evalplus")
    assert str(found.value).endswith(sentence)
