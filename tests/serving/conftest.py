from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from isocompute.planner.budget import Budget
from isocompute.planner.profile import Profile, read_profile
from isocompute.runners.tasks import make_lab_problems
from isocompute.serving.approach import SolveRequest

ROLE = {"parameters": 860416, "options": {"urls": ["http://localhost:1/v1"]}}

CONFIG = {
    "engine": "openai",
    "solver": {**ROLE, "model": "solver", "prompt": "lab-solve", "max_tokens": 200},
    "verifier": {**ROLE, "model": "verifier", "prompt": "lab-verify", "max_tokens": 160},
    "grader": "boxed-number",
}
"""Models behind a server that no test asks: a scripted engine takes its place."""


@pytest.fixture(scope="session")
def lab_profile() -> Profile:
    return read_profile("lab-both-small")


@pytest.fixture
def question_file(tmp_path) -> Callable[..., Path]:
    """Writes a file of the lab's problems: every second one has its right answer."""

    def write(count: int = 8, name: str = "questions.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "question", "answer"])
            for i, problem in enumerate(make_lab_problems(count, [1, 2, 3, 4], seed=77)):
                rows.writerow([problem.problem_id, problem.question, problem.gold if i % 2 else ""])
        return path

    return write


@pytest.fixture
def ask(tmp_path, question_file, lab_profile) -> Callable[..., SolveRequest]:
    """Makes requests for answers."""

    def make(budget: str = "8x", run: str = "run", **changes: object) -> SolveRequest:
        path = changes.pop("questions", None) or question_file()
        settings = {"config": CONFIG, "profile": lab_profile} | changes
        return SolveRequest(questions=path, run=str(tmp_path / run), budget=Budget.parse(budget), **settings)

    return make
