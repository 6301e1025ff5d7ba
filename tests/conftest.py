from __future__ import annotations

import os
import random
import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isocompute.runners.config import Sweep
from isocompute.runners.engines import Completion, Request
from isocompute.runners.sweep import sweep

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ISOCOMPUTE_SHARED_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture
def shared_data() -> Path:
    """The authors' own data, which is compared with and not copied into the project."""
    if not (SHARED / "published_grids.json").is_file():
        pytest.skip(f"no comparison data at {SHARED}")
    return SHARED


class ScriptedEngine:
    """A test double that keeps the `Engine` protocol: what it says is a function of prompt and seed.

    Called like `engines.load`, it gives itself. It remembers the models that were loaded and, for each call of
    `run`, the requests in the order in which they came.
    """

    def __init__(self, says: Callable[[str, int], str | Completion]) -> None:
        self.says = says
        self.models: list[str] = []
        self.runs: list[list[Request]] = []

    def __call__(self, name: str, model: str, **options: object) -> ScriptedEngine:
        self.models.append(model)
        return self

    @property
    def asked(self) -> list[Request]:
        return [request for run in self.runs for request in run]

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        self.runs.append([])
        while pending:
            request = pending.popleft()
            self.runs[-1].append(request)
            said = self.says(request.prompt, request.seed)
            if isinstance(said, str):
                said = Completion(said, len(request.prompt), None, len(said), "stop")
            yield request, said

    def close(self) -> None:
        pass


def lab_text(prompt: str, seed: int) -> str:
    """Solve a problem of the lab by chance, or judge a solution of it by chance, both better than blind."""
    rng = random.Random(seed)
    truth = int(re.search(r"Start with (\d+)", prompt)[1])
    for word, number in re.findall(r"(add|minus|times) (\d+)", prompt):
        truth = {"add": truth + int(number), "minus": truth - int(number), "times": truth * int(number)}[word]
    if not prompt.endswith("Verification:\n"):
        return rng.choice([f"\\boxed{{{truth}}}", f"\\boxed{{{truth + rng.randint(1, 2)}}}", "lost"])
    yes = rng.random() < (0.8 if f"\\boxed{{{truth}}}" in prompt else 0.3)
    return "no idea" if rng.random() < 0.1 else f"checked\nCorrect? {'Yes' if yes else 'No'}"


@pytest.fixture
def scripted():
    """Makes a `ScriptedEngine`; left alone, it speaks the lab's language."""
    return lambda says=lab_text: ScriptedEngine(says)


def small_sweep(folder: Path, **changes: object) -> Sweep:
    content = {
        "run": str(folder),
        "task": {"name": "lab", "problems": 4},
        "engine": "transformers",
        "solver": {"model": "scripted/solver", "prompt": "lab-solve"},
        "verifier": {"model": "scripted/verifier", "prompt": "lab-verify"},
        "solutions": 6,
        "verifications": 3,
    }
    return Sweep.model_validate(content | changes)


@pytest.fixture
def small(tmp_path):
    """Makes the configuration of a small sweep of the lab's task, with keys changed."""
    return lambda **changes: small_sweep(tmp_path / "run", **changes)


@pytest.fixture
def written_run(tmp_path):
    """A small run that is complete."""
    sweep(small_sweep(tmp_path / "run"), load=ScriptedEngine(lab_text))
    return tmp_path / "run"
