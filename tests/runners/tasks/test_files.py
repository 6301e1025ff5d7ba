from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from isocompute.errors import ConfigError, DataError
from isocompute.runners.tasks import ProblemColumns, read_file_problems
from isocompute.runners.tasks.problem import OPTION_LETTERS, read_problem_rows

ROWS = [
    {"id": "a", "question": "6*7?", "answer": "42", "area": "sums", "hard": 1},
    {"id": "b", "question": 'Say "no",\nor ∞.', "answer": "no", "area": None, "hard": None},
]
COLUMNS = ProblemColumns(name="id", subject="area", level="hard")
OPTIONS = ProblemColumns(choices=("options",))


@pytest.fixture
def written(tmp_path):
    def write(*lines):
        path = tmp_path / "task.jsonl"
        path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        return str(path)

    return write


def refused(path, columns=None) -> str:
    with pytest.raises(DataError) as caught:
        read_file_problems(path, columns)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(path)


def as_json(folder: Path) -> str:
    (folder / "task.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(folder / "task.jsonl")


def as_csv(folder: Path) -> str:
    with open(folder / "task.csv", "w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    return str(folder / "task.csv")


def as_parquet(folder: Path) -> str:
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "task.parquet")
    return str(folder / "task.parquet")


@pytest.mark.parametrize("write", [as_json, as_csv, as_parquet])
def test_a_table_gives_the_same_problems_in_every_format(write, tmp_path):
    problems = read_file_problems(write(tmp_path), COLUMNS)
    assert [tuple(vars(p).values()) for p in problems] == [
        ("a", "task", "6*7?", "42", "sums", 1, None),
        ("b", "task", 'Say "no",\nor ∞.', "no", None, None, None),
    ]


def test_a_file_gives_answers_as_they_are_but_for_what_stands_before_the_mark(written):
    path = written({"question": "6*7?", "answer": 42.0}, {"question": "Half?", "answer": "so\n#### 1/2"})
    problems = read_file_problems(path)
    assert [(p.problem_id, p.gold) for p in problems] == [("1", "42.0"), ("2", "1/2")]
    assert read_file_problems(path, count=1) == problems[:1]


def test_a_line_ends_where_a_line_ends_and_nowhere_else(tmp_path):
    (tmp_path / "task.jsonl").write_bytes(
        '{"question": "a\u2028b\x0c", "answer": 1}\r\n'.replace("\x0c", "\\f").encode()
    )
    assert [p.question for p in read_file_problems(str(tmp_path / "task.jsonl"))] == ["a\u2028b\f"]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["{"], ", line 1 is not a JSON object."),
        (["[1]"], ", line 1 is not a JSON object."),
        (["[" * 100_000], ", line 1 is not a JSON object."),
        ([{"question": "q", "answer": "1"}, ""], ", line 2 is not a JSON object."),
        ([{"question": "q", "answer": "1"}, {"question": "q"}], ", line 2: there is no key 'answer'; it has question."),
        ([{"question": "q", "answer": " "}], ", line 1: 'answer' is empty."),
        ([{"question": "q", "answer": "42 ####"}], ", line 1: the answer under 'answer' is empty."),
        ([{"question": None, "answer": "1"}], ", line 1: 'question' is empty."),
        ([{"question": ["q"], "answer": "1"}], ", line 1: 'question' must be text or a number; it is ['q']."),
        (['{"question": "q", "answer": NaN}'], ", line 1: 'answer' must be text or a number; it is nan."),
        (
            ['{"question": "\\ud800", "answer": 1}'],
            ", line 1: 'question' has half of a surrogate pair, which is not valid text.",
        ),
        ([], " holds no questions."),
    ],
)
def test_a_bad_file_is_refused_with_its_line(written, lines, sentence):
    assert refused(written(*lines)) == sentence


@pytest.mark.parametrize("level", ["hard", "1.5", "1" * 10, "²", True, [1]])
def test_a_level_that_is_no_whole_number_is_refused(written, level):
    path = written({"question": "q", "answer": "1", "hard": level})
    assert refused(path, ProblemColumns(level="hard")).startswith(", line 1: 'hard' must be ")


def test_a_key_or_a_column_that_stands_twice_is_refused(written, tmp_path):
    path = written('{"question": "q", "answer": 1, "answer": 2}')
    assert refused(path) == ", line 1: the key 'answer' appears twice; remove one of the two."
    (tmp_path / "task.csv").write_text("question,answer,note,note,,\nq,1,a,b,,\n")
    twice = ": the column 'note' appears twice; keep one, or rename the others."
    assert refused(str(tmp_path / "task.csv")) == twice
    (tmp_path / "task.csv").write_text("question,answer,note,,\nq,1,a,,\n")  # as spreadsheets write it
    assert len(read_file_problems(str(tmp_path / "task.csv"))) == 1
    columns = [pa.array(["q"]), pa.array(["1"]), pa.array(["a"]), pa.array(["b"])]
    pq.write_table(pa.table(columns, names=["question", "answer", "note", "note"]), tmp_path / "task.parquet")
    assert refused(str(tmp_path / "task.parquet")) == twice
    inner = pa.StructArray.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["a", "a"])
    pq.write_table(pa.table([inner, pa.array(["1"])], names=["question", "answer"]), tmp_path / "task.parquet")
    assert refused(str(tmp_path / "task.parquet")).startswith(": a row cannot be read: ")


def test_a_name_that_stands_twice_is_refused(written):
    path = written(*[{"id": "a", "question": "q", "answer": "1"}] * 2)
    assert refused(path, ProblemColumns(name="id")) == ", line 2: the id 'a' appears twice."


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"^task.path: '.*none' cannot be read: No such file or directory\.$"):
        read_file_problems(str(tmp_path / "none"))
    with pytest.raises(
        ConfigError, match=r"^task.path: The file 'nowhere://a.csv' cannot be reached: runs and files are"
    ):
        read_file_problems("nowhere://a.csv")
    for name in ("latin", "latin.csv"):
        (tmp_path / name).write_bytes(b"\xe9")
        assert refused(str(tmp_path / name)) == " is not UTF-8 text."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("question,gold\nq,1\n", ": there is no column 'answer'; it has question, gold."),
        ("", ": there is no column 'question'; it has none."),
        (
            "question,answer,answer\nq,1,2\n",
            ": there is more than one column 'answer'; it has question, answer, answer.",
        ),
        ("question,answer\n", " holds no questions."),
        ("question,answer\nq,1\nq\n", ", row 2: 'answer' is empty."),
        ("question,answer\nq,1\nq,1,000\n", ", row 2 has more fields than the first line names."),
        ('question,answer\nq,1\n"q,1\n', ", after row 1: not CSV: unexpected end of data."),
        (f"question,answer\n{'q' * 200_000},1\n", ", after row 0: not CSV: field larger than field limit (131072)."),
    ],
)
def test_a_bad_csv_file_is_refused_with_its_row(tmp_path, content, sentence):
    (tmp_path / "task.csv").write_text(content)
    assert refused(str(tmp_path / "task.csv")) == sentence


def test_a_bad_parquet_file_is_refused(tmp_path):
    path = tmp_path / "task.parquet"
    pq.write_table(pa.table({"question": ["q"], "gold": ["1"]}), path)
    assert refused(str(path)) == ": there is no column 'answer'; it has question, gold."
    pq.write_table(pa.table({"question": ["q", "q"], "answer": [1.0, float("nan")]}), path)
    assert refused(str(path)) == ", row 2: 'answer' must be text or a number; it is nan."
    path.write_bytes(path.read_bytes()[:-9])
    assert refused(str(path)).startswith(" cannot be read as Parquet: ")


def test_a_list_of_options_is_lettered_under_the_question_in_its_order(written):
    path = written({"question": "Which?\n", "options": ["one", " two ", 3], "answer": "two"})
    (problem,) = read_file_problems(path, OPTIONS)
    assert problem.question == "Which?\n\n(A) one\n(B) two\n(C) 3"
    assert problem.gold == "B"


def test_options_may_be_a_list_in_parquet_too(tmp_path):
    pq.write_table(pa.table({"question": ["q"], "options": [["x", "y"]], "answer": ["y"]}), tmp_path / "task.parquet")
    assert read_file_problems(str(tmp_path / "task.parquet"), OPTIONS)[0].gold == "B"


@pytest.mark.parametrize("answer", ["C", "c", "(C)", "three"])
def test_the_right_option_is_given_by_its_letter_or_its_text(written, answer):
    path = written({"question": "q", "a": "one", "b": "two", "c": "three", "answer": answer})
    assert read_file_problems(path, ProblemColumns(choices=("a", "b", "c")))[0].gold == "C"


@pytest.mark.parametrize(
    ("options", "answer", "sentence"),
    [
        (["x", "y"], "z", "the answer 'z' under 'answer' is neither an option nor a letter from A to B."),
        (["x", "y"], "C", "the answer 'C' under 'answer' is neither an option nor a letter from A to B."),
        (["x", "y"], 1, "the answer '1' under 'answer' is neither an option nor a letter from A to B."),
        (["B", "A"], "A", "the answer 'A' under 'answer' is the text of one option and the letter of another."),
        (["x"], "A", "a problem has 2 to 26 options; this one has 1."),
        (list(map(str, range(27))), "A", "a problem has 2 to 26 options; this one has 27."),
        (["x", "x "], "A", "the option 'x' appears twice."),
        (["x", None], "A", "'options[1]' is empty."),
        ("x, y", "x", "'options' must hold a list of options; it is 'x, y'. If each option has its own column, name "
                      "all of them."),
    ],
)  # fmt: skip
def test_options_that_leave_the_right_one_unclear_are_refused(written, options, answer, sentence):
    path = written({"question": "q", "options": options, "answer": answer})
    assert refused(path, OPTIONS) == f", line 1: {sentence}"


def test_an_option_that_is_its_own_letter_is_clear(written):
    assert read_file_problems(written({"question": "q", "options": ["A", "B"], "answer": "A"}), OPTIONS)[0].gold == "A"


OWN = ProblemColumns("q", "best", "id", choices=("best", "bad", "worse", "worst"))


@given(st.lists(st.text(min_size=1).map(str.strip), min_size=4, max_size=4, unique=True), st.integers(), st.integers())
def test_where_the_right_option_has_a_column_it_stands_anywhere_and_the_gold_letter_is_its_own(options, seed, name):
    assume(all(options) and not any("\ud800" <= c <= "\udfff" for option in options for c in option))
    row = {"q": "Which?", "id": name, **dict(zip(OWN.choices, options, strict=True))}
    (problem,) = read_problem_rows("t", [("t", row)], OWN, seed)
    places = {letter: problem.question.find(f"\n({letter}) ") for letter in OPTION_LETTERS[:4]}
    assert problem.question[places[problem.gold] :].startswith(f"\n({problem.gold}) {options[0]}")
    assert read_problem_rows("t", [("t", row)], OWN, seed) == [problem]


def test_shuffled_options_stand_everywhere_about_equally_often_and_do_not_depend_on_other_rows():
    rows = [("t", {"q": "Which?", "id": i, "best": "a", "bad": "b", "worse": "c", "worst": "d"}) for i in range(4000)]
    golds = [problem.gold for problem in read_problem_rows("t", rows, OWN, seed=3)]
    for letter in "ABCD":
        assert abs(golds.count(letter) / 4000 - 0.25) < 0.03  # over four standard deviations
    assert [problem.gold for problem in read_problem_rows("t", rows[::-1], OWN, seed=3)] == golds[::-1]
    assert [problem.gold for problem in read_problem_rows("t", rows, OWN, seed=4)] != golds


def test_the_public_benchmarks_read(shared_data):
    assert len(read_file_problems(str(shared_data / "gsm8k_test.jsonl"))) == 1319
    columns = ProblemColumns("problem", "answer", "unique_id", "subject", "level")
    math = read_file_problems(str(shared_data / "math500.jsonl"), columns)
    assert len(math) == 500
    assert {problem.level for problem in math} == {1, 2, 3, 4, 5}
