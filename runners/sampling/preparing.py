"""Preparation of a sweep before its models are loaded: run, problems, prompts and manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from isocompute.errors import DataError, EngineError, RunError
from isocompute.runners import engines, grading, prompts, scorers, tasks
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.tasks import FileTask
from isocompute.runners.engines.registry import describe_missing_package
from isocompute.runners.grading import Grader
from isocompute.runners.prompts import Prompt
from isocompute.runners.sampling.served_sizes import collect_served_sizes, list_served_roles
from isocompute.runners.sampling.work_plan import check_generated_problems, check_work
from isocompute.runners.storage.manifest import build_manifest, check_run_compatibility, check_solver_compatibility
from isocompute.runners.storage.provenance import LOGGED_GRADER, read_grader_title
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, TABLES
from isocompute.runners.storage.taking import SourceSolutions, read_source_solutions
from isocompute.runners.tasks import Problem, Task


@dataclass(frozen=True)
class PreparedSweep:
    """Everything that a sweep needs except its models.

    Args:
        config: the sweep, bound to its source run if it has one.
        run: its run.
        problems: the problems.
        prompts: the prompts, by role.
        manifest: the manifest to be written.
        source: the problems and solutions of the source run; None if the sweep samples its own.
        served_sizes: parameter counts that servers report for their models, by role.
        grader: the grader of answers; the caller of `prepare_sweep` closes it.
    """

    config: Sweep
    run: Run
    problems: list[Problem]
    prompts: dict[str, Prompt]
    manifest: dict[str, Any]
    source: SourceSolutions | None
    served_sizes: dict[str, float]
    grader: Grader


def prepare_sweep(config: Sweep) -> PreparedSweep:
    """Load a sweep's problems, grader and prompts, and check them and its run. Nothing is written.

    Raises:
        ConfigError, DataError, EngineError, RunError: as `run_sweep`.
    """
    run = Run(config.run)
    if config.task is not None:
        check_generated_problems(config)
        task = tasks.load_task(config.task)
        return prepare_task(config, replace(task, grader=find_sweep_grader(config, run, task.grader)))
    source = read_source_solutions(config, run)
    config = config.bind_source_run(source.source_run)
    check_solver_compatibility(config)
    grader = load_sweep_grader(config, source.grader)
    origin = {"origin": source.origin, "grader": source.grader, "gold": source.gold}
    return prepare_models(config, source.problems, grader, origin, source)


def prepare_task(config: Sweep, task: Task) -> PreparedSweep:
    """Check the problems of a task, and prepare a sweep over them as `prepare_sweep` does.

    Args:
        config: the sweep, whose own task was loaded as ``task``.
        task: the problems, and the grader to use.

    Raises:
        ConfigError, DataError, EngineError, RunError: as `run_sweep`.
    """
    grader = grading.load_grader_by_name(task.grader)
    for problem in task.problems:
        check_gold_answer(problem, grader)
    return prepare_models(config, task.problems, grader, {"origin": task.origin, "grader": grader.title})


def prepare_models(
    config: Sweep,
    problems: list[Problem],
    grader: Grader,
    origin: dict[str, Any],
    source: SourceSolutions | None = None,
) -> PreparedSweep:
    """Load the prompts of a sweep, and check its models' folders and its run.

    Args:
        config: the sweep, bound to its source run if it has one.
        problems: its problems.
        grader: the grader of their answers.
        origin: what the manifest says of both.
        source: the problems and solutions of the source run.
    """
    run = Run(config.run)
    check_work(config, len(problems), run)
    texts = {} if config.solver is None else {"solver": prompts.load_prompt(config.solver.prompt, needs=("question",))}
    if config.verifier is not None:
        texts["verifier"] = prompts.load_prompt(config.verifier.prompt, needs=("question", "solution"))
    if config.revision_prompt is not None:
        texts["reviser"] = prompts.load_prompt(config.revision_prompt, needs=("question", "solution"))
    for role in (config.solver, config.verifier):
        if role is not None and engines.ENGINES[config.engine].is_local:
            engines.check_model_folder(role.model)  # fail now, not after solving
    if config.scorer is not None and config.scorer.model is not None and scorers.SCORERS[config.scorer.kind].format:
        engines.check_model_folder(config.scorer.model)
    served = collect_served_sizes(config, run)
    ready = PreparedSweep(
        config, run, problems, texts, build_manifest(config, texts, served=served, **origin), source, served, grader
    )
    check_existing_run(ready)
    return ready


def check_models(config: Sweep) -> None:
    """Raise unless all checkpoints of a sweep are complete, so that no fault appears only after hours of solving.

    Raises:
        EngineError: a model lacks weights or has some that are not finite, lacks the template of a chat, or the package
            that reads them is missing.
    """
    roles = (config.solver, config.verifier) if engines.ENGINES[config.engine].is_local else ()
    models: set[tuple[str, str, str | None]] = {(role.model, config.engine, None) for role in roles if role is not None}
    if (scorer := config.scorer) is not None and scorer.model is not None:
        entry = scorers.SCORERS[scorer.kind]
        if entry.format and engines.ENGINES[scorer.engine].is_local:
            models.add((scorer.model, scorer.engine, entry.head))
    if folders := [model for model in models if engines.is_checkpoint_folder(model[0])]:
        try:
            from isocompute.runners.engines.chat import check_chat_template
            from isocompute.runners.engines.whole import check_weights
            from isocompute.runners.scorers.heads import REWARD_MODEL_CLASSES
        except ImportError as error:
            first = min(engine for _, engine, _ in folders)
            message = describe_missing_package(f"The engine '{first}'", error, engines.ENGINES[first].extra)
            raise EngineError(message) from error

        for model, engine, head in folders:
            check_weights(model, engine, None if head is None else REWARD_MODEL_CLASSES[head])
        for model in sorted({role.model for role in roles if role is not None and role.chat}):
            if engines.is_checkpoint_folder(model):
                check_chat_template(model)


def check_existing_run(ready: PreparedSweep) -> None:
    """Raise unless the run can be resumed with this sweep, or its folder is free for a new run.

    Raises:
        RunError: the run was made by another configuration, took solutions that have changed since, has rows and no
            manifest, or its folder holds files that no run has.
    """
    run = ready.run
    if run.exists:
        check_run_compatibility(run, ready.config, ready.problems, ready.manifest, ready.grader)
        if ready.source is not None:
            ready.source.refuse_changed_rows(run)
            ready.source.find_missing_rows(run)  # raises if no more solutions can be taken
        return
    if rows := [table.name for table in (SOLUTIONS_TABLE, *TABLES.values()) if run.list_parts(table)]:
        raise RunError(
            f"The run at '{run.path}' has {rows[0]} but no manifest.json, so it is unknown how they were made; "
            "restore the manifest from a copy, or name another run."
        )
    if foreign := run.find_foreign_file():
        raise RunError(
            f"The folder '{run.path}' cannot become a run: it holds '{foreign}', which does not belong to a run; "
            "name an empty or new folder."
        )


def find_sweep_grader(config: Sweep, run: Run, suggested: str) -> str:
    """Return the name of the grader that a sweep uses: that of its run, if the sweep names none, or the task's own.

    Args:
        config: the sweep.
        run: its run.
        suggested: the task's grader, which may follow from the form of its right answers.

    Raises:
        RunError, DataError: the run cannot be read.
    """
    if is_grader_open(config) and run.exists:
        return read_grader_title(run).partition("/")[0]
    return suggested


def is_grader_open(config: Sweep) -> bool:
    """Return whether a sweep leaves its grader to the form of the right answers in a file."""
    return isinstance(config.task, FileTask) and config.task.grader is None and not config.task.choices


def check_gold_answer(problem: Problem, grader: Grader) -> None:
    """Raise unless the grader can read a problem's gold answer, if it has one. The run stores the gold as given.

    Raises:
        DataError: the grader cannot read it.
    """
    if problem.gold is not None and grader.normalise_answer(problem.gold) is None:
        raise DataError(
            f"The grader '{grader.name}' cannot read the right answer of '{problem.problem_id}' in {problem.task}."
        )


def load_sweep_grader(config: Sweep, title: str) -> Grader:
    """Return the grader with a name or title. Taken solutions are graded already, so only searches need a working one.

    Raises:
        ConfigError: it is unknown, or a package that it needs is missing.
        RunError: there are searches, and the installed grader is not the one that graded the taken solutions.
    """
    if config.source_run is None:
        return grading.load_grader_by_name(title)
    if not config.searches:
        return Grader(title.partition("/")[0], title, lambda text: None, lambda answer: answer)
    grader = None if title.startswith(f"{LOGGED_GRADER}/") else grading.load_grader_by_name(title)
    if grader is None or grader.title != title:
        raise RunError(
            f"The answers of '{config.source_run.run}' were read by {title}, but those of searches would be read by "
            f"{'a grader' if grader is None else grader.title}; grade that run again first: isocompute grade RUN."
        )
    return grader


def collect_sweep_notes(ready: PreparedSweep) -> Iterator[str]:
    """Yield notes for the user: missing or failed solutions of the source run, and unknown or reported model sizes."""
    config = ready.config
    if is_grader_open(config):
        yield (
            f"Answers are graded by {ready.grader.title}, which fits the right answers; to use another grader, set "
            "task.grader."
        )
    if ready.source is not None:
        taken = ready.source.source_run
        if ready.source.solutions is None:
            yield (
                f"The run at '{taken.run}' no longer exists; the sweep continues with the solutions that were taken "
                "from it."
            )
        if taken.failed:
            yield (
                f"{taken.failed:,} of the {taken.problems * taken.solutions:,} solutions of '{taken.run}' failed "
                "there; they count as failures here too."
            )
    for role in list_served_roles(config):
        subject = f"The size of the {role}'s model '{config.models[role]}' is"
        if role not in ready.manifest["parameters"]:
            yield f"{subject} unknown: the server does not report it; set '{role}.parameters'."
        elif role in ready.served_sizes:
            yield (
                f"{subject} {ready.served_sizes[role]:,.0f} parameters, as the server reports; if fewer are active per "
                f"token, as in a mixture of experts, set '{role}.parameters' to that number."
            )
