from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocompute.runners.parsing.thinking import cut_thinking

END = "</think>"


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        (f"<think>\n3+4 is 7\n{END}\n\nIt is \\boxed{{7}}.\n", "It is \\boxed{7}."),
        (f"3+4 is 7\n{END}\n\nIt is 7.", "It is 7."),  # the template had opened it
        (f"a{END}b{END}c", "c"),
        (f"<think>a{END}b<think>c", "b<think>c"),
        (f"a{END}", ""),
        (f"a{END}\n\n", ""),
        ("<think>\n3+4 is", ""),
        ("It is 7.", ""),
        ("", ""),
        ("a</THINK>b", ""),
    ],
)
def test_what_comes_after_the_last_end_of_thinking_is_visible(text, visible):
    assert cut_thinking(text, END) == visible


@given(st.text(), st.text().filter(lambda text: END not in text))
def test_thinking_is_cut_whatever_it_holds(thinking, said):
    assert cut_thinking(thinking + END + said, END) == said.strip()


@given(st.text())
def test_a_model_that_does_not_think_aloud_is_left_alone(text):
    assert cut_thinking(text, None) is text


@given(st.text())
def test_what_is_cut_has_no_thinking_to_cut(text):
    assert END not in cut_thinking(text, END)


@pytest.mark.timeout(60)  # milliseconds; hours, were it quadratic
def test_a_megabyte_of_ends_is_cut_in_linear_time():
    assert cut_thinking(END * 125_000 + "x", END) == "x"
