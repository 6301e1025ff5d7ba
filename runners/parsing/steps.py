"""A solution as steps: what a process reward model scores one by one."""

from __future__ import annotations


def split_steps(text: str, step: str) -> tuple[str, ...]:
    r"""Return a solution's steps, each with the delimiter that ends it; joined they are the text.

    A step says something: blanks between two delimiters begin the next step, blanks behind the last one belong to it.

    Args:
        text: a solution, or the beginning of one.
        step: what ends a step.

    >>> split_steps("2 + 2 = 4\n\n\n\nSo it is 4.\n\n", "\n\n")
    ('2 + 2 = 4\n\n', '\n\nSo it is 4.\n\n')
    >>> split_steps(" \n\n", "\n\n")
    ()
    """
    steps, begun = list[str](), ""
    *whole, rest = text.split(step)
    for piece in [*(part + step for part in whole), rest]:
        begun += piece
        if not is_blank_step(begun, step):
            steps.append(begun)
            begun = ""
    if begun and steps:
        steps[-1] += begun
    return tuple(steps)


def is_blank_step(text: str, step: str) -> bool:
    r"""Whether a text says nothing: blanks and delimiters alone.

    >>> is_blank_step("\n \n\n", "\n\n"), is_blank_step("Step 2:", "Step 2:"), is_blank_step("7", "\n\n")
    (True, True, False)
    """
    return not text.replace(step, "").strip()
