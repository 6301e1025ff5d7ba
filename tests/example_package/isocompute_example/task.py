"""A task that generates its problems: two numbers to add."""

import random
from typing import Literal

from isocompute.runners.config.base import Count
from isocompute.runners.config.tasks import TaskBlock, TaskEntry
from isocompute.runners.tasks import Problem, Task


class SumsTask(TaskBlock):
    """The block of a sweep file: ``task: {name: sums, problems: 20}``."""

    name: Literal["sums"]
    problems: Count = 10
    seed: int = 0


def load_sums(task):
    problems = []
    for i in range(task.problems):
        dice = random.Random(f"{task.seed}/{i}")  # so a longer list begins with the shorter one
        first, second = dice.randint(0, 99), dice.randint(0, 99)
        question = f"Add {first} and {second}."
        problems.append(Problem(f"sum-{i}", "sums", question, str(first + second), level=1 + i % 5))
    return Task(problems, "last-number", {"seed": task.seed})


SUMS = TaskEntry(
    "isocompute_example.task:SumsTask", "isocompute_example.task:load_sums", "last-number", "generated", "Apache-2.0"
)
