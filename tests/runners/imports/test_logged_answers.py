"""Answers whose right or wrong comes from the log: equal ones are one answer with one verdict; whole texts are none."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import DataError
from isocompute.planner.difficulty import build_run_study
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.imports.grader_choice import infer_grader_name
from isocompute.runners.storage.grader_comparison import compare_graders
from isocompute.runners.storage.regrade import regrade_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

FEW_ANSWERS = [("7", 1), ("7.0", 1), (r"\frac{14}{2}", 0), ("8", 0), ("$8$", 0), ("8.", 1), ("x", 1)]
"""Seven is right in 2 of 3 solutions, eight in 1 of 3; x is right."""


@pytest.fixture
def take(tmp_path):
    """Imports pairs of an answer and whether it is right, of one problem or of several, as a run."""

    def run(pairs, grader="as-logged", **columns):
        problems = pairs if isinstance(pairs, dict) else {"p": pairs}
        rows = [(problem, *pair) for problem, each in problems.items() for pair in each]
        path = tmp_path / f"log-{len(list(tmp_path.iterdir()))}.json"
        frame = pd.DataFrame(rows, columns=["problem_id", "answer", "correct"]).assign(gold="7")
        path.write_text(frame.to_json(orient="records"))
        summary = import_logged_run(
            "table", str(path), str(path.with_suffix("")), ImportOptions(grader=grader, columns=columns)
        )
        return summary, Run(summary.run)

    return run


def count_right_votes(answers, right, S):
    """Return the share of the S-subsets in which the vote ends with a right answer; ties are shared."""
    shares = []
    for subset in itertools.combinations(range(len(answers)), S):
        votes = Counter(answers[i] for i in subset)
        winners = [answer for answer in votes if votes[answer] == max(votes.values())]
        shares.append(sum(answer in right for answer in winners) / len(winners))
    return float(np.mean(shares))


def test_equal_answers_are_one_answer_with_the_verdict_of_most_of_them(take):
    summary, run = take(FEW_ANSWERS)
    solutions = run.read_frame(SOLUTIONS_TABLE)
    assert solutions["answer"].tolist() == ["7", "7", "7", "8", "8", "8", "X"]
    assert solutions["correct"].tolist() == [True, True, True, False, False, False, True]
    assert solutions["logged_answer"].tolist() == [answer for answer, _ in FEW_ANSWERS]
    assert (summary.logged_accuracy, summary.accuracy, summary.differing) == (4 / 7, 4 / 7, 2)
    (note,) = summary.notes
    assert note.startswith("2 answers have two verdicts in the log, in 6 solutions.")
    assert "'7' to the problem 'p', right in 2 of 3 solutions" in note


def test_votes_over_logged_answers_are_what_enumeration_gives(take):
    _, run = take(FEW_ANSWERS)
    curve = iso.curve(run.path, "sc", S=[1, 2, 3, 4, 5, 6, 7])
    expected = [count_right_votes("7778 88x".replace(" ", ""), "7x", S) for S in range(1, 8)]
    assert curve["accuracy"].tolist() == pytest.approx(expected)


def test_right_answers_that_differ_do_not_vote_together(take):
    _, run = take([("cat", 1), ("feline", 1), ("dog", 0), ("Dog.", 0)])
    assert read_pool(run).pool.gold.tolist() == [[0, 1]]
    assert iso.curve(run.path, "sc", S=[1, 4])["accuracy"].tolist() == [0.5, 0.0]


def test_a_tie_between_verdicts_is_wrong(take):
    summary, _ = take([("7.0", 1), ("7.0", 0), ("8", 0)])
    assert (summary.logged_accuracy, summary.accuracy) == (pytest.approx(1 / 3), 0)
    assert "a tie counts as wrong unless one is spelt as the right answer" in summary.notes[0]
    assert summary.examples[0].logged
    assert not summary.examples[0].graded


def test_a_tie_between_verdicts_of_the_right_answer_as_it_is_spelt_is_right(take):
    summary, run = take([("7", 1), ("7.0", 0), ("8", 1), ("8", 0)])
    assert run.read_frame(SOLUTIONS_TABLE)["correct"].tolist() == [True, True, False, False]
    assert (summary.logged_accuracy, summary.accuracy) == (0.5, 0.5)


def test_words_are_compared_as_text(take):
    _, run = take([("act", 1), ("cat", 0), ("'Cat'", 0), ("(b)", 0), ("B", 0), ("pi", 0), (r"\pi", 0)])
    assert run.read_frame(SOLUTIONS_TABLE)["answer"].tolist() == ["act", "cat", "cat", "B", "B", "pi", "pi"]


def test_a_frame_s_answers_are_grouped_too():
    frame = pd.DataFrame(FEW_ANSWERS, columns=["said", "right"]).assign(id="p")
    run = iso.from_frame(frame, problem="id", answer="said", correct="right")
    assert run.solutions["correct"].sum() == 4
    assert run.solutions["answer"].nunique() == 3


TEXTS = [(f"def solve(x):\n    y = x + {i}\n    return y", i % 2) for i in range(4)]
SENTENCES = [
    (f"I would say that after the {word} of these it has to be the one on the left, not the right one.", 1)
    for word in ("first", "second", "third", "fourth")
]


@pytest.mark.parametrize("texts", [TEXTS, SENTENCES])
def test_whole_texts_have_no_votes_and_every_command_says_so(take, texts):
    summary, run = take({"p": texts, "q": [(f"{text}!", right) for text, right in texts]})
    assert "The answers are whole texts" in summary.notes[0]
    pool = read_pool(run)
    assert not pool.has_answers
    assert set(np.unique(pool.pool.answers)) <= {0, 1}
    profile = iso.fit(iso.open_run(run.path))
    assert any("whole texts" in warning for warning in profile.to_dict()["warnings"])
    assert profile.to_dict()["plateau"] is None
    with pytest.raises(DataError, match=r"Difficulty by agreement cannot be found in .* whole texts"):
        build_run_study(run.path, "agreement", samples=2)


def test_diverse_short_answers_are_no_texts(take):
    pairs = [(f"\\frac{{{i}}}{{{i + 1}}} + \\sqrt{{{i}}}", 0) for i in range(6)]
    summary, run = take(pairs)
    assert read_pool(run).has_answers
    assert summary.notes == []


def test_long_answers_that_are_often_equal_are_no_texts(take):
    table = "\n".join(f"row {i}: yes" for i in range(5))
    _, run = take([(table, 1), (table, 1), (table, 1), ("row 0: no", 0)])
    assert read_pool(run).has_answers


def test_right_and_wrong_with_verdicts_say_nothing_of_votes(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(p, s, int(rng.random() < 0.4)) for p in range(12) for s in range(6)]
    frame = pd.DataFrame(rows, columns=["problem_id", "solution_id", "correct"])
    frame["verdict"] = [
        json.dumps((rng.random(4) < 0.3 + 0.5 * right).astype(int).tolist()) for right in frame["correct"]
    ]
    path = tmp_path / "log.csv"
    frame.assign(completion_tokens=10).to_csv(path, index=False)
    summary = import_logged_run("table", str(path), str(tmp_path / "run"))
    fitted = iso.fit(iso.open_run(summary.run), lam=1).to_dict()
    assert (fitted["plateau"], fitted["crossover"], fitted["power"]) == (None, None, None)
    plan = iso.plan(iso.fit(iso.open_run(summary.run), lam=1), "16x").to_dict()
    assert plan["crossover"] is None
    assert any("votes cannot be counted" in warning for warning in plan["warnings"])


def test_a_second_grading_says_what_the_log_says(take):
    _, run = take([("7", 1), ("14/2", 0), ("8", 0)], "as-logged")
    with load_grader_by_name("numeric") as grader:
        result = regrade_run(run, grader)
    assert (result.solutions, result.accuracy, result.logged_accuracy) == (
        3,
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    )
    assert result.differing == 1
    assert (result.examples[0].solution_id, result.examples[0].graded) == (1, True)


def test_two_graders_are_compared_on_answers_without_texts(take):
    _, run = take([("7", 1), ("14/2", 1), ("8", 0)])
    for against, accuracy in (("numeric", 2 / 3), ("math-verify", 2 / 3), ("exact", 1 / 3)):
        compared = compare_graders(run, None, against)
        assert (compared.solutions, compared.accuracy) == (3, pytest.approx(2 / 3))
        assert compared.other_accuracy == pytest.approx(accuracy), against


def test_a_text_in_the_place_of_an_answer_is_read_by_a_grader(take):
    texts = [(f"Let me see.\nIt is {i}, as I said.\nThe answer is {answer}.", 1) for i, answer in enumerate("778")]
    summary, run = take(texts, "math")
    assert run.read_frame(SOLUTIONS_TABLE)["answer"].tolist() == ["7", "7", "8"]
    assert (summary.accuracy, summary.logged_accuracy) == (pytest.approx(2 / 3), 1)


SEVENS = ["7", "The answer is 7", "Answer: 7.0", "**7**", r"\boxed{7}", "#### 7", "7"]


@pytest.mark.parametrize("grader", ["math", "numeric", "as-logged"])
def test_a_statement_in_the_place_of_an_answer_is_one_answer_with_what_it_states(take, grader):
    summary, run = take([*((answer, 1) for answer in SEVENS), ("Answer: 8", 0), ("8", 0)], grader)
    assert run.read_frame(SOLUTIONS_TABLE)["answer"].tolist() == ["7"] * 7 + ["8"] * 2
    assert summary.accuracy == pytest.approx(7 / 9)


def test_a_statement_in_the_place_of_a_letter_or_of_a_text_is_read(tmp_path):
    path = tmp_path / "log.json"
    for name, gold, answers in (
        ("letter", "B", ["Answer: B", "The answer is (B)", "**B**", r"\boxed{B}"]),
        ("exact", "O(n)", ["Answer: O(n)", "**O(n)**", "`O(n)`", "The answer is O(n)."]),
        ("exact", "The answer is 7", ["The answer is 7", "the answer"]),
    ):
        rows = [{"problem_id": "p", "gold": gold, "answer": answer} for answer in answers]
        path.write_text(json.dumps(rows))
        summary = import_logged_run(
            "table", str(path), str(tmp_path / f"{name}-{gold[:1]}"), ImportOptions(grader=name)
        )
        assert summary.accuracy == (0.5 if len(answers) == 2 else 1)


@pytest.mark.parametrize(
    ("golds", "grader"), [(["yajo", "nehh"], "math/2"), (["7", "A"], "math/2"), (["A", "B"], "letter/2")]
)
def test_the_grader_of_texts_is_chosen_by_all_right_answers(tmp_path, golds, grader):
    path = tmp_path / "log.csv"
    rows = [{"problem_id": gold, "gold": gold, "solution": f"The answer is '{gold}'."} for gold in golds]
    pd.DataFrame(rows).to_csv(path, index=False)
    summary = import_logged_run("table", str(path), str(tmp_path / "run"))
    assert summary.grader.partition(" ")[0] == grader
    assert summary.accuracy == 1


def test_one_letter_among_other_right_answers_is_no_choice():
    assert infer_grader_name(["A", "12"]) is None
