"""Tests that every task must pass."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from isocompute.runners import grading, tasks
from isocompute.runners.config.tasks import read_task_block
from isocompute.runners.tasks import Task


class TaskSuite:
    """Tests of a task.

    Attributes:
        counts: ascending numbers of problems; the task has at least the last.
    """

    counts: ClassVar[tuple[int, ...]] = (3, 10)

    def make_block(self) -> dict[str, Any]:
        """Return the task's block in a sweep file, without ``problems``."""
        raise NotImplementedError

    def load(self, problems: int) -> Task:
        """Load the task with a number of problems."""
        return tasks.load_task(read_task_block({**self.make_block(), "problems": problems}))

    def test_the_first_problems_of_a_longer_list_are_those_of_a_shorter_one(self) -> None:
        longest = self.load(self.counts[-1]).problems
        for count in self.counts:
            found = self.load(count).problems
            assert len(found) == count
            assert found == longest[:count]

    def test_every_problem_has_a_name_of_its_own_and_a_question(self) -> None:
        problems = self.load(self.counts[-1]).problems
        assert len({problem.problem_id for problem in problems}) == len(problems)
        assert all(problem.problem_id.strip() and problem.question.strip() for problem in problems)

    def test_its_grader_can_read_every_right_answer(self) -> None:
        task = self.load(self.counts[-1])
        with grading.load_grader_by_name(task.grader) as grader:
            assert all(
                problem.gold is not None and grader.normalise_answer(problem.gold) is not None
                for problem in task.problems
            )

    def test_its_origin_can_be_written_into_a_manifest(self) -> None:
        origin = self.load(self.counts[0]).origin
        assert json.loads(json.dumps(origin)) == origin
