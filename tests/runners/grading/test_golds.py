"""The grader of a task follows from the form of its right answers, in a sweep as in an import."""

from __future__ import annotations

import json

import pytest

from isocompute.errors import DataError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.grading import AnswerClasses, golds, load_grader_by_name
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE


@pytest.mark.parametrize(
    ("answers", "with_math", "without"),
    [
        (["7", "1,050", "-2.5"], "math", "numeric"),
        (["\\frac{1}{2}", "7"], "math", "math"),
        (["so \\boxed{7}"], "math", "math"),
        (["A", "(C)", "D "], "letter", "letter"),
        (["A", "7"], "math", "math"),
        (["Paris", "New York"], "math", "math"),
    ],
)
def test_a_grader_is_chosen_by_all_right_answers(monkeypatch, answers, with_math, without):
    assert golds.choose_task_grader(answers, "task.csv") == with_math
    monkeypatch.setattr(golds, "find_spec", lambda name: None)
    assert golds.choose_task_grader(answers, "task.csv") == without


def test_a_long_text_is_not_compared():
    with pytest.raises(DataError, match=r"unclear how to compare answers with .* name a grader under task\.grader"):
        golds.choose_task_grader(["7", "It lies in Rome, as far as one can see from the map of the city."], "task.csv")


@pytest.mark.parametrize(
    "program",
    [
        "def add(a, b):\n    return a + b",
        "    def add(self, a):\n        return a",
        "import math\nprint(math.pi)",
        "class Solution:\n    pass",
        "#include <stdio.h>\nint main() {}",
        "int main() { return 0; }",
        "fn main() {}",
        "return a + b",
        "SELECT name FROM users",
    ],
)
def test_a_program_is_no_right_answer_for_a_grader(program):
    with pytest.raises(DataError, match="a right answer is a program"):
        golds.choose_task_grader(["7", program], "task.csv")
    for words in ("a function from X to Y, by import of class 2", "import duties", "from Rome import goods"):
        assert golds.PROGRAM_PATTERN.search(words) is None


@pytest.fixture
def sweep_file(tmp_path, scripted):
    """Sweeps problems of a file with a scripted model, and gives the summary, the run and the notes."""

    def sweep(answers, says, **task):
        path = tmp_path / "mine.jsonl"
        path.write_text("".join(json.dumps({"question": f"Q{i}", "answer": a}) + "\n" for i, a in enumerate(answers)))
        config = Sweep.model_validate(
            {
                "run": str(tmp_path / "run"),
                "task": {"path": str(path), **task},
                "engine": "transformers",
                "solver": {"model": "scripted/solver", "prompt": "math-solve"},
                "solutions": 2,
            }
        )
        summary = run_sweep(config, load=scripted(lambda prompt, seed: says))
        return summary, Run(config.run)

    return sweep


@pytest.mark.parametrize(
    ("answers", "says", "grader"),
    [
        (["\\frac{1}{2}", "3"], "The answer is 0.5.", "math/2"),
        (["B", "C"], "The correct option is B.", "letter/2"),
        (["3+4 is 7\n#### 7", "8"], "So it is \\boxed{7}.", "math/2"),
        (["We get \\boxed{7}.", "\\boxed{8}"], "The answer is 7", "math/2"),
    ],
)
def test_a_sweep_of_a_file_grades_as_its_right_answers_ask(sweep_file, answers, says, grader):
    summary, run = sweep_file(answers, says)
    assert summary.accuracy == 0.5
    assert run.read_manifest()["grader"].partition(" ")[0] == grader
    assert "boxed" not in "".join(run.read_frame(PROBLEMS_TABLE)["gold"])


def test_a_run_goes_on_with_the_grader_that_it_has(sweep_file):
    sweep_file(["7", "8"], "\\boxed{7}", grader="boxed-number")
    _, run = sweep_file(["7", "8"], "\\boxed{7}")
    assert run.read_manifest()["grader"] == "boxed-number/1"


def test_a_named_grader_is_taken(sweep_file):
    _, run = sweep_file(["A", "B"], "A", grader="exact")
    assert run.read_manifest()["grader"] == "exact/1"


def test_words_are_compared_as_text_and_products_by_value():
    with load_grader_by_name("math") as grader:
        same = ("return a + b", "return a + b")
        pairs = [("stop", "post"), ("stop", "STOP"), ("New York", "York New"), ("abc", "bca"), same]
        right = [AnswerClasses(grader, gold).grade_answer(answer)[1] for gold, answer in pairs]
    assert right == [False, True, False, True, True]
