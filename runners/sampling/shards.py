"""Sweeps by several processes that write one run on a disk that they share, such as the tasks of an array job.

Each shard samples its part of the problems; a problem's part follows from its id and the seed. A shard that has ended
its part goes on with those whose own shards ended early or have not begun, one at a time, so the shards that live
finish the work of those that died.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from hashlib import blake2b

from isocompute.errors import ConfigError, RunError
from isocompute.runners import engines, scorers
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import Display, SilentDisplay
from isocompute.runners.engines import Engine
from isocompute.runners.sampling.preparing import (
    PreparedSweep,
    check_existing_run,
    check_models,
    collect_sweep_notes,
    prepare_sweep,
)
from isocompute.runners.sampling.sampler import Sampler, SweepSummary
from isocompute.runners.sampling.sweep import check_locked_run
from isocompute.runners.scorers import Scorer
from isocompute.runners.seeds import derive_seed
from isocompute.runners.storage.leases import LeaseInForceError
from isocompute.runners.storage.part_names import JOINED_FORMAT
from isocompute.runners.storage.schema import PROBLEMS_TABLE
from isocompute.runners.storage.sharing import LeaseSign, RunPart, SharedLock, share_run, stop_other_divisions
from isocompute.runners.tasks import Problem

WATCH_SECONDS = 5.0
"""Seconds between two looks at the parts of others, when everything else is done."""


@dataclass(frozen=True)
class Shard:
    """One of several processes that share a sweep.

    Args:
        number: its number, from 1.
        count: how many there are.
    """

    number: int
    count: int


def parse_shard(text: str) -> Shard:
    """Return the shard that ``I/N`` names.

    Raises:
        ConfigError: it is not of this form, or I is not from 1 to N.

    >>> parse_shard("3/8")
    Shard(number=3, count=8)
    """
    found = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text.strip(), re.ASCII)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(f"A shard is I/N with I from 1 to N, such as 3/8; got {text!r:.40}.")
    return Shard(int(found[1]), int(found[2]))


def assign_part(seed: int, problem: str, count: int) -> int:
    """Return which of ``count`` parts a problem belongs to, from 0.

    >>> [assign_part(0, f"lab-1-{i}", 3) for i in range(6)]
    [0, 2, 2, 2, 2, 1]
    """
    return derive_seed(seed, "shard", problem) % count


def run_shard(
    config: Sweep,
    shard: Shard,
    display: Display | None = None,
    load: Callable[..., Engine] = engines.load_engine,
    load_scorer: Callable[..., Scorer] = scorers.load_scorer,
    keep_going: bool = False,
) -> SweepSummary:
    """Sample a shard's part of what a run lacks, and then what other shards left; returns when nothing is left to do.

    Args:
        config: the sweep; every shard has the same.
        shard: which of the processes this is.
        display: where progress is shown; not shown if None.
        load: returns the engine for an engine's name, a model and its options.
        load_scorer: returns the scorer for a scorer's kind, a model and its options.
        keep_going: whether to go on even if none of the first answers can be read.

    Raises:
        ConfigError, DataError, EngineError, RunError: as `run_sweep`; also if shards of another number are at work, the
            run is in an object store, or this process could not renew its lease.
    """
    display = display or SilentDisplay()
    ready = prepare_sweep(config)
    run, config = ready.run, ready.config
    is_first = False

    def start_run() -> None:
        nonlocal is_first
        is_first = True
        write_beginning(ready, display)

    with ready.grader:
        check_models(config)
        with share_run(run, start_run) as lock:
            if not is_first:
                check_existing_run(ready)

            def sample_problems(problems: list[Problem]) -> SweepSummary:
                return Sampler(
                    config, run, problems, ready.prompts, ready.grader, display, load, load_scorer, ready.source,
                    keep_going,
                ).sample_missing_rows()  # fmt: skip

            with closing(SharedSweep(ready, shard, lock, display).claim_parts()) as parts:
                summaries = [sample_problems(problems) for problems in parts]
            failed = sum((Counter(summary.failed) for summary in summaries), Counter[str]())
            total = sample_problems([])  # samples nothing, and says what the whole run holds now
            return replace(
                total,
                sampled=sum(summary.sampled for summary in summaries),
                failed=dict(failed),
                empty_tables=summaries[-1].empty_tables if summaries else (),
            )


def write_beginning(ready: PreparedSweep, display: Display) -> None:
    """Write the manifest and the problems of a run, while no other process writes it."""
    run = ready.run
    manifest = check_locked_run(ready, display)
    run.write_manifest({**manifest, "format": JOINED_FORMAT})
    written = run.read_keys(PROBLEMS_TABLE)
    writer = run.open_writer(PROBLEMS_TABLE)
    writer.add_rows(vars(problem) for problem in ready.problems if (problem.problem_id,) not in written)
    writer.flush()
    for text in collect_sweep_notes(ready):
        display.note(text)


class SharedSweep:
    """The parts of a sweep, as one shard sees them.

    Args:
        ready: the prepared sweep.
        shard: which of the processes this is.
        lock: the lock of the run.
        display: where it is noted that a part of another shard is taken over.
    """

    def __init__(self, ready: PreparedSweep, shard: Shard, lock: SharedLock, display: Display) -> None:
        self.shard, self.run, self.lock, self.display = shard, ready.run, lock, display
        self.problems: dict[int, list[Problem]] = {}
        for problem in ready.problems:
            part = assign_part(ready.config.seed, problem.problem_id, shard.count)
            self.problems.setdefault(part, []).append(problem)
        self.sweep = ready.config.model_dump_json()

    def claim_parts(self) -> Generator[list[Problem], None, None]:
        """Yield the problems of one part after another, whose lease is held until the next is asked for.

        First comes the shard's own part, then those that are not finished and that no other process holds. A part that
        another process holds is watched until that process renews its lease, or loses it.

        Raises:
            RunError: shards of another number are at work.
        """
        own = self.shard.number - 1
        order = [(own + i) % self.shard.count for i in range(self.shard.count)]
        left = [number for number in order if number in self.problems]
        signs: dict[int, LeaseSign] = {}
        own_is_due = True
        while left:
            held = []
            for number in left:
                part = RunPart(self.run, number, self.shard.count)
                work = self.digest_work(number)
                if part.is_finished(work) and not (number == own and own_is_due):
                    continue
                with ExitStack() as stack:
                    try:
                        stack.enter_context(part.hold(self.lock))
                    except LeaseInForceError:
                        held.append(number)
                        continue
                    self.refuse_other_divisions()
                    own_is_due = own_is_due and number != own
                    if number != own:
                        self.display.note(
                            f"Part {number + 1} of {self.shard.count} is taken over: its shard has ended early, or has "
                            "not begun."
                        )
                    part.clear_marks()
                    yield self.problems[number]
                    part.mark_finished(work)
            now = {number: RunPart(self.run, number, self.shard.count).read_sign() for number in held}
            left = [number for number in held if not (now[number] and signs.get(number, now[number]) != now[number])]
            signs |= now
            if left:
                time.sleep(WATCH_SECONDS)

    def refuse_other_divisions(self) -> None:
        """Raise if shards of another number are at work.

        Raises:
            RunError: they are.
        """
        try:
            stop_other_divisions(self.run, self.shard.count)
        except LeaseInForceError:
            raise RunError(
                f"The run at '{self.run.path}' is being written by shards of another number than {self.shard.count}; "
                "start all with the same I/N, or wait for those."
            ) from None

    def digest_work(self, number: int) -> str:
        """Return a digest of what is to be done for a part, in whose name it is marked as finished."""
        names = [problem.problem_id for problem in self.problems[number]]
        return blake2b(repr((self.sweep, names)).encode(), digest_size=8).hexdigest()
