"""The steps of a solution, which a process reward model scores one by one."""

from __future__ import annotations


def split_steps(text: str, step: str) -> tuple[str, ...]:
    r"""Return a solution's steps, each with the delimiter that ends it; joined they are the text.

    A step is never blank: blanks between two delimiters begin the next step, and trailing blanks belong to the last
    one.

    Args:
        text: a solution, or the beginning of one.
        step: the delimiter that ends a step.

    >>> split_steps("2 + 2 = 4\n\n\n\nSo it is 4.\n\n", "\n\n")
    ('2 + 2 = 4\n\n', '\n\nSo it is 4.\n\n')
    >>> split_steps(" \n\n", "\n\n")
    ()
    """
    steps, pending = list[str](), ""
    *complete, rest = text.split(step)
    for piece in [*(part + step for part in complete), rest]:
        pending += piece
        if not is_blank_step(pending, step):
            steps.append(pending)
            pending = ""
    if pending and steps:
        steps[-1] += pending
    return tuple(steps)


def is_blank_step(text: str, step: str) -> bool:
    r"""Return whether a text consists of blanks and delimiters only.

    >>> is_blank_step("\n \n\n", "\n\n"), is_blank_step("Step 2:", "Step 2:"), is_blank_step("7", "\n\n")
    (True, True, False)
    """
    return not text.replace(step, "").strip()
