"""What is asked: benchmarks from the hub, generators, the lab, and files of one's own."""

from isocompute.runners.tasks.catalogue import Task, generators, list_tasks, load
from isocompute.runners.tasks.files import file_problems
from isocompute.runners.tasks.gym import gym_problems
from isocompute.runners.tasks.hub import hub_problems
from isocompute.runners.tasks.lab import lab_problems
from isocompute.runners.tasks.problem import Columns, Problem

__all__ = [
    "Columns",
    "Problem",
    "Task",
    "file_problems",
    "generators",
    "gym_problems",
    "hub_problems",
    "lab_problems",
    "list_tasks",
    "load",
]
