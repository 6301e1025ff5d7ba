"""Tasks: problems from benchmarks on the hub, generators, the lab and your own files."""

from isocompute.runners.tasks.catalogue import Task, list_generators, list_tasks, load_task
from isocompute.runners.tasks.files import read_file_problems
from isocompute.runners.tasks.gym import make_gym_problems
from isocompute.runners.tasks.hub import read_hub_problems
from isocompute.runners.tasks.lab import make_lab_problems
from isocompute.runners.tasks.problem import Problem, ProblemColumns

__all__ = [
    "Problem",
    "ProblemColumns",
    "Task",
    "list_generators",
    "list_tasks",
    "load_task",
    "make_gym_problems",
    "make_lab_problems",
    "read_file_problems",
    "read_hub_problems",
]
