"""Wall time of searches here and in the usual loop, on the same trees.

    python benchmarks/search.py [--problems 32] [--n 64] [--strategies beam dvts] [--only ours|plain] [--repeats 1]

The loop does what huggingface/search-and-learn does (its commit 6f81cac): beam search on one problem at a time, DVTS
on 25, round by round; solver and scorer take turns, each idle while the other works; every step's text is put together
and tokenised again; the scorer computes every prefix in full, four at a time. Where that code would be slower for
other reasons, the loop does not follow it: its scorer is in the same vLLM, and not in transformers; it reads each
prefix once, without padding; the slots of finished candidates are not filled again; and its batches are divided among
the copies of the solver, if there are several.

Both sides use the same models in the same two engines, with empty caches, and the same rules, seeds and selection. So
the trees are the same except for rounding: the last bits of logits depend on the rest of the batch. The number of
searches with the same answer is printed. The order of the two sides alternates.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any, TypeVar

import psutil  # vLLM brings it
from rich.console import Console
from rich.table import Table

from isocompute.runners import engines, scorers
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import SilentDisplay
from isocompute.runners.engines import Completion, Request
from isocompute.runners.sampling.preparing import prepare_sweep
from isocompute.runners.scorers import ScoreRequest, ScoreResult
from isocompute.runners.scorers.formats.base import compute_logistic
from isocompute.runners.search.driver import Searcher
from isocompute.runners.search.expand import NodeCost, PendingNode
from isocompute.runners.search.tree import NodeOutcome, SearchTree
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.schema import SEARCHES_TABLE

Item = TypeVar("Item")

BOUND = 5.0
TOGETHER = {"beam": 1, "dvts": 25}
"""Problems that search-and-learn searches at once (its search_batch_size)."""
SCORED = 4
"""Solutions that its scorer reads at once (its prm_batch_size, for scorers of the lab's format)."""
OPTIONS = (
    '{"dtype": "bfloat16", "max_model_len": 512, "max_num_seqs": 1024, "block_size": 32, "enforce_eager": true, '
    '"distributed_executor_backend": "vllm.v1.executor.uniproc_executor.UniProcExecutor"}'
)
"""vLLM's scheduler and model in one process: in two, they wait for each other in loops that take a core each."""
ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # vLLM would bind both engines to the same core
    "OMP_NUM_THREADS": "1",
}
SAME = ("answer", "selected", "candidates", "generated_tokens")
TOKENS = (*SEARCHES_TABLE.tokens, "scorer_prompt_tokens", "scorer_cached_tokens")


@dataclass
class TimedModel:
    """A model that is kept open after a search, and the seconds in which it had work."""

    model: Any
    seconds: float = 0.0

    def run(self, pending: deque[Any]) -> Iterator[Any]:
        """Answer the queue, and time it."""
        answers, start = self.model.run(pending), time.perf_counter()
        for answer in answers:
            self.seconds += time.perf_counter() - start
            yield answer
            start = time.perf_counter()
        self.seconds += time.perf_counter() - start

    def close(self) -> None:
        """Stay open for the next measurement."""


@dataclass
class SearchMeasurement:
    """One side: wall time, CPU time, the wall time in which each model had work, and the searches' rows."""

    wall: float = 0.0
    cpu: float = 0.0
    solving: float = 0.0
    scoring: float = 0.0
    rows: dict[Any, dict[str, Any]] = field(default_factory=dict)

    @property
    def tokens(self) -> dict[str, int]:
        """The tokens of all searches."""
        return {name: sum(row[name] for row in self.rows.values()) for name in TOKENS}

    @property
    def accuracy(self) -> float:
        """The share of searches that select the right answer."""
        return statistics.fmean(row["correct"] for row in self.rows.values())


class SearchBenchmark:
    """The models, and the sweep that both sides run."""

    def __init__(self, config: Sweep) -> None:
        assert config.scorer is not None
        assert config.scorer.model is not None
        self.config, scorer = config, config.scorer
        self.solver: Any = engines.load_engine(config.engine, config.solver.model, **config.solver.options)
        self.solvers = getattr(self.solver, "copies", [self.solver])
        self.scorer: Any = scorers.load_scorer(scorer.kind, config.scorer.model, prompt=scorer.prompt, **scorer.options)

    @contextmanager
    def prepare_searcher(self, problems: int, solver: Any, scorer: Any) -> Iterator[Searcher]:
        """Prepare a search, with the models' caches empty."""
        with tempfile.TemporaryDirectory() as folder:
            task = self.config.task.model_copy(update={"problems": problems})
            config = self.config.model_copy(update={"run": f"{folder}/run", "task": task})
            ready = prepare_sweep(config)
            by_id = {problem.problem_id: problem for problem in ready.problems}
            for engine in (*self.solvers, self.scorer.host):
                engine.llm.reset_prefix_cache()
            with ready.grader as grader:
                yield Searcher(
                    config, ready.run, by_id, ready.prompts, grader, SilentDisplay(), lambda: (solver, scorer)
                )

    def ours(self, problems: int) -> SearchMeasurement:
        """Search as a sweep does, writing the log."""
        solver, scorer = TimedModel(self.solver), TimedModel(self.scorer)
        with self.prepare_searcher(problems, solver, scorer) as searcher:
            start, cpu = time.perf_counter(), measure_cpu_seconds()
            searcher.run_searches()
            wall, cpu = time.perf_counter() - start, measure_cpu_seconds() - cpu
            rows = searcher.run.read_table(SEARCHES_TABLE).to_pylist()
        return SearchMeasurement(wall, cpu, solver.seconds, scorer.seconds, {get_key(row): row for row in rows})

    def plain(self, problems: int) -> SearchMeasurement:
        """Search in the plain loop, without a log."""
        done = SearchMeasurement()
        with self.prepare_searcher(problems, self.solver, self.scorer) as searcher:
            start, cpu = time.perf_counter(), measure_cpu_seconds()
            expected = ExpectedRows(searcher.config, list(searcher.problems))
            for shape, keys in groupby(expected.enumerate_keys(SEARCHES_TABLE), lambda key: key[1:5]):
                for batch in split_batches(keys, TOGETHER[shape[0]]):
                    for row in self._run_searches(
                        [searcher.build_tree(key, {}, lambda rows: None) for key in batch], done
                    ):
                        done.rows[get_key(row)] = row
            done.wall, done.cpu = time.perf_counter() - start, measure_cpu_seconds() - cpu
        return done

    def _run_searches(self, trees: list[SearchTree], done: SearchMeasurement) -> list[dict[str, Any]]:
        """Run searches round by round: in each round all nodes are sampled first, then all are scored."""
        running = [(tree, search := tree.run(), next(search)) for tree in trees]
        rows = []
        while running:
            grown, further = self._run_round([(tree, node) for tree, _, nodes in running for node in nodes], done), []
            for tree, search, nodes in running:
                try:
                    further.append((tree, search, search.send({node.id: grown[node.key] for node in nodes})))
                except StopIteration as end:
                    rows.append(end.value)
            running = further
        return rows

    def _run_round(
        self, nodes: list[tuple[SearchTree, PendingNode]], done: SearchMeasurement
    ) -> dict[tuple[Any, ...], NodeOutcome]:
        grown: dict[tuple[Any, ...], NodeOutcome] = {}
        costs = {node.key: NodeCost() for _, node in nodes}
        growths = {node.key: tree.grow_node(node, costs[node.key]) for tree, node in nodes}
        pending = {key: next(growth) for key, growth in growths.items()}
        while pending:
            turn = {key: request for key, request in pending.items() if isinstance(request, Request)}
            start = time.perf_counter()
            if turn:
                answers: list[Any] = self._sample_batch(list(turn.values()))
                done.solving += time.perf_counter() - start
            else:
                turn = dict(pending)
                answers = [
                    score for batch in split_batches(turn.values(), SCORED) for score in self._score_batch(batch)
                ]
                done.scoring += time.perf_counter() - start
            for key, answer in zip(turn, answers, strict=True):
                try:
                    pending[key] = growths[key].send(answer)
                except StopIteration as end:
                    grown[key] = (end.value, costs[key], "ok")
                    del pending[key]
        return grown

    def _sample_batch(self, requests: list[Request]) -> list[Completion]:
        """Sample a batch from texts, divided among the copies of the solver."""
        from isocompute.runners.engines.vllm import build_sampling_params, read_vllm_completion

        def sample_share(solver: Any, requests: list[Request]) -> list[Completion]:
            texts = [request.prompt + request.written for request in requests]
            sampling = [build_sampling_params(request.sampling, request.seed) for request in requests]
            outputs = solver.llm.generate(texts, sampling, use_tqdm=False)
            return [
                read_vllm_completion(o, request.sampling.step) for o, request in zip(outputs, requests, strict=True)
            ]

        shares = list(split_batches(requests, -(-len(requests) // len(self.solvers))))
        with ThreadPoolExecutor() as threads:
            return [answer for answers in threads.map(sample_share, self.solvers, shares) for answer in answers]

    def _score_batch(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score the last steps of a batch, each prefix computed in full."""
        from isocompute.runners.scorers.vllm import read_margin

        scorer = self.scorer
        scorer.kind.text.tokenise_content.cache_clear()
        read = [
            scorer.kind.tokenise_steps(request.question, request.steps, request.known)[0].prefixes
            for request in requests
        ]
        prompts = [{"prompt_token_ids": list(prefix)} for (prefix,) in read]
        parameters = scorer.parameters.clone()
        parameters.skip_reading_prefix_cache = True
        outputs = scorer.host.llm.generate(prompts, parameters, use_tqdm=False)
        return [
            ScoreResult(
                (compute_logistic(read_margin(output, scorer.head)),),
                len(output.prompt_token_ids),
                output.num_cached_tokens,
                1,
            )
            for output in outputs
        ]


def measure_cpu_seconds() -> float:
    """Return the CPU seconds of this process and vLLM's so far; waiting in a loop counts."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def split_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of ``size`` items; the last one may be shorter."""
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])


def get_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in SEARCHES_TABLE.key_names)


COLUMNS = ("side", "wall s", "CPU s", "solving", "tok/s", "scoring", "read/s", "solver hit", "scorer hit", "right")


def print_report(measured: Sequence[dict[str, SearchMeasurement]]) -> None:
    table = Table(title="time in total, and with work for each model; tokens per second of wall time", box=None)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "side" else "right", no_wrap=True)
    for pair in measured:
        for name, side in pair.items():
            seconds = [f"{value:.1f}" for value in (side.wall, side.cpu, side.solving, side.scoring)]
            prompt, cached, sampled, scored, known = side.tokens.values()
            solved = [seconds[2], f"{sampled / side.wall:,.0f}"]
            judged = [seconds[3], f"{scored / side.wall:,.0f}"]
            shares = [f"{share:.0%}" for share in (cached / prompt, known / scored, side.accuracy)]
            table.add_row(name, *seconds[:2], *solved, *judged, *shares)
    console = Console()
    console.print(table)
    pairs = [pair for pair in measured if len(pair) == 2]
    if pairs:
        ratios = [pair["plain"].wall / pair["ours"].wall for pair in pairs]
        middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
        console.print(f"{middle:.2f} times faster ({low:.2f}–{high:.2f}, {len(ratios)} pairs); bound ≥ {BOUND:.0f}")
        ours, plain = (pairs[0][name].rows for name in ("ours", "plain"))
        same = Counter(name for key in ours for name in SAME if ours[key][name] == plain[key][name])
        console.print("the same in both: " + ", ".join(f"{name} {same[name]} of {len(ours)}" for name in SAME))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--n", type=int, default=64, help="slots of a search")
    parser.add_argument("--strategies", nargs="+", choices=tuple(TOGETHER), default=list(TOGETHER))
    parser.add_argument("--repeats", type=int, default=1, help="pairs")
    parser.add_argument("--replicas", type=int, default=2, help="copies of the solver, in both sides")
    parser.add_argument("--only", choices=("ours", "plain"), help="measure one side")
    parser.add_argument("--options", default=OPTIONS, help="further arguments of vLLM, as JSON")
    args = parser.parse_args()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    options = json.loads(args.options)
    bench = SearchBenchmark(
        Sweep.model_validate(
            {
                "run": "one for each side",
                "task": {"name": "lab", "problems": args.problems, "seed": 1},
                "engine": "vllm",
                "solver": {"model": "data/lab/solver", "prompt": "lab-solve", "temperature": 0.8, "max_tokens": 200,
                           "options": options | {"replicas": args.replicas}},
                "solutions": 1,
                "scorer": {"kind": "lab", "model": "data/lab/prm", "aggregate": "prod", "options": options},
                "step": "\n",
                "searches": [{"strategy": name, "n": args.n} for name in args.strategies],
            }
        )
    )  # fmt: skip
    sides = {name: getattr(bench, name) for name in ("plain", "ours") if args.only in (None, name)}
    for side in sides.values():
        side(1)  # to warm up
    measured = []
    for i in range(args.repeats):
        order = list(sides) if i % 2 == 0 else list(sides)[::-1]
        measured.append({name: sides[name](args.problems) for name in order})
    print_report(measured)


if __name__ == "__main__":
    main()
