from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given as having
from hypothesis import strategies as st

from isocompute.errors import ConfigError, DataError
from isocompute.runners import grading
from isocompute.runners.grading import AnswerClasses, load_grader_by_name
from isocompute.runners.grading.canonical import normalise_exact_answer, normalise_math_answer, normalise_numeric_answer
from isocompute.runners.grading.extraction import (
    LONGEST_SHORT_ANSWER,
    extract_final_answer,
    extract_stated_answer,
)
from isocompute.runners.grading.letters import extract_choice_letter, parse_choice_letter
from isocompute.runners.storage.provenance import read_grader_title
from isocompute.runners.storage.run import Run

MEGABYTE = 1_000_000
LAB_RUN = Path(__file__).resolve().parents[3] / "data" / "runs" / "lab"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 5.", "5"),
        ("the final answer is: $\\frac{1}{2}$. I hope it is correct.", "$\\frac{1}{2}$"),
        ("**Answer:** x = 3", "x = 3"),
        ("Answer: 1\nno, wait\nAnswer: 2\n", "2"),
        ("The answer to the question is 3.14 metres.", "3.14 metres"),
        ("So 5.", None),
        ("Answer:", None),
        ("answer " * 50, None),
        ("The answer is " + "9" * (LONGEST_SHORT_ANSWER + 1), None),
    ],
)
def test_a_stated_answer_is_the_rest_of_its_sentence_and_the_last_one_counts(text, answer):
    assert extract_stated_answer(text) == answer


def test_a_box_counts_before_what_is_stated():
    assert extract_final_answer(r"The answer is 3. No: \boxed{4}. The answer is 5.") == "4"
    assert extract_final_answer(r"The answer is 3. \boxed{4") == "3"


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        (r"\boxed{C}", "C"),
        (r"\boxed{\text{(C)}}", "C"),
        (r"\boxed{\textbf{c}}", "C"),
        (r"\boxed{\text{C) Paris}}", "C"),
        (r"\boxed{12}", None),
        ("Answer: C", "C"),
        ("**Answer: (J)**", "J"),
        ("The correct answer is **D**.", "D"),
        ("The answer is A because it must be.", "A"),
        ("The answer is A good question.", None),
        ("The answer is a prime.", None),
        ("Answer: I think not", None),
        ("Answer: Because", None),
        ("All of these.\n(B)\n", "B"),
        ("Answer: K", "K"),
        ("Answer: C\nNo.\nAnswer: D", "D"),
        ("", None),
    ],
)
def test_a_letter_is_read_where_it_is_chosen(text, chosen):
    assert extract_choice_letter(text) == chosen


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\boxed{\$1,234.50}", "2469/2"),
        ("#### 1,000", "1000"),
        ("12 + 3 = 15\n#### 15\n", "15"),
        ("The answer is 7 apples.", "7"),
        ("first 3, then -4.5", "-9/2"),
        ("3/4 of it", "3/4"),
        (r"\boxed{.5}", "1/2"),
        ("x2 and v1.2.3", None),
        ("none", None),
    ],
)
def test_a_number_is_read_whatever_stands_around_it(text, value):
    assert load_grader_by_name("numeric").extract_answer(text) == value


def test_an_exact_answer_keeps_its_case_and_loses_blanks_only():
    grader = load_grader_by_name("exact")
    assert grader.extract_answer("\\boxed{ New \n York }") == "New York"
    assert grader.extract_answer("\\boxed{new york}") == "new york"


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        (r"\dfrac{14}{4}", "7/2"),
        (r"-\frac{-3}{6}", "1/2"),
        (r"\frac{1}{0}", r"\frac{1}{0}"),
        (r"10,\!080", "10080"),
        (r"$58,500$.", "58500"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3, \frac{\pi}{2})"),
        (r"\(x\)", "x"),
        (r"\displaystyle .5", ".5"),
        ("\u202e1/2\u202c", "1/2"),
        ("1\x00", "1"),
        ("\ud800x\udfff", "x"),
        ("9" * 1001, None),
        ("", None),
        ("\u200b$ $", None),
    ],
)
def test_the_mathematical_form_loses_what_concerns_looks(answer, form):
    assert normalise_math_answer(answer) == form


PIECES = st.lists(
    st.sampled_from(
        ["\\frac{1}{2}", "\\left(", "\\right)", "$", "\\,", "\\!", "{", "}", "1", "0", ",", ".", " ", "x", "\\", "a",
         "-", "\\text{a}", "\u202e", "\ud800", "\\(", "\\)", "é", "e\u0301", "/", "\\dfrac", "%", "^\\circ"]
    ),
    max_size=12,
)  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [normalise_math_answer, normalise_numeric_answer, normalise_exact_answer, parse_choice_letter],
    ids=lambda f: f.__name__,
)
@having(pieces=PIECES)
def test_a_canonical_form_is_its_own(form, pieces):
    once = form("".join(pieces))
    assert once is None or form(once) == once


@having(text=st.text(st.characters(), max_size=30))
def test_a_mathematical_form_can_be_written_down_and_seen(text):
    form = normalise_math_answer(text)
    assert form is None or (form.encode().decode() == form and form.replace(" ", "").isprintable())


@pytest.mark.timeout(60)  # a fraction of a second; hours, were it quadratic
@pytest.mark.parametrize("name", grading.GRADERS)
@pytest.mark.parametrize(
    "piece",
    ["answer ", "answer is ", "answer:", "\\boxed{", "{", "####", "\n#### 1", "1,", "1.1", "9", "(A)", "A\n", "$", " "],
)  # fmt: skip
def test_a_megabyte_is_read_in_linear_time(name, piece):
    grader = load_grader_by_name(name)
    grader.extract_answer(piece * (MEGABYTE // len(piece)))
    grader.normalise_answer(piece * (MEGABYTE // len(piece)))


def test_a_grader_is_loaded_by_name_or_title_and_an_unknown_one_is_refused_with_those_there_are():
    assert load_grader_by_name("boxed-number/1").title == "boxed-number/1"
    assert {load_grader_by_name(name).name for name in grading.GRADERS} == set(grading.GRADERS)
    with pytest.raises(ConfigError, match="The grader 'maths' is unknown; there are: boxed-number, math, letter"):
        load_grader_by_name("maths")


def test_a_grader_whose_package_is_missing_says_what_to_install(monkeypatch):
    def missing(name):
        raise grading.graders.PackageNotFoundError(name)

    monkeypatch.setattr(grading.graders, "version", missing)
    with pytest.raises(ConfigError, match=r"pip install 'isocompute\[math\]'"):
        load_grader_by_name("math")


def test_a_grader_loads_no_parser_before_it_is_needed():
    code = (
        "import sys; from isocompute.runners.grading import load_grader_by_name; "
        "load_grader_by_name('math'); print(*sys.modules)"
    )
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path
    ).stdout.split()
    assert "isocompute.runners.grading.comparison_process" in loaded
    assert {"sympy", "math_verify", "latex2sympy2_extended", "pandas", "pyarrow"} & set(loaded) == set()


def test_the_lab_is_graded_as_ever():
    grader = load_grader_by_name("boxed-number")
    assert grader.title == read_grader_title(Run(LAB_RUN)), "else the shipped run could not be continued"
    for text in [r"\boxed{ 0.50 }", r"\boxed{Paris.}", "the answer is 3", r"\boxed{1/0}", r"\boxed{}"]:
        assert grader.extract_answer(text) == grading.extract_lab_answer(text)


def test_a_right_answer_that_the_grader_cannot_read_is_refused():
    with pytest.raises(DataError, match="'letter' cannot read the right answer '42'"):
        AnswerClasses(load_grader_by_name("letter"), "42")
