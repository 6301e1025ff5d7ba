from __future__ import annotations

import pytest

from isocompute.runners.grading import extract_boxed_answer, extract_lab_answer, normalise_lab_answer

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("answers", "form"),
    [
        (["7", "+7", "7.", "7.0", "007", "14/2", " $7$ ", "21/3"], "7"),
        (["0", "-0", "0.00", "0/5"], "0"),
        (["1/2", "0.5", "2/4", "0.50"], "1/2"),
        (["-3/2", "-1.5"], "-3/2"),
        (["1234567", "1,234,567"], "1234567"),
        (["Paris", " paris. ", "PARIS"], "paris"),
        (["12,34"], "12,34"),
        (["1/0"], "1/0"),
        (["50%"], "50%"),
        (["x+x"], "x+x"),
    ],
)
def test_equal_answers_have_one_form(answers, form):
    assert {normalise_lab_answer(answer) for answer in answers} == {form}


@pytest.mark.parametrize("answer", ["1.50", "Paris.", "$8$", "-4/6", "½"])
def test_a_canonical_form_is_its_own(answer):
    assert normalise_lab_answer(normalise_lab_answer(answer)) == normalise_lab_answer(answer)


@pytest.mark.parametrize("answer", ["", "  ", "$", "$$", ".", "9" * 201])
def test_an_answer_that_says_nothing_is_none(answer):
    assert normalise_lab_answer(answer) is None


def test_numbers_are_exact():
    assert normalise_lab_answer("0.1") != normalise_lab_answer("0.1000000000000000000001")
    assert normalise_lab_answer("123456789012345678901") != normalise_lab_answer("123456789012345678902")


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (r"\boxed{1} no, \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}} and so on}", r"\frac{1}{2}"),
        (r"\boxed{}", ""),
        (r"\boxed{1", None),
        (r"\boxed 1", None),
        ("42", None),
    ],
)
def test_the_last_box_counts_with_its_braces_balanced(text, inside):
    assert extract_boxed_answer(text) == inside


@pytest.mark.timeout(60)  # milliseconds; hours, were it quadratic
@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{" + "{" * 10_000 + "}" * 10_001,
        r"\boxed{" * 100_000,
        r"\boxed{" + "9" * MEGABYTE + "}",
        "\\boxed{" + " " * MEGABYTE + "}",
        "{" * MEGABYTE,
    ],
    ids=["nested", "boxes", "digits", "blanks", "open"],
)
def test_a_hostile_solution_has_no_answer(text):
    assert extract_lab_answer(text) is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text", ["9**9**9", "1e999999999", "10^{10^{10}}", "__import__('os').abort()", "factorial(10**9)", "1/2/3"]
)
def test_an_answer_is_never_evaluated(text):
    assert extract_lab_answer(f"\\boxed{{{text}}}") == text
