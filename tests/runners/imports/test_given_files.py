"""The comparison cases, each imported as a whole, beside accuracies that were computed without isocompute.

How each accuracy was computed, in pandas or by hand, stands beside it.
"""

from __future__ import annotations

import pytest

import isocompute as iso
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.imports.summaries import ImportSummary

NEMO = {
    "problem": "question", "expected_answer": "gold", "generation": "solution", "predicted_answer": "answer",
    "is_correct": "correct",
}  # fmt: skip
QWEN = {"idx": "problem_id", "answer": "gold", "code": "solution", "pred": "answer", "score": "correct"}

TABLES = [
    ("split.csv", None, {}, 3 / 7),  # df.correct.mean()
    ("judge.csv", None, {}, 3 / 5),  # 42 is right in 2 of 3 rows, so in all three; 43 is wrong
    ("strict.csv", None, {}, 1.0),  # every row is the right answer in another spelling, read one by one
    ("answers_only.csv", None, {}, 5 / 8),  # 0.5, \frac{1}{2}, 1/2 of the first problem; 4.0, 4 of the second
    ("bare_answers_as_texts.csv", None, {}, 1.0),  # 7, and "The answer is 7"
    ("vote.csv", None, {}, 2 / 5),  # two boxes hold 7
    ("ragged.csv", None, {}, 0.6065573770491803),  # df.correct.mean()
    ("tie.csv", None, {}, 2 / 3),  # df.drop_duplicates(["problem_id", "solution_id"]).correct.mean()
    ("conv_tot_right_wrong.csv", None, {}, 0.0403),  # df.correct.mean()
    ("qwen_math_long_answers_are_texts.csv", None, {}, 0.91),  # df.correct.mean()
    # df.solution.str.extract(r"answer is\s+(.*)$")[0].str.strip(" .'\"").str.lower() == df.gold, mean
    ("esc_long.jsonl", None, {}, 631 / 720),
    ("e2e_right.csv", "math", {}, 1.0),
    ("e2e_wrong.csv", "math", {}, 0.0),
    ("e2e_numeric.csv", "numeric", {}, 1.0),
    ("e2e_numeric_wrong.csv", "numeric", {}, 0.0),
    # 107 of 150 rows have is_correct; 1320 km is right in 2 of 3 rows of problem 23, so the third is right, too
    ("nemo", "as-logged", NEMO, 108 / 150),
    ("qwen_math_lists.jsonl", "as-logged", QWEN, None),  # test_tables.py compares it with the log's lists
]

INSPECT_LOGS = [
    # s = the first scorer's value of each sample; rows with an error or an invalidation are left out, or wrong
    ("errors", 461 / 775, 461 / 800),
    ("grok", 1.0, 1.0),
    ("invalid", 1.0, 8 / 12),
    ("pattern", 0.5, 0.5),
    ("scored_error", 1.0, 0.5),
    ("two", 1.0, 1.0),
    ("inspect_gemini_reasoning_tokens", 0.7, 0.7),
]


@pytest.fixture
def take(shared_data, tmp_path):
    """Imports a file of the cases, and returns the summary."""
    folder = shared_data.parent / "cases" / "imports"
    if not folder.is_dir():
        pytest.skip(f"no cases at {folder}")

    def run(format: str, name: str, grader: str | None = None, columns=None, **choices) -> ImportSummary:
        (path,) = folder.glob(name)
        target = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        return import_logged_run(
            format, str(path), str(target), ImportOptions(grader=grader, columns=columns, **choices)
        )

    return run


@pytest.mark.parametrize(("name", "grader", "columns", "accuracy"), TABLES, ids=[row[0] for row in TABLES])
def test_a_given_table(take, name, grader, columns, accuracy):
    summary = take("table", name, grader, columns)
    assert summary.accuracy == pytest.approx(summary.logged_accuracy if accuracy is None else accuracy)


@pytest.mark.parametrize(("name", "dropped", "wrong"), INSPECT_LOGS, ids=[row[0] for row in INSPECT_LOGS])
def test_a_given_log_of_inspect_ai(take, name, dropped, wrong):
    assert take("inspect-ai", f"{name}.json", "as-logged").accuracy == pytest.approx(dropped)
    assert take("inspect-ai", f"{name}.json", "as-logged", failed="wrong").accuracy == pytest.approx(wrong)


def test_the_given_samples_of_search_and_learn(take):
    # sum(c.endswith("\\boxed{7}") for c in completions) is 24 of 64; the beams are searches, not samples
    summary = take("search-and-learn", "search-and-learn")
    assert summary.accuracy == pytest.approx(24 / 64)
    assert summary.imported.rows["searches"] == 8


def test_options_beyond_j_are_read(take):
    # The log's own filter looks for A to J: it read C for C, A for L and D for K, so 1 of 3 is right as logged.
    logged = take("lm-eval", "samples_mmlu_pro_plus*", "as-logged")
    assert logged.accuracy == logged.logged_accuracy == pytest.approx(1 / 3)
    summary = take("lm-eval", "samples_mmlu_pro_plus*")
    # The third text ends with "the answer is (K)", which is right; the second one states no letter that is right.
    assert (summary.grader, summary.accuracy) == ("letter/2", pytest.approx(2 / 3))
    assert [(each.gold, each.answer, each.logged, each.graded) for each in summary.examples] == [
        ("K", "K", False, True)
    ]


@pytest.mark.parametrize(
    ("name", "S", "accuracy"),
    [
        # By hand: 3 right and 4 equal wrong answers. SC(3) = (C(3,2)·4 + 1) / C(7,3) = 13/35.
        ("split.csv", [1, 3, 7], [3 / 7, 13 / 35, 0.0]),
        # 3 right and 2 equal wrong ones: SC(3) = (C(3,2)·2 + 1) / 10.
        ("judge.csv", [1, 3, 5], [3 / 5, 7 / 10, 1.0]),
        # 7, 7, √10, √20, √30: at S = 5 the only answer with two votes is right. S = 2: 1/10 both, 6/10 one of two.
        ("vote.csv", [1, 2, 5], [2 / 5, 1 / 10 + 6 / 10 / 2, 1.0]),
    ],
)
def test_votes_count_equal_answers_together(take, name, S, accuracy):
    curve = iso.curve(take("table", name).run, "sc", S=S)
    assert curve["accuracy"].tolist() == pytest.approx(accuracy)


@pytest.mark.parametrize("name", ["conv_tot_right_wrong.csv", "qwen_math_long_answers_are_texts.csv"])
def test_without_votes_self_consistency_is_unknown(take, name):
    summary = take("table", name)
    assert "votes cannot be counted" in summary.notes[0]
    profile = iso.fit(iso.open_run(summary.run))
    assert profile.to_dict()["plateau"] is None
    assert any("votes cannot be counted" in warning for warning in profile.to_dict()["warnings"])


def test_texts_in_the_place_of_answers_may_be_read(take):
    # The last box of each text equals the gold, as a string, in 0.89; others are equal in value, such as 0.5 and 1/2.
    summary = take("table", "qwen_math_long_answers_are_texts.csv", "math")
    assert summary.logged_accuracy == pytest.approx(0.91)
    assert abs(summary.accuracy - 0.91) < 0.01
    assert len(summary.examples) == 3
