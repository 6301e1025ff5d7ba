"""Searches on the lab's models in vLLM: what a run says they took is what vLLM itself counted, to the token."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from isocompute.runners import engines, scorers
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SCORES_TABLE, SEARCHES_TABLE, SOLUTIONS_TABLE

pytestmark = pytest.mark.soak  # two engines side by side: minutes on two cores

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"
OPTIONS = {
    "dtype": "float32",
    "max_model_len": 512,
    "max_num_seqs": 64,
    "block_size": 32,
    "enforce_eager": True,
    "disable_log_stats": False,
}


class Counting:
    """Stands where vLLM's loggers of statistics do, and adds up what the scheduler and the outputs report."""

    def __init__(self, host):
        self.seen = Counter()
        host.engine.logger_manager = SimpleNamespace(record=self.record, log=lambda: None)

    def record(self, scheduler_stats, iteration_stats, **_):
        if scheduler_stats is not None and scheduler_stats.prefix_cache_stats is not None:
            cache = scheduler_stats.prefix_cache_stats
            self.seen.update(requests=cache.requests, read=cache.queries, cached=cache.hits)
            assert cache.preempted_requests == 0
        if iteration_stats is not None:
            self.seen.update(sampled=iteration_stats.num_generation_tokens, prompts=iteration_stats.num_prompt_tokens)


@pytest.fixture(scope="module")
def counted(need, tmp_path_factory):
    """A run with solutions, scores and searches; and what vLLM counted of the solver and of the scorer."""
    need("vllm")
    counts = []

    def load(load, host, *names, **options):
        model = load(*names, **options)
        counts.append(Counting(host(model)))
        return model

    role = {"model": str(LAB / "solver"), "prompt": "lab-solve", "temperature": 0.8, "max_tokens": 120}
    config = Sweep.model_validate(
        {
            "run": str(tmp_path_factory.mktemp("counted") / "run"),
            "task": {"name": "lab", "problems": 4, "seed": 1},
            "engine": "vllm",
            "solver": {**role, "options": OPTIONS},
            "scorer": {"kind": "lab", "model": str(LAB / "prm"), "options": OPTIONS},
            "step": "\n",
            "solutions": 4,
            "scored": 3,
            "searches": [
                {"strategy": "beam", "n": [4, 16]},
                {"strategy": "dvts", "n": 4, "width": 2, "lookahead": 1, "seeds": 2},
                {"strategy": "particle", "n": 4, "rounds": 3},
                {"strategy": "revise", "n": 4, "width": 2},
            ],
        }
    )
    run_sweep(
        config,
        load=partial(load, engines.load_engine, lambda engine: engine),
        load_scorer=partial(load, scorers.load_scorer, lambda scorer: scorer.host),
    )
    names = ("solving", "scoring", "searching", "judging")
    return Run(config.run), dict(zip(names, (count.seen for count in counts), strict=True))


def sums(run, table):
    frame = run.read_frame(table)
    assert set(frame["status"]) == {"ok"}
    return frame.select_dtypes("number").sum()


def test_solutions_have_the_tokens_that_vllm_counted(counted):
    run, seen = counted
    took, vllm = sums(run, SOLUTIONS_TABLE), seen["solving"]
    assert took["prompt_tokens"] == vllm["read"] == vllm["prompts"]
    assert took["cached_tokens"] == vllm["cached"]
    assert took["completion_tokens"] == vllm["sampled"]


def test_scores_have_the_tokens_that_vllm_counted(counted):
    run, seen = counted
    took, vllm = sums(run, SCORES_TABLE), seen["scoring"]
    assert took["scorer_prompt_tokens"] == vllm["read"] == vllm["prompts"]
    assert took["scorer_cached_tokens"] == vllm["cached"] > 0
    assert took["scorer_calls"] == vllm["requests"]


def test_nodes_have_the_tokens_that_vllm_counted(counted):
    run, seen = counted
    took, solver, scorer = sums(run, NODES_TABLE), seen["searching"], seen["judging"]
    assert took["prompt_tokens"] == solver["read"] == solver["prompts"]
    assert took["cached_tokens"] == solver["cached"] > 0
    assert took["completion_tokens"] + took["lookahead_tokens"] == solver["sampled"]
    assert took["lookahead_tokens"] > 0
    assert took["scorer_prompt_tokens"] == scorer["read"] == scorer["prompts"]
    assert took["scorer_cached_tokens"] == scorer["cached"] > 0
    assert took["scorer_calls"] == scorer["requests"]


def test_searches_have_the_tokens_of_their_nodes(counted):
    run, _ = counted
    nodes, searches = sums(run, NODES_TABLE), sums(run, SEARCHES_TABLE)
    assert searches["prompt_tokens"] == nodes["prompt_tokens"]
    assert searches["cached_tokens"] == nodes["cached_tokens"]
    assert searches["generated_tokens"] == nodes["completion_tokens"] + nodes["lookahead_tokens"]
    assert searches["scorer_prompt_tokens"] == nodes["scorer_prompt_tokens"]
    assert searches["scorer_cached_tokens"] == nodes["scorer_cached_tokens"]
    assert searches["scorer_calls"] == nodes["scorer_calls"]
