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
    assert cut_thinking(text, END, False) == visible


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("It is 7.\n", "It is 7."),
        ("", ""),
        ("<think>\nIt is 7", ""),  # it thinks, and ends its text by mistake
        (f"<think>\n\n{END}\n\nIt is 7.", "It is 7."),
    ],
)
def test_a_hybrid_model_that_ends_its_text_without_thinking_has_answered(text, visible):
    assert cut_thinking(text, END, True) == visible


CHANNELS = "<|channel|>analysis<|message|>3+4 is 8? 7.<|end|><|start|>assistant<|channel|>final<|message|>"


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        (f"{CHANNELS}It is 7.<|return|>", "It is 7."),
        (f"{CHANNELS}It is 7.", "It is 7."),
        (f"{CHANNELS}", ""),
        ("<|channel|>final <|constrain|>json<|message|>[7]<|return|>", "[7]"),
        ("<|start|>assistant<|channel|>commentary<|message|>Hm.<|end|>" + CHANNELS + "7<|end|>", "7"),
        ("analysisWe need 3+4.assistantfinalIt is 7.", "It is 7."),
        ("analysisWe need 3+4.assistantcommentaryHm.assistantfinal7", "7"),
        ("analysis\n3+4\nassistantfinal\n7", "7"),
        ("<think>Is it 8?</think>It is 7.", "It is 7."),
    ],
)
@pytest.mark.parametrize("end", [None, END, "<|channel|>final<|message|>"])
@pytest.mark.parametrize("is_ended", [True, False])
def test_the_final_channel_of_harmony_is_visible(text, visible, end, is_ended):
    assert cut_thinking(text, end, is_ended) == visible


def test_a_channel_before_the_final_one_is_visible_only_if_the_model_ended_in_it():
    text = "<|channel|>analysis<|message|>3+4 is 7"
    assert cut_thinking(text, None, True) == "3+4 is 7"
    assert cut_thinking(text, None, False) == ""
    assert cut_thinking(f"{CHANNELS}7<|end|>{text}", None, False) == ""


@pytest.mark.parametrize(
    "text", ["analysis of assistantfinal", "The analysisX assistantfinal word", "<|channel|>final 7"]
)
def test_words_that_only_resemble_channels_are_text(text):
    assert cut_thinking(text, None, True) == text


@given(st.text(), st.text().filter(lambda text: END not in text))
def test_thinking_is_cut_whatever_it_holds(thinking, said):
    assert cut_thinking(thinking + END + said, END, False) == said.strip()


@given(st.text())
def test_a_model_that_does_not_think_aloud_is_left_alone(text):
    assert cut_thinking(text, None, True) is text


@given(st.text())
def test_what_is_cut_has_no_thinking_to_cut(text):
    assert END not in cut_thinking(text, END, True)


@pytest.mark.timeout(60)  # milliseconds; hours, were it quadratic
def test_a_megabyte_of_ends_is_cut_in_linear_time():
    assert cut_thinking(END * 125_000 + "x", END, True) == "x"
    for text in ("<|channel|>" * 90_000, "<|channel|>" + "x" * 10**6, "analysis" + "assistantfina" * 80_000):
        assert cut_thinking(text, None, True) == text


@pytest.mark.parametrize("end", [None, "[/THINK]"])
def test_thinking_that_was_put_in_front_is_cut_without_a_setting(end):
    assert cut_thinking("<think>\\boxed{8}?</think>It is 7.", end, True) == "It is 7."
    assert cut_thinking("<think>Perhaps 8. But", end, False) == ""
    assert cut_thinking("analysisPerhaps 8. But", end, False) == ""
