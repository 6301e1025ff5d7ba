from __future__ import annotations

import json

import pytest

from isocompute.errors import ConfigError, DataError
from isocompute.runners.lab.problems import LEVELS
from isocompute.runners.tasks import file_problems, lab_problems


@pytest.fixture
def written(tmp_path):
    def write(*lines):
        path = tmp_path / "task.jsonl"
        path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        return str(path)

    return write


def read(path, question="question", answer="answer", name=None, count=None):
    return file_problems(path, question, answer, name, count)


def test_lab_problems_are_all_different_and_spread_over_the_levels():
    problems = lab_problems(50, list(LEVELS), seed=0)
    assert len({p.problem_id for p in problems}) == len({p.question for p in problems}) == 50
    assert [sum(p.level == level for p in problems) for level in LEVELS] == [10] * 5


def test_a_longer_list_of_lab_problems_begins_with_the_shorter_one():
    assert lab_problems(40, [1, 3], seed=4)[:7] == lab_problems(7, [1, 3], seed=4)
    assert lab_problems(7, [1, 3], seed=4) != lab_problems(7, [1, 3], seed=5)


@pytest.mark.parametrize(
    ("count", "levels", "sentence"),
    [
        (2, [1, 6], "task.levels: the lab has no level 6; it has 1, 2, 3, 4, 5."),
        (2, [1, 1], "task.levels: a level stands twice in [1, 1]."),
    ],
)
def test_bad_levels_are_refused(count, levels, sentence):
    with pytest.raises(ConfigError) as caught:
        lab_problems(count, levels, seed=0)
    assert str(caught.value) == sentence


def test_more_problems_than_there_are_is_a_sentence(monkeypatch):
    monkeypatch.setattr("isocompute.runners.lab.problems.held_out", lambda problem: problem.question == "Start with 1.")
    with pytest.raises(ConfigError, match="level 1 of the lab has not that many different problems; ask for fewer"):
        lab_problems(1, [1], seed=0)


def test_a_file_gives_questions_and_canonical_answers(written):
    path = written({"question": "6*7?", "answer": "42.0"}, {"question": "Half?", "answer": "so\n#### 1/2"})
    problems = read(path)
    assert [(p.problem_id, p.task, p.question, p.gold) for p in problems] == [
        ("1", "task", "6*7?", "42"),
        ("2", "task", "Half?", "1/2"),
    ]
    assert read(path, count=1) == problems[:1]


def test_a_file_may_name_its_columns(written):
    path = written({"id": "a", "q": "6*7?", "a": 42})
    assert read(path, question="q", answer="a", name="id")[0].problem_id == "a"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["{"], ", line 1 is not a JSON object."),
        (["[1]"], ", line 1 is not a JSON object."),
        ([{"question": "q", "answer": "1"}, {"question": "q"}], ", line 2: there is no key 'answer'; it has question."),
        ([{"question": "q", "answer": " "}], ", line 1: the answer under 'answer' is empty or too long."),
        ([], " holds no problems."),
    ],
)
def test_a_bad_file_is_refused_with_its_line(written, lines, sentence):
    path = written(*lines)
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == path + sentence


def test_a_name_that_stands_twice_is_refused(written):
    path = written(*[{"id": "a", "question": "q", "answer": "1"}] * 2)
    with pytest.raises(DataError, match=r"line 2: the name 'a' stands twice\.$"):
        read(path, name="id")


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"^task.path: '.*none' cannot be read: No such file or directory\.$"):
        read(str(tmp_path / "none"))
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(DataError, match=r"latin is not UTF-8 text\.$"):
        read(str(tmp_path / "latin"))


def test_the_public_benchmarks_read(shared_data):
    assert len(read(str(shared_data / "gsm8k_test.jsonl"))) == 1319
    math = read(str(shared_data / "math500.jsonl"), question="problem", name="unique_id")
    assert len(math) == 500
