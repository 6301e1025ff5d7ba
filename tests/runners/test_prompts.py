from __future__ import annotations

import pytest

from isocompute.errors import ConfigError
from isocompute.runners import prompts
from isocompute.runners.prompts import Prompt


@pytest.mark.parametrize("name", prompts.names())
def test_every_bundled_prompt_has_the_places_of_its_role(name):
    needs = ("question",) if name.endswith("-solve") else ("question", "solution")
    prompt = prompts.load(name, needs=needs)
    filled = prompt.fill(question="2+2?", solution="4")
    assert all(text in filled for text in ("2+2?", "4")[: len(needs)])


def test_braces_that_are_no_places_stay():
    text = prompts.load("math-solve", needs=("question",)).fill(question="What is {solution}?")
    assert "\\boxed{}" in text
    assert "What is {solution}?" in text


def test_a_hash_is_of_the_text_and_not_of_the_name():
    assert Prompt("a", "Q: {question}").hash == Prompt("b", "Q: {question}").hash
    assert Prompt("a", "Q: {question}").hash != Prompt("a", "Q:  {question}").hash


def test_a_prompt_may_be_a_file(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("Q: {question}")
    assert prompts.load(str(path), needs=("question",)).template == "Q: {question}"
    with pytest.raises(ConfigError) as caught:
        prompts.load(str(path), needs=("question", "solution"))
    assert str(caught.value) == f"The prompt '{path}' has no place {{solution}}."


@pytest.mark.parametrize("name", ["lab-solv", "", "no/such/file.txt"])
def test_a_prompt_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(ConfigError) as caught:
        prompts.load(name, needs=())
    assert str(caught.value) == (
        f"The prompt '{name}' is no file and none of: genrm-base, lab-solve, lab-verify, math-solve."
    )
