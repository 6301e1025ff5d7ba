"""Whether a solution is right, over pairs of a gold answer and a solution by kind.

golden/answer_pairs.tsv is of our own making. The pairs of the comparison data are read where they are present.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.grading import grade_pairs, read_pairs
from isocompute.runners.grading import load_grader_by_name

OWN = read_pairs(Path(__file__).parents[2] / "golden" / "answer_pairs.tsv")

# Labels that we dispute, with the reason.
DISPUTED = {
    ("100,200", "\\boxed{100200}"): "digits grouped by commas are one number; as a list it would have a blank",
    ("7", "\\boxed{6}\n#### 7"): "of a box and a #### line the last one counts, and this one comes last",
}


def test_our_own_pairs_are_many_and_of_every_grader():
    assert len(OWN) >= 300
    assert len({(pair["grader"], pair["gold"], pair["solution"]) for pair in OWN}) == len(OWN)
    assert min(Counter((pair["grader"], pair["right"]) for pair in OWN).values()) >= 4


def test_our_own_pairs_are_graded_right():
    wrong = [pair for pair, right in zip(OWN, grade_pairs(OWN), strict=True) if right != (pair["right"] == "yes")]
    assert wrong == []


def test_the_given_pairs_are_graded_right_but_for_those_we_dispute(shared_data):
    path = shared_data.parent / "cases" / "grading" / "pairs.tsv"
    if not path.is_file():
        pytest.skip(f"no pairs at {path}")
    pairs = read_pairs(path)
    wrong = {
        (pair["gold"], pair["solution"])
        for pair, right in zip(pairs, grade_pairs(pairs), strict=True)
        if right != (pair["right"] == "yes")
    }
    assert wrong == set(DISPUTED)


def test_the_reference_solutions_are_right(shared_data):
    import json

    graded = 0
    for file, name in (("gsm8k_test.jsonl", "numeric"), ("math500.jsonl", "math")):
        pairs = []
        for line in (shared_data / file).read_text(encoding="utf-8").splitlines():
            fields = json.loads(line)
            solution = fields.get("solution") or fields["answer"]
            gold = fields["answer"].split("####")[-1].strip()
            pairs.append({"grader": name, "gold": gold, "solution": solution})
        assert all(grade_pairs(pairs))
        graded += len(pairs)
    assert graded == 1819


def test_a_gold_answer_that_is_no_number_is_refused():
    grader = load_grader_by_name("numeric")
    assert grader.normalise_answer("1e3") == "1000"
    assert [
        grader.normalise_answer(gold) for gold in ("5 or 6", "seven dwarfs and 3 bears", "12:30", "2024-01-01", "x")
    ] == [None] * 5
