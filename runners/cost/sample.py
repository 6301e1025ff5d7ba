"""Some of a sweep's problems sampled in memory: how long are rows, and how fast do they come?"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any
from uuid import uuid4

from isocompute.errors import EngineError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.cost.price import Lengths
from isocompute.runners.cost.token_stats import lengths, names
from isocompute.runners.engines import Engine, Request
from isocompute.runners.sampling.sweep import sweep
from isocompute.runners.scorers import Scorer
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SCORES, SEARCHES

MOST = {"solutions": 16, "to_verify": 4, "verifications": 4}
"""What a trial asks for at most of each of its problems; and each kind of search once."""


class Clock:
    """Loads models, and keeps when each one worked, and how many completion tokens came."""

    def __init__(self) -> None:
        self.models: list[Timed] = []

    def times(self, load: Callable[..., Any]) -> Callable[..., Any]:
        """Return what loads a model as ``load`` does, under this clock."""

        def timed(*model: Any, **options: Any) -> Timed:
            self.models.append(Timed(load(*model, **options)))
            return self.models[-1]

        return timed

    @property
    def seconds(self) -> float:
        """From the first model's first request to the last one's last answer."""
        worked = [model for model in self.models if model.ended]
        return max(model.ended for model in worked) - min(model.begun for model in worked)


class Timed:
    """A model under a clock."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.begun, self.ended, self.tokens = 0.0, 0.0, 0

    def run(self, pending: deque[Any]) -> Iterator[tuple[Any, Any]]:
        """Work the queue off."""
        self.begun = self.begun or time.perf_counter()
        for request, answer in self.model.run(pending):
            if isinstance(request, Request):
                self.tokens += answer.completion_tokens or 0
            self.ended = time.perf_counter()
            yield request, answer

    def close(self) -> None:
        """Give back the memory."""
        self.model.close()

    @property
    def rate(self) -> float:
        """Completion tokens a second."""
        return self.tokens / (self.ended - self.begun)


def trial(
    config: Sweep, problems: Collection[str], load: Callable[..., Engine], load_scorer: Callable[..., Scorer]
) -> tuple[dict[str, Lengths], dict[str, float]]:
    """Sweep some of a sweep's problems in memory: first what is sampled, then what is scored, then what is searched.

    Args:
        config: the sweep.
        problems: their ids.
        load: what turns an engine's name, a model and its options into an engine.
        load_scorer: what turns a scorer's kind, a model and its options into a scorer.

    Returns:
        By role, mean tokens; and tokens a second, see `Price`: fewer than later, if so few requests leave room in the
        engine. One engine in both roles has one rate, and so have all searches.

    Raises:
        EngineError: a model cannot be loaded, or no row of a role came.
    """
    to_verify = min(config.to_verify, MOST["to_verify"])
    solutions = min(config.asked_solutions, MOST["solutions"])
    sampling = config.model_copy(
        update={
            "run": f"memory://isocompute-sample-{uuid4().hex}",
            "solutions": solutions,
            "verified": to_verify or None,
            "verifications": min(config.verifications, MOST["verifications"]),
            "scored": 0,
            "searches": (),
        }
    )
    scoring = sampling.model_copy(update={"scored": min(config.scored, solutions)})
    once = tuple(search.model_copy(update={"seeds": 1}) for search in config.searches)
    searching = scoring.model_copy(update={"searches": once})
    stages = {"sampled": sampling}
    stages |= {"scored": scoring} if scoring.scored else {}
    stages |= {"searched": searching} if once else {}
    run, failed, clocks = Run(sampling.run), dict[str, int](), dict[str, Clock]()
    try:
        for stage, wanted in stages.items():
            clocks[stage] = clock = Clock()
            summary = sweep(wanted, load=clock.times(load), load_scorer=clock.times(load_scorer), only=problems)
            failed |= summary.failed
        found = lengths(run, searching, "sample")
        read = run.frame(SCORES, ["scorer_prompt_tokens"])["scorer_prompt_tokens"].sum()
        written = run.frame(SEARCHES, ["generated_tokens"])["generated_tokens"].sum()
    finally:
        if run.fs.exists(run.root):
            run.fs.rm(run.root, recursive=True)
    solved = config.solutions_from is None
    asked = {"solver": solved, "verifier": to_verify, "scorer": scoring.scored, **dict.fromkeys(names(searching), True)}
    if empty := [role for role, rows in asked.items() if rows and role not in found]:
        why = f": {next(iter(failed))}" if failed else ""
        raise EngineError(f"The sample of '{empty[0]}' came to no row{why}.")
    models = clocks["sampled"].models  # none, if solutions are taken and none are verified
    rates = {"solver": models[0].rate, "verifier": models[-1].rate} if models else {}
    if scoring.scored:
        rates["scorer"] = float(read) / clocks["scored"].seconds
    if once:
        rates |= dict.fromkeys(names(searching), float(written) / clocks["searched"].seconds)
    return found, rates
