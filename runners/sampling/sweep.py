"""The main function of a sweep: it samples, scores and searches whatever its run lacks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

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
from isocompute.runners.scorers import Scorer
from isocompute.runners.seeds import derive_seed
from isocompute.runners.storage.building import remove_unsampled_run
from isocompute.runners.storage.check import set_aside_stray_judgements
from isocompute.runners.storage.manifest import extract_kept_provenance
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE
from isocompute.runners.tasks import Problem

FIRST_BATCH = 20
"""The number of problems after which a sweep with a rule to stop is looked at first."""
STOPPED_KEY = "stopped"
"""The key of a manifest under which the reason stands for which a sweep stopped before its last problem."""


def run_sweep(
    config: Sweep,
    display: Display | None = None,
    load: Callable[..., Engine] = engines.load_engine,
    load_scorer: Callable[..., Scorer] = scorers.load_scorer,
    only: Collection[str] | None = None,
    keep_going: bool = False,
    should_stop: Callable[[Run], str | None] | None = None,
) -> SweepSummary:
    """Sample the rows that a run lacks; a sweep may be restarted any number of times.

    Args:
        config: the sweep.
        display: where progress is shown; not shown if None.
        load: returns the engine for an engine's name, a model and its options.
        load_scorer: returns the scorer for a scorer's kind, a model and its options.
        only: ids of the problems to sample; all if None.
        keep_going: whether to go on even if none of the first answers can be read.
        should_stop: function that is called with the run after each of `list_batch_sizes` and returns a reason to stop,
            or None. Problems are then sampled in a random order of their own; those that were not begun are left out
            of the run, and the manifest holds the reason as ``stopped``. Each batch loads its models again.

    Raises:
        ConfigError, DataError: the task or a prompt is wrong.
        EngineError: a model cannot be loaded, or none of its first answers can be read.
        RunError: the run was made by another configuration, or another process is writing it.
    """
    display = display or SilentDisplay()
    ready = prepare_sweep(config)
    config, run = ready.config, ready.run
    with lock_sampled_run(ready, display) as manifest:
        problems = [problem for problem in ready.problems if only is None or problem.problem_id in only]
        sampled, failed = 0, Counter[str]()
        for batch in [problems] if should_stop is None else list_batches(config, run, problems):
            summary = Sampler(
                config, run, batch, ready.prompts, ready.grader, display, load, load_scorer, ready.source, keep_going
            ).sample_missing_rows()
            sampled, failed = sampled + summary.sampled, failed + Counter(summary.failed)
            if should_stop is not None and (reason := should_stop(run)) is not None:
                run.write_manifest(manifest | {STOPPED_KEY: reason})
                summary = replace(summary, stopped=reason)
                break
        return replace(summary, sampled=sampled, failed=dict(failed))


@contextmanager
def lock_sampled_run(ready: PreparedSweep, display: Display) -> Iterator[dict[str, Any]]:
    """Lock the run of a prepared sweep for sampling, check its models and rows, and write its manifest.

    Yields:
        The manifest. At the end the run is unlocked, and the grader is closed. If the work fails before the first row
            of a new run, the run is removed.

    Raises:
        EngineError: a model is incomplete.
        RunError: the run was made by another configuration, or another process is writing it.
        DataError: the run is damaged.
    """
    run = ready.run
    with ready.grader:
        check_models(ready.config)
        with run.lock() as lock:
            if not lock.is_guarded:
                display.note(
                    f"The run at '{run.path}' cannot be locked, because its store cannot keep a second writer out. "
                    "Do not start another sweep of it before this one has ended."
                )
            manifest = check_locked_run(ready, display)
            with remove_unsampled_run(run):
                run.write_manifest(manifest)
                for text in collect_sweep_notes(ready):
                    display.note(text)
                yield manifest


def check_locked_run(ready: PreparedSweep, display: Display) -> dict[str, Any]:
    """Check the run of a prepared sweep, set aside what does not belong to it, and return the manifest to be written.

    Raises:
        RunError: the run was made by another configuration.
        DataError: the run is damaged.
    """
    run = ready.run
    check_existing_run(ready)  # again: another process may have begun it since
    for stray in set_aside_stray_judgements(run) if run.exists else ():
        display.note(f"Set aside from {stray.path}: {stray.what}.")
    return ready.manifest | (extract_kept_provenance(run) if run.exists else {})


def list_batches(config: Sweep, run: Run, problems: list[Problem]) -> list[list[Problem]]:
    """List growing batches of the problems in a random order: those that the run has begun, then by their ids' seeds.

    A problem's place does not depend on the order of the data, which may be by difficulty.
    """
    begun = run.read_keys(PROBLEMS_TABLE)
    order = sorted(
        problems, key=lambda each: ((each.problem_id,) not in begun, derive_seed(config.seed, "order", each.problem_id))
    )
    return [order[:size] for size in list_batch_sizes(len(order))]


def list_batch_sizes(problems: int) -> list[int]:
    """List the numbers of problems after which a sweep may stop: `FIRST_BATCH`, then half as many more each time.

    >>> list_batch_sizes(100)
    [20, 30, 45, 68, 100]
    """
    sizes = [FIRST_BATCH]
    while sizes[-1] < problems:
        sizes.append(math.ceil(1.5 * sizes[-1]))
    return [*sizes[:-1], problems]
