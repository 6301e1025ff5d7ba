"""Trial sweep of some problems in memory, to measure token lengths and rates."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any
from uuid import uuid4

from isocompute.errors import EngineError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.cost.price import TokenLengths
from isocompute.runners.cost.token_stats import measure_token_lengths, name_searches
from isocompute.runners.engines import Engine, Request
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.scorers import Scorer
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SCORES_TABLE, SEARCHES_TABLE

SAMPLE_LIMITS = {"solutions": 16, "to_verify": 4, "verifications": 4}
"""The most rows that a trial samples of each problem; each kind of search is run with one seed."""


class ModelClock:
    """A loader of models that records when each model worked and how many completion tokens it returned."""

    def __init__(self) -> None:
        self.models: list[ClockedModel] = []

    def wrap_loader(self, load: Callable[..., Any]) -> Callable[..., Any]:
        """Return a loader that calls ``load`` and records the model's work."""

        def load_clocked_model(*model: Any, **options: Any) -> ClockedModel:
            self.models.append(ClockedModel(load(*model, **options)))
            return self.models[-1]

        return load_clocked_model

    @property
    def elapsed_seconds(self) -> float:
        """Seconds from the first request to the last answer of any model."""
        worked = [model for model in self.models if model.ended]
        return max(model.ended for model in worked) - min(model.begun for model in worked)


class ClockedModel:
    """A model whose work is timed."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.begun, self.ended, self.tokens = 0.0, 0.0, 0

    def run(self, pending: deque[Any]) -> Iterator[tuple[Any, Any]]:
        """Serve the queue, and record times and completion tokens."""
        self.begun = self.begun or time.perf_counter()
        for request, answer in self.model.run(pending):
            if isinstance(request, Request):
                self.tokens += answer.completion_tokens or 0
            self.ended = time.perf_counter()
            yield request, answer

    def close(self) -> None:
        """Free the memory."""
        self.model.close()

    @property
    def token_rate(self) -> float:
        """Completion tokens a second."""
        return self.tokens / (self.ended - self.begun)


def run_trial_sweep(
    config: Sweep, problems: Collection[str], load: Callable[..., Engine], load_scorer: Callable[..., Scorer]
) -> tuple[dict[str, TokenLengths], dict[str, float]]:
    """Run a sweep on some problems in memory: first sampling, then scoring, then the searches.

    Args:
        config: the sweep.
        problems: ids of the problems.
        load: returns the engine for an engine's name, a model and its options.
        load_scorer: returns the scorer for a scorer's kind, a model and its options.

    Returns:
        Mean tokens by role, and tokens a second by role, see `PriceEstimate`. Rates are lower than in the full sweep if
        so few requests do not fill the engine. Roles that share an engine share a rate, and so do all searches.

    Raises:
        EngineError: a model cannot be loaded, or a role got no row.
    """
    to_verify = min(config.to_verify, SAMPLE_LIMITS["to_verify"])
    solutions = min(config.solution_count, SAMPLE_LIMITS["solutions"])
    sampling = config.model_copy(
        update={
            "run": f"memory://isocompute-sample-{uuid4().hex}",
            "solutions": solutions,
            "verified": to_verify or None,
            "verifications": min(config.verifications, SAMPLE_LIMITS["verifications"]),
            "scored": 0,
            "searches": (),
        }
    )
    scoring = sampling.model_copy(update={"scored": min(config.scored, solutions)})
    single_seed_searches = tuple(search.model_copy(update={"seeds": 1}) for search in config.searches)
    searching = scoring.model_copy(update={"searches": single_seed_searches})
    stages = {"sampled": sampling}
    stages |= {"scored": scoring} if scoring.scored else {}
    stages |= {"searched": searching} if single_seed_searches else {}
    run, failed, clocks = Run(sampling.run), dict[str, int](), dict[str, ModelClock]()
    try:
        for stage, stage_config in stages.items():
            clocks[stage] = clock = ModelClock()
            summary = run_sweep(
                stage_config,
                load=clock.wrap_loader(load),
                load_scorer=clock.wrap_loader(load_scorer),
                only=problems,
                keep_going=True,
            )
            failed |= summary.failed
        token_lengths = measure_token_lengths(run, searching, "sample")
        scorer_tokens = run.read_frame(SCORES_TABLE, ["scorer_prompt_tokens"])["scorer_prompt_tokens"].sum()
        search_tokens = run.read_frame(SEARCHES_TABLE, ["generated_tokens"])["generated_tokens"].sum()
    finally:
        if run.fs.exists(run.root):
            run.fs.rm(run.root, recursive=True)
    samples_solutions = config.solutions_from is None
    requested = {
        "solver": samples_solutions,
        "verifier": to_verify,
        "scorer": scoring.scored,
        **dict.fromkeys(name_searches(searching), True),
    }
    if empty := [role for role, rows in requested.items() if rows and role not in token_lengths]:
        why = f": {next(iter(failed))}" if failed else ""
        raise EngineError(f"The sample of '{empty[0]}' produced no rows{why}.")
    models = clocks["sampled"].models  # empty if solutions are taken and no verifications are requested
    rates = {"solver": models[0].token_rate, "verifier": models[-1].token_rate} if models else {}
    if scoring.scored:
        rates["scorer"] = float(scorer_tokens) / clocks["scored"].elapsed_seconds
    if single_seed_searches:
        rates |= dict.fromkeys(name_searches(searching), float(search_tokens) / clocks["searched"].elapsed_seconds)
    return token_lengths, rates
