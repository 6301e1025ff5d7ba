"""An engine for the tests of clusters, as a package of its own: it burns no CPU, and dies or hangs on request.

What it says is a function of prompt and seed, in the language of the lab, so its rows are the same wherever it runs. A
folder ``deadly`` holds files that are named after seeds: the process that is asked for one of these dies. Of a folder
``hanging`` the first process that is asked removes the file and hangs: with ``stop`` in the file all of it, else its
engine alone.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from isocompute.errors import EngineError
from isocompute.runners.engines import Completion, EngineEntry, Request
from isocompute.runners.scorers import ScoreRequest, ScoreResult
from isocompute.runners.scorers.registry import ScorerEntry


class DoubleEngine:
    """A test double that answers ``in_flight`` requests at a time, after ``seconds``.

    With ``gpus`` it refuses to be loaded unless it was given so many, on this node or as workers of Ray.
    """

    def __init__(
        self,
        model: str,
        seconds: float = 0.005,
        in_flight: int = 4,
        deadly: str = "",
        hanging: str = "",
        broken: bool = False,
        gpus: int = 0,
        distributed_executor_backend: str = "",
    ) -> None:
        if broken:
            raise EngineError(f"The model '{model}' is broken.")
        if gpus and count_given_gpus(distributed_executor_backend) != gpus:
            raise EngineError(f"The model needs {gpus} GPUs and got {count_given_gpus(distributed_executor_backend)}.")
        self.seconds, self.in_flight, self.deadly, self.hanging = seconds, in_flight, deadly, hanging

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        while pending:
            batch = [pending.popleft() for _ in range(min(self.in_flight, len(pending)))]
            time.sleep(self.seconds)
            for request in batch:
                if self.deadly and (Path(self.deadly) / str(request.seed)).exists():
                    os._exit(1)
                if self.hanging:
                    hang_if_asked(Path(self.hanging) / str(request.seed))
                yield request, answer_request(request)

    def close(self) -> None:
        pass


def hang_if_asked(file: Path) -> None:
    """Hang if there is a file, and remove it before, so that the next process answers."""
    if file.exists():
        how = file.read_text()
        file.unlink()
        if how == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(3600)


class DoubleScorer(DoubleEngine):
    """A test double that scores steps by their texts."""

    def run(self, pending: deque[ScoreRequest]) -> Iterator[tuple[ScoreRequest, ScoreResult]]:
        while pending:
            request = pending.popleft()
            time.sleep(self.seconds)
            scores = tuple((1 + sum(map(ord, step)) % 9) / 10 for step in request.new_steps)
            yield request, ScoreResult(scores, len("".join(request.steps)), 0, 1)


def count_given_gpus(backend: str) -> int:
    """Count the GPUs that Ray gave: those that this process sees, or those of a placement group over nodes."""
    if backend == "ray":
        from ray.util import get_current_placement_group

        return int(sum(bundle["GPU"] for bundle in get_current_placement_group().bundle_specs))
    return len(list(filter(None, os.environ.get("CUDA_VISIBLE_DEVICES", "").split(","))))


def answer_request(request: Request) -> Completion:
    """Answer a problem of the lab, a step of it, or a question for a verdict, by chance."""
    rng = random.Random(request.seed)
    truth = int(re.search(r"Start with (\d+)", request.prompt)[1])
    for word, number in re.findall(r"(add|minus|times) (\d+)", request.prompt):
        truth = {"add": truth + int(number), "minus": truth - int(number), "times": truth * int(number)}[word]
    reason = "stop"
    if request.prompt.endswith("Verification:\n"):
        text = f"checked\nCorrect? {'Yes' if rng.random() < 0.6 else 'No'}"
    elif request.sampling.step and rng.random() < 0.6:
        text, reason = f"step {rng.randint(0, 3)}", "step"
    else:
        text = f"\\boxed{{{truth + rng.choice([0, 0, 1])}}}"
    ids = tuple(map(ord, text + (request.sampling.step if reason == "step" else "$")))
    return Completion(text, len(request.prompt), None, len(ids), reason, token_ids=ids)


ENGINE = EngineEntry(
    "double_engine:DoubleEngine",
    "a test double",
    is_local=False,
    free_options=frozenset({"seconds", "in_flight", "deadly", "hanging", "broken", "gpus"}),
)
SCORER = ScorerEntry("a test double", loader="double_engine:DoubleScorer", engines=())
