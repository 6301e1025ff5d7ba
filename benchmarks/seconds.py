"""The cost model `seconds` against timed batches that it was not fitted on, on vLLM.

    python benchmarks/seconds.py [--fitted 4 16 64] [--tried 8 32] [--problems 8] [--repeats 5]

A run of the lab's task is sampled in parts, each with another number of requests at once, and fitted as a profile. Then
batches at numbers of requests in between are timed: the solutions of one problem that start together, the verifications
of one solution that do, a whole GenRM allocation (solutions, then their verifications), and a stream of solutions of
all problems at a constant number at once. Their seeds are new. A repeat is the mean over the problems; the order
alternates between repeats. The prediction should be within 15 % of the median of the repeats, or within twice their
standard deviation if that is more; if that is more than 30 %, the machine is too noisy to say. Run it on a machine that
does nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any

from rich.console import Console
from rich.table import Table

from isocompute.planner.costs.seconds import (
    compute_latency,
    compute_machine_seconds,
    describe_load,
    fit_role_throughput,
)
from isocompute.planner.costs.usage import measure_usage
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.profile import Profile
from isocompute.runners import engines, prompts, tasks
from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.engines import Completion, Request, Sampling
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.seeds import derive_seed
from isocompute.runners.tasks import Problem

TOLERANCE = 0.15
NOISY = 0.3
"""Repeats whose allowed difference is a larger share of their median say nothing."""
ROUNDS = 6
"""Each fitted or streamed number of requests at once is held for about so many solutions."""
FEWEST = 64
"""Rows at each fitted or streamed number of requests at once, at least."""
OPTIONS = {"dtype": "bfloat16", "max_model_len": 512, "max_num_seqs": 256, "block_size": 32, "enforce_eager": True}


@dataclass
class HeldEngine:
    """An engine that stays loaded between sweeps, as some number of requests at once is set on it."""

    engine: Any

    def run(self, pending: deque[Request]) -> Any:
        """Run requests, see `Engine`."""
        return self.engine.run(pending)

    def close(self) -> None:
        """Do nothing: the engine is used again."""


@dataclass
class Timing:
    """A batch that is timed.

    Args:
        name: what it is.
        predicted: its seconds by the cost model.
        measure: runs it with the seeds of a repeat, and returns its seconds.
        repeats: the seconds measured.
    """

    name: str
    predicted: float
    measure: Callable[[int], float]
    repeats: list[float] = field(default_factory=list)

    @property
    def allowed(self) -> float:
        """The difference from the median that is allowed."""
        return max(TOLERANCE * statistics.median(self.repeats), 2 * statistics.stdev(self.repeats))


class Bench:
    """The engines, the problems and the prompts of the benchmark.

    Args:
        config: the sweep; its number of solutions is set for each part.
    """

    def __init__(self, config: Sweep) -> None:
        assert config.task is not None
        assert config.solver is not None
        assert config.verifier is not None
        self.config = config
        self.solver, self.verifier = config.solver, config.verifier
        self.problems: list[Problem] = list(tasks.load_task(config.task).problems)
        needs = {"solver": ("question",), "verifier": ("question", "solution")}
        self.texts = {role: prompts.load_prompt(part.prompt, needs=needs[role]) for role, part in self.roles.items()}
        self.held = {
            part.model: HeldEngine(engines.load_engine(config.engine, part.model, **part.options))
            for part in self.roles.values()
        }

    @property
    def roles(self) -> dict[str, ModelRole]:
        """The models by role."""
        return {"solver": self.solver, "verifier": self.verifier}

    def load(self, name: str, model: str, **options: object) -> HeldEngine:
        """Return a model's engine, which is loaded already."""
        return self.held[model]

    def hold(self, in_flight: int) -> None:
        """Set the number of requests at once, and empty the prefix caches."""
        for held in self.held.values():
            held.engine.in_flight = in_flight
            held.engine.llm.reset_prefix_cache()

    def sample(self, fitted: Sequence[int]) -> Profile:
        """Sample a run in parts of different numbers of requests at once, and fit it.

        Each number is used twice, the second time in reverse order, so that a machine that slows down does not decide.
        """
        solutions = 0
        for in_flight in (*fitted, *reversed(fitted)):
            self.hold(in_flight)
            solutions += ceil(max(FEWEST, ROUNDS * in_flight) / len(self.problems))
            counts = {"solutions": solutions, "verified": solutions, "verifications": 1}
            run_sweep(self.config.model_copy(update=counts), load=self.load)
        return estimate_run_profile(self.config.run, "timed")

    def build_requests(self, role: str, texts: Sequence[str], *words: object) -> list[Request]:
        """Return requests to a role's model, with seeds that depend on the words."""
        part = self.roles[role]
        sampling = Sampling(part.temperature, part.top_p, part.max_tokens, part.stop)
        return [
            Request((role, at), text, derive_seed("seconds", role, *words, at), sampling, part.chat)
            for at, text in enumerate(texts)
        ]

    def run_requests(self, role: str, requests: list[Request], in_flight: int) -> tuple[float, list[Completion]]:
        """Run requests and return the seconds until the last one is done, and what they wrote."""
        self.hold(in_flight)
        begun = time.perf_counter()
        done = [completion for _, completion in self.held[self.roles[role].model].run(deque(requests))]
        return time.perf_counter() - begun, done

    def time_solutions(self, n: int, repeat: int) -> float:
        """Return the mean seconds over problems until the last of n solutions that start together is done."""
        return statistics.mean(self.solve(problem, n, repeat)[0] for problem in self.problems)

    def solve(self, problem: Problem, n: int, repeat: int) -> tuple[float, list[str]]:
        """Return the seconds until the last of n solutions of a problem is done, and the solutions."""
        text = self.texts["solver"].fill(question=problem.question)
        requests = self.build_requests("solver", [text] * n, problem.problem_id, n, repeat)
        seconds, done = self.run_requests("solver", requests, n)
        return seconds, [completion.text or "" for completion in done]

    def time_genrm(self, S: int, V: int, repeat: int) -> float:
        """Return the mean seconds over problems until S solutions, and then V verifications of each, are done."""
        total = 0.0
        for problem in self.problems:
            seconds, solutions = self.solve(problem, S, repeat)
            texts = [
                self.texts["verifier"].fill(question=problem.question, solution=solution)
                for solution in solutions
                for _ in range(V)
            ]
            requests = self.build_requests("verifier", texts, problem.problem_id, S, V, repeat)
            total += seconds + self.run_requests("verifier", requests, S * V)[0]
        return total / len(self.problems)

    def time_stream(self, in_flight: int, repeat: int) -> float:
        """Return the seconds of the machine per solution, with a constant number of solutions at once."""
        each = ceil(max(FEWEST, ROUNDS * in_flight) / len(self.problems))
        asked = [self.texts["solver"].fill(question=p.question) for p in self.problems for _ in range(each)]
        requests = self.build_requests("solver", asked, "stream", in_flight, repeat)
        return self.run_requests("solver", requests, in_flight)[0] / len(requests)

    def list_timings(self, profile: Profile, tried: Sequence[int]) -> list[Timing]:
        """Return the batches to be timed, with their predictions."""
        usage = measure_usage(profile)

        def predict(S: int, V: int) -> float:
            return float(compute_latency(profile, usage, [S], [V], False)[0])

        timings = []
        for n in tried:
            timings.append(Timing(f"{n} solutions at once", predict(n, 0), partial(self.time_solutions, n)))
            S, V = max(1, n // 4), 4
            timings.append(Timing(f"GenRM S={S} V={V}", predict(S, V), partial(self.time_genrm, S, V)))
            machine = float(compute_machine_seconds(profile, usage["solver"], n).mean())
            timings.append(Timing(f"a solution of a stream, {n} at once", machine, partial(self.time_stream, n)))
        return timings


def print_timings(profile: Profile, timings: Sequence[Timing], args: argparse.Namespace) -> bool:
    """Print the predictions beside the medians, and return whether all are inside, without much noise."""
    console = Console()
    console.print(describe_load(profile))
    fitted = ", ".join(map(str, args.fitted))
    table = Table(title=f"fitted on {fitted} at once, {args.problems} problems, {args.repeats} repeats")
    for heading in ("batch", "predicted s", "median s", "range", "off", "allowed", "inside"):
        table.add_column(heading, justify="left" if heading == "batch" else "right")
    is_inside = True
    for timing in timings:
        median = statistics.median(timing.repeats)
        verdict = "yes" if abs(timing.predicted - median) <= timing.allowed else "no"
        verdict = "too noisy" if timing.allowed > NOISY * median else verdict
        is_inside &= verdict == "yes"
        table.add_row(
            timing.name,
            f"{timing.predicted:.4g}",
            f"{median:.4g}",
            f"{min(timing.repeats):.4g}–{max(timing.repeats):.4g}",
            f"{100 * (timing.predicted / median - 1):+.1f} %",
            f"±{100 * timing.allowed / median:.0f} %",
            verdict,
        )
    console.print(table)
    return is_inside


def compare_timings(bench: Bench, args: argparse.Namespace) -> bool:
    """Fit the model, time the batches, print both, and return whether all are within what is allowed."""
    bench.time_genrm(8, 4, -1)  # to warm up
    profile = bench.sample(args.fitted)
    if any(fit_role_throughput(profile.timings[role]) is None for role in bench.roles):
        sys.exit("too few numbers of requests at once for a fit; give more, or wider apart, to --fitted")
    timings = bench.list_timings(profile, args.tried)
    for repeat in range(args.repeats):
        for timing in timings if repeat % 2 == 0 else reversed(timings):
            timing.repeats.append(timing.measure(repeat))
    return print_timings(profile, timings, args)


def build_config(folder: str, problems: int) -> Sweep:
    """Return the sweep of the lab's task."""
    content: dict[str, Any] = {
        "run": f"{folder}/run",
        "task": {"name": "lab", "problems": problems, "seed": 11},
        "engine": "vllm",
        "solver": {"model": "data/lab/solver", "prompt": "lab-solve", "max_tokens": 200, "options": OPTIONS},
        "verifier": {"model": "data/lab/verifier", "prompt": "lab-verify", "max_tokens": 160, "options": OPTIONS},
        "solutions": 1,
        "verifications": 1,
    }
    return Sweep.model_validate(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fitted", type=int, nargs="+", default=[4, 16, 64], help="requests at once to fit on")
    parser.add_argument("--tried", type=int, nargs="+", default=[8, 32], help="requests at once to predict")
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    environment = {
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
    }
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(build_config(folder, args.problems))
        try:
            is_inside = compare_timings(bench, args)
        finally:
            for held in bench.held.values():
                held.engine.close()
    sys.exit(0 if is_inside else 1)


if __name__ == "__main__":
    main()
