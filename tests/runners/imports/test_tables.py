"""Tables of other people: lists, scores, probabilities, levels, several files, answers without texts."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from isocompute.errors import DataError
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SCORES_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE


@pytest.fixture
def take(tmp_path):
    """Imports a table of some rows, or a file of the comparison cases, and returns the summary and the run."""

    def run(rows, name="log.csv", grader=None, **columns):
        path = rows
        if isinstance(rows, pd.DataFrame):
            path = tmp_path / name
            if name.endswith(".csv"):
                rows.to_csv(path, index=False)
            elif name.endswith(".json"):
                path.write_text(rows.to_json(orient="records"))
            else:
                rows.to_parquet(path)
        target = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        summary = import_logged_run("table", str(path), str(target), ImportOptions(grader=grader, columns=columns))
        return summary, Run(target)

    return run


@pytest.fixture
def cases(shared_data):
    folder = shared_data.parent / "cases"
    if not (folder / "imports").is_dir():
        pytest.skip(f"no cases at {folder}")
    return folder


@pytest.mark.parametrize("name", ["log.csv", "log.json", "log.parquet"])
def test_verdicts_in_lists_are_verifications_of_their_solution(take, name):
    rows = pd.DataFrame(
        {"problem_id": ["a", "a"], "gold": ["7", "7"], "answer": ["7", "8"], "verdict": [[1, 0, 1], [0, 0.25, 0]]}
    )
    _, run = take(rows.assign(verdict=rows["verdict"].map(json.dumps)) if name == "log.csv" else rows, name)
    verifications = run.read_frame(VERIFICATIONS_TABLE).sort_values(["solution_id", "verification_id"])
    assert verifications["verdict"].tolist() == [1, 0, 1, 0, 0.25, 0]
    assert run.read_frame(SOLUTIONS_TABLE)["correct"].tolist() == [True, False]


def test_a_problem_may_be_a_row_whose_cells_list_its_solutions(take):
    rows = pd.DataFrame(
        {"id": [1], "gold": ["7"], "pred": [["7", "8", None]], "ok": [[True, False, False]], "level": ["Level 3"]}
    )
    summary, run = take(rows, "log.json", id="problem_id", pred="answer", ok="correct")
    assert summary.accuracy == pytest.approx(1 / 3)
    assert run.read_frame(PROBLEMS_TABLE)["level"].tolist() == [3]
    assert run.read_frame(SOLUTIONS_TABLE)["answer"].tolist()[:2] == ["7", "8"]
    with pytest.raises(DataError, match="'answer' lists 3 solutions, but 'correct' another number"):
        take(rows.assign(ok=[[True]]), "log.json", id="problem_id", pred="answer", ok="correct")


def test_a_probability_is_the_verdict_where_there_is_no_other(take):
    rows = pd.DataFrame({"problem_id": ["a"] * 3, "gold": ["7"] * 3, "answer": ["7", "8", "7"]})
    rows = rows.assign(p_yes=[0.9, 0.2, None], solution_id=[0, 1, 2])
    _, run = take(rows)
    assert run.read_frame(VERIFICATIONS_TABLE)["verdict"].tolist() == pytest.approx([0.9, 0.2])
    _, run = take(rows.assign(verdict=["no", None, None]))
    assert run.read_frame(VERIFICATIONS_TABLE)["verdict"].tolist() == pytest.approx([0, 0.2])


@pytest.mark.parametrize("name", ["log.csv", "log.json", "log.parquet"])
def test_a_probability_is_the_verdict_of_rows_whose_verdict_is_empty(take, name):
    rows = pd.DataFrame({"problem_id": ["a"] * 3, "gold": ["7"] * 3, "answer": ["7", "8", "7"]})
    rows = rows.assign(p_yes=[0.9, 0.2, 0.4], solution_id=[0, 1, 2], verdict=np.nan, verification="I doubt it.")
    summary, run = take(rows, name)
    assert run.read_frame(VERIFICATIONS_TABLE)["verdict"].tolist() == pytest.approx([0.9, 0.2, 0.4])
    assert "The column 'verdict' is empty in every row; there the verdict is p_yes." in summary.notes
    summary, run = take(rows.assign(verdict=[np.nan, 1, 0]), name)
    assert run.read_frame(VERIFICATIONS_TABLE)["verdict"].tolist() == pytest.approx([0.9, 1, 0])
    assert any("empty in 1 of 3 verifications with p_yes" in note for note in summary.notes)


@pytest.mark.parametrize("name", ["log.json", "log.csv"])
def test_a_problem_is_the_same_whether_its_number_is_whole_or_a_decimal(take, name):
    ids = [1, 1.0, 2.0, 2] if name == "log.json" else ["1", "1.0", "2.0", "2"]
    rows = pd.DataFrame({"problem_id": pd.Series(ids, dtype=object), "gold": "7", "answer": ["7", "8", "9", "7"]})
    _, run = take(rows, name)
    assert run.read_frame(SOLUTIONS_TABLE)["problem_id"].nunique() == 2
    _, run = take(rows.assign(problem_id=["v1", "1", "1.0", "2"]), name)
    assert run.read_frame(SOLUTIONS_TABLE)["problem_id"].nunique() == 4


def test_a_solution_is_the_same_whether_its_number_is_whole_or_a_decimal(take):
    rows = pd.DataFrame({"problem_id": ["a"] * 4, "gold": "7", "answer": ["7", "7", "8", "8"], "verdict": [1, 0, 0, 1]})
    _, run = take(rows.assign(solution_id=["1", "1.0", "2.0", "2"]))
    assert len(run.read_frame(SOLUTIONS_TABLE)) == 2


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_csv_file_may_be_separated_by_semicolons_or_tabs(take, tmp_path, separator, word):
    rows = pd.DataFrame({"problem_id": ["a", "a"], "gold": ["7", "7"], "answer": ["7", "8, or 9"], "verdict": [1, 0]})
    path = tmp_path / "other.csv"
    rows.assign(solution_id=[0, 1]).to_csv(path, index=False, sep=separator, encoding="utf-8-sig")
    summary, run = take(path)
    assert run.read_frame(VERIFICATIONS_TABLE)["verdict"].tolist() == [1, 0]
    assert f"The columns of other.csv are separated by {word}." in summary.notes


@pytest.mark.parametrize("answers", ["['0', '1']", "['0' '1']", '["0", None]'.replace('"', "'"), "[0.0, None]"])
def test_a_list_as_python_prints_it_is_a_list(take, answers):
    rows = pd.DataFrame({"problem_id": ["a"], "gold": ["0"], "answer": [answers], "correct": ["[True, False]"]})
    summary, run = take(rows, grader="math")
    assert run.read_frame(SOLUTIONS_TABLE)["correct"].tolist() == [True, False]
    assert summary.logged_accuracy == 0.5


@pytest.mark.parametrize("answer", ["[x, y]", "[0, 1)", "['a' + 'b']", "[f(1)]", "['a', " * 500 + "]", "['\\x']"])
def test_a_text_in_brackets_that_is_no_list_stays_an_answer(take, answer):
    rows = pd.DataFrame({"problem_id": ["a"], "gold": ["0"], "answer": [answer]})
    assert len(take(rows)[1].read_frame(SOLUTIONS_TABLE)) == 1


def test_a_score_is_the_solution_s_reward(take):
    rows = pd.DataFrame({"problem_id": ["a", "a"], "gold": ["7", "7"], "answer": ["7", "8"], "score": [0.9, 0.25]})
    _, run = take(rows)
    assert [scores.tolist() for scores in run.read_frame(SCORES_TABLE)["step_scores"]] == [[0.9], [0.25]]


def test_answers_without_texts_are_graded_by_value(take):
    rows = pd.DataFrame({"problem_id": ["a"] * 4, "gold": ["1/2"] * 4, "answer": ["0.5", r"\frac{1}{2}", "2", None]})
    summary, run = take(rows)
    assert summary.grader.startswith("math/")
    assert run.read_frame(SOLUTIONS_TABLE)["correct"].tolist() == [True, True, False, False]
    summary, run = take(rows, grader="numeric")
    assert run.read_frame(SOLUTIONS_TABLE)["answer"].tolist()[:3] == ["1/2", "1/2", "2"]


def test_tokens_may_be_written_as_decimals(take):
    rows = pd.DataFrame({"problem_id": ["a"], "gold": ["7"], "answer": ["7"], "completion_tokens": ["12.0"]})
    _, run = take(rows)
    assert run.read_frame(SOLUTIONS_TABLE)["completion_tokens"].tolist() == [12]
    with pytest.raises(DataError, match="'completion_tokens' must be a whole number"):
        take(rows.assign(completion_tokens="12.5"))


def test_files_of_one_folder_are_samples_of_the_same_problems(take, tmp_path):
    folder = tmp_path / "outputs"
    folder.mkdir()
    for seed, answers in enumerate((["7", "x"], ["8", "y"], ["7", "y"])):
        rows = pd.DataFrame({"question": ["3+4?", "x or y?"], "gold": ["7", "y"], "answer": answers})
        rows.to_json(folder / f"output-rs{seed}.jsonl", orient="records", lines=True)
    summary, run = take(folder)
    assert run.read_frame(PROBLEMS_TABLE)["problem_id"].tolist() == ["question-0", "question-1"]
    assert summary.accuracy == pytest.approx(4 / 6)
    assert summary.imported.files == 3


def test_columns_are_named_that_were_read_and_ignored(take):
    rows = pd.DataFrame({"id": ["a"], "gold": ["7"], "answer": ["7"], "comment": ["x"]})
    summary, _ = take(rows, id="problem_id")
    assert summary.columns == {"gold": "gold", "answer": "answer", "id": "problem_id"}
    assert summary.ignored_columns == ["comment"]


def test_an_answer_that_is_the_same_in_all_solutions_is_questioned(take):
    rows = pd.DataFrame({"problem_id": list("aabb"), "gold": list("7788"), "answer": list("7799")})
    summary, _ = take(rows)
    assert "the same answer in all its solutions" in summary.notes[0]
    summary, _ = take(rows.assign(answer=["7", "8", "9", "9"]))
    assert summary.notes == []


def test_the_log_s_own_grades_stand_beside_ours(take):
    rows = pd.DataFrame(
        {"problem_id": ["a"] * 3, "gold": ["1/2"] * 3, "solution": ["0.5", "1/2", "3"], "correct": [0, 1, 0]}
    )
    summary, _ = take(rows, grader="math")
    assert (summary.logged_accuracy, summary.accuracy) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    (example,) = summary.examples
    assert (summary.differing, example.solution_id, example.gold) == (1, 0, "1/2")
    assert (example.logged, example.graded) == (False, True)


def test_the_given_tables(take, cases):
    folder = cases / "imports"
    summary, run = take(cases / "samples.csv", sample="solution_id", verdicts="verdict")
    assert summary.imported.rows["verifications"] == 7680
    assert len(run.read_frame(SCORES_TABLE)) == 1920
    assert take(folder / "vote.csv", grader="math")[0].accuracy == pytest.approx(0.4)
    answers = take(folder / "vote.csv", grader="math")[1].read_frame(SOLUTIONS_TABLE)["answer"]
    assert answers.nunique() == 4
    summary, run = take(folder / "nemo", problem="question", expected_answer="gold", generation="solution",
                        predicted_answer="answer", is_correct="correct")  # fmt: skip
    assert (summary.imported.files, summary.imported.rows["solutions"]) == (3, 150)
    names = {"idx": "problem_id", "answer": "gold", "code": "solution", "pred": "answer", "score": "correct"}
    summary, run = take(folder / "qwen_math_lists.jsonl", **names)
    assert summary.imported.rows["solutions"] == 96
    logged = [json.loads(line)["score"] for line in (folder / "qwen_math_lists.jsonl").read_text().splitlines()]
    assert summary.accuracy == pytest.approx(np.mean(logged))


def test_an_empty_entry_of_a_list_is_a_verdict_that_could_not_be_read(take):
    rows = pd.DataFrame({"problem_id": ["a"], "gold": ["7"], "answer": ["7"], "verdict": ['["yes", "no", null]']})
    verdicts = take(rows)[1].read_frame(VERIFICATIONS_TABLE)["verdict"].tolist()
    assert verdicts[:2] == [1, 0]
    assert np.isnan(verdicts[2])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"level": "-3"}, "'level' must be a whole number from 0 to 2,147,483,647; it is '-3'"),
        ({"answer": "[]"}, "'answer' is an empty list, so the problem has no solution"),
        ({"gold": None}, "the log has no right answer, nor does it say whether"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused(take, changes, sentence):
    with pytest.raises(DataError, match=sentence):
        take(pd.DataFrame([{"problem_id": "a", "gold": "7", "answer": "7", **changes}]))


def test_answers_in_brackets_are_no_lists_where_the_right_answer_is_in_brackets(take):
    rows = [{"problem_id": name, "answer": "[3, 4]", "gold": gold} for name in "ab" for gold in ("[3, 4]",) * 2]
    summary, _ = take(pd.DataFrame(rows))
    assert (summary.imported.rows["solutions"], summary.accuracy) == (4, 1.0)


def test_marks_of_a_missing_answer_do_not_vote(take):
    answers = ["nan", "NaN", "None", "null", "N/A", "-", "7"]
    summary, run = take(pd.DataFrame({"problem_id": "a", "answer": answers, "gold": "7"}), "log.parquet")
    assert summary.accuracy == pytest.approx(1 / 7)
    assert run.read_frame(SOLUTIONS_TABLE)["answer"].notna().sum() == 1
    summary, run = take(pd.DataFrame({"problem_id": "a", "answer": ["None", "7"], "gold": "None"}), "log.parquet")
    assert run.read_frame(SOLUTIONS_TABLE)["correct"].tolist() == [True, False]


def test_without_any_right_solution_votes_are_unknown_where_answers_are(take):
    rows = [{"problem_id": name, "correct": 0} for name in "abc" for _ in range(12)]
    summary, _ = take(pd.DataFrame(rows))
    assert any("votes cannot be counted" in note for note in summary.notes)
    assert not any("right by" in note for note in summary.notes)
