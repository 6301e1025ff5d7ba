"""Problems from the lab's generator that its models were not trained on."""

from __future__ import annotations

import random
from collections.abc import Sequence

from isocompute.errors import ConfigError
from isocompute.runners.tasks import lab_generator as lab
from isocompute.runners.tasks.problem import Problem


def make_lab_problems(count: int, levels: list[int], seed: int) -> list[Problem]:
    """Generate distinct held-out problems of the lab, spread evenly over the levels.

    A shorter list is the beginning of a longer one.

    Raises:
        ConfigError: a level is unknown or repeated, or there are fewer different problems.

    >>> [p.problem_id for p in make_lab_problems(3, [1, 5], seed=0)]
    ['lab-0-1-0', 'lab-0-5-0', 'lab-0-1-1']
    """
    if wrong := [level for level in levels if level not in lab.LAB_LEVELS]:
        raise ConfigError(
            f"task.levels: the lab has no level {wrong[0]}; it has {', '.join(map(str, lab.LAB_LEVELS))}."
        )
    if len(set(levels)) < len(levels):
        raise ConfigError(f"task.levels: a level appears twice in {levels}.")
    streams = {level: random.Random(f"lab/{seed}/{level}") for level in levels}
    problems: list[Problem] = []
    seen: set[str] = set()
    for i in range(count):
        level = levels[i % len(levels)]
        problem = draw_unseen_problem(level, streams[level], seen)
        seen.add(problem.question)
        name = f"lab-{seed}-{level}-{i // len(levels)}"
        problems.append(Problem(name, "lab", problem.question, str(problem.answer), "arithmetic", level))
    return problems


def draw_unseen_problem(level: int, rng: random.Random, seen: set[str]) -> lab.LabProblem:
    """Draw a held-out problem of a level whose question is not in ``seen``.

    Raises:
        ConfigError: a hundred thousand draws gave none.
    """
    for _ in range(100_000):
        problem = lab.sample_lab_problem(level, rng)
        if problem.question not in seen and lab.is_held_out(problem):
            return problem
    raise ConfigError(
        f"task.problems: level {level} of the lab does not have that many different problems; request fewer."
    )


def grade_lab_steps(question: str, steps: Sequence[str]) -> list[bool] | None:
    """Return whether each step of a solution is right, given the steps before it; None if the question is no lab's.

    So a slip counts against one step only, and right steps that go on from it are right.

    Args:
        question: the problem.
        steps: the lines of the solution, each with or without the line break that ends it.

    >>> steps = ["47+38: 6,8 = 86\\n", "86*6: 6,1,5 = 516\\n", "\\\\boxed{516}"]
    >>> grade_lab_steps("Start with 47, add 38, times 6.", steps)
    [False, True, True]
    """
    if (problem := lab.parse_lab_question(question)) is None:
        return None
    lines = [step.removesuffix("\n") for step in steps]
    expected = lab.derive_expected_lines(problem, "\n".join(lines))
    if len(expected) != len(lines):  # a step that holds a line break is none of the lab's
        return None
    return [line == right != "" for line, right in zip(lines, expected, strict=True)]
