"""The main function of a sweep: it samples, scores and searches whatever its run lacks."""

from __future__ import annotations

from collections.abc import Callable, Collection

from isocompute.runners import engines, scorers
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import Display, SilentDisplay
from isocompute.runners.engines import Engine
from isocompute.runners.sampling.preparing import check_existing_run, check_models, collect_sweep_notes, prepare_sweep
from isocompute.runners.sampling.sampler import Sampler, SweepSummary
from isocompute.runners.scorers import Scorer
from isocompute.runners.storage.check import set_aside_stray_judgements
from isocompute.runners.storage.manifest import extract_kept_provenance


def run_sweep(
    config: Sweep,
    display: Display | None = None,
    load: Callable[..., Engine] = engines.load_engine,
    load_scorer: Callable[..., Scorer] = scorers.load_scorer,
    only: Collection[str] | None = None,
    keep_going: bool = False,
) -> SweepSummary:
    """Sample the rows that a run lacks; a sweep may be restarted any number of times.

    Args:
        config: the sweep.
        display: where progress is shown; not shown if None.
        load: returns the engine for an engine's name, a model and its options.
        load_scorer: returns the scorer for a scorer's kind, a model and its options.
        only: ids of the problems to sample; all if None.
        keep_going: whether to go on even if none of the first answers can be read.

    Raises:
        ConfigError, DataError: the task or a prompt is wrong.
        EngineError: a model cannot be loaded, or none of its first answers can be read.
        RunError: the run was made by another configuration, or another process is writing it.
    """
    display = display or SilentDisplay()
    ready = prepare_sweep(config)
    config, run, problems, texts, manifest = ready.config, ready.run, ready.problems, ready.prompts, ready.manifest
    with ready.grader as grader:
        check_models(config)
        with run.lock() as lock:
            if not lock.is_guarded:
                display.note(
                    f"The run at '{run.path}' cannot be locked, because its store cannot keep a second writer out. "
                    "Do not start another sweep of it before this one has ended."
                )
            check_existing_run(ready)  # again: another process may have begun it since
            for stray in set_aside_stray_judgements(run) if run.exists else ():
                display.note(f"Set aside from {stray.path}: {stray.what}.")
            run.write_manifest(manifest | (extract_kept_provenance(run) if run.exists else {}))
            for text in collect_sweep_notes(ready):
                display.note(text)
            problems = [problem for problem in problems if only is None or problem.problem_id in only]
            return Sampler(
                config, run, problems, texts, grader, display, load, load_scorer, ready.source, keep_going
            ).sample_missing_rows()
