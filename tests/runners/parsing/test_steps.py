from __future__ import annotations

import random

import pytest

from isocompute.runners.parsing.steps import is_blank_step, split_steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a\n\nb", ("a\n\n", "b")),
        ("a\n\nb\n\n", ("a\n\n", "b\n\n")),
        ("\n\na\n\n \n\nb\n\n\n", ("\n\na\n\n", " \n\nb\n\n\n")),
        ("a", ("a",)),
        ("", ()),
        ("\n\n \n\n", ()),
    ],
)
def test_steps_say_something_and_joined_are_the_text(text, steps):
    assert split_steps(text, "\n\n") == steps


def test_whatever_the_text_no_step_is_blank_and_nothing_is_lost():
    rng = random.Random(0)
    for _ in range(500):
        text = "".join(rng.choice(["a", "\n", " ", "\n\n", "ки"]) for _ in range(rng.randint(0, 12)))
        for step in ("\n\n", "\n", "ки"):
            steps = split_steps(text, step)
            assert not any(is_blank_step(piece, step) for piece in steps)
            assert "".join(steps) == ("" if is_blank_step(text, step) else text)
