"""The file that carries out a plan's advice: of a sweep, or of a policy."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any

import yaml

from isocompute.errors import ConfigError, DataError
from isocompute.planner.budget import format_compute
from isocompute.planner.plan import Plan
from isocompute.planner.policies.comparison import digest_problems
from isocompute.planner.policies.policy_file import LearntOn, MeasuredPolicy, PolicyFile, write_policy_file
from isocompute.planner.profile import ModelRecord, Profile
from isocompute.planner.strategies.registry import is_known_strategy
from isocompute.runners.config.sweep_reading import build_sweep
from isocompute.runners.config.tasks import FileTask
from isocompute.runners.storage.files import check_output_path, has_file, write_output
from isocompute.serving.fixed_allocation import FixedStrategy, build_fixed_sweep
from isocompute.serving.sampling_settings import read_config_settings, read_profile_settings
from isocompute.terminal import make_printable

TO_FILL_IN = "TO FILL IN"
"""Stands in a written sweep file for what the profile does not know."""

QUESTIONS_FILE, RUN_FOLDER = "questions.csv", "runs/questions"
"""The file of problems and the run that a written sweep file names."""


def write_advice(plan: Plan, profile: Profile, path: str | os.PathLike[str]) -> None:
    """Write what carries out a plan: the sweep file of its recommendation, or its most accurate policy.

    A file that exists is never overwritten.

    Args:
        plan: the plan.
        profile: the profile that it was made from.
        path: a sweep file, in .yaml or .yml, or a policy file, in .json.

    Raises:
        ConfigError: the ending is another, the recommendation cannot be sampled by a sweep, or no policy was measured.
        DataError: the file exists already, or cannot be written.
    """
    place, best = os.fspath(path), plan.recommendation
    ending = PurePosixPath(place).suffix.lower()
    if ending not in (".yaml", ".yml", ".json"):
        raise ConfigError(
            f"'{place}' must end in .yaml, for the sweep file of {best.strategy} {best.settings}, or in .json, for a "
            "policy file."
        )
    check_output_path(place)
    if has_file(place):
        raise DataError(f"'{place}' exists already and is not overwritten; name another file.")
    if ending == ".json":
        write_policy_file(build_plan_policy(plan, profile), place)
        return
    if not is_known_strategy(best.strategy):
        raise ConfigError(f"The strategy {best.strategy} is of another package, and no sweep file carries it out.")
    write_output(place, build_sweep_text(plan, profile).encode())


def build_plan_policy(plan: Plan, profile: Profile) -> PolicyFile:
    """Return the policy file of the most accurate rule that a plan shows, as the profile measured it.

    Raises:
        ConfigError: the profile has no rule within the plan's budget.
    """
    if not plan.policies:
        raise ConfigError(
            f"The profile '{profile.name}' has no policy within {format_compute(plan.budget)}; fit its run again, or "
            "choose a larger budget."
        )
    option = plan.policies[0]
    sampling = profile.sampling or {}
    return PolicyFile(
        rule=option.rule,
        parameter=option.parameter,
        threshold=option.threshold,
        solutions=option.limit,
        full_solutions=option.most_solutions,
        verifications=option.most_verifications,
        lam=plan.lam if option.most_verifications else None,
        cost_model=plan.costs.model if plan.costs is not None else "tokens",
        grader=sampling.get("grader"),
        models=profile.models,
        answer_model=None if option.answer_model is None else dict(option.answer_model),
        learnt_on=LearntOn(
            run=profile.name,
            problems=profile.problems,
            digest=digest_problems(profile),
            solutions=option.most_solutions,
            verifications=option.most_verifications,
        ),
        measured=MeasuredPolicy(
            accuracy=option.measured_accuracy,
            compute=option.compute,
            compute_interval=option.compute_interval,
            percentile_95=option.percentile_95,
            solutions=option.solutions,
            verifications=option.verifications,
        ),
    )


def build_sweep_text(plan: Plan, profile: Profile) -> str:
    """Return the content of the sweep file, with comments that say what it is and what to change."""
    best = plan.recommendation
    fixed = FixedStrategy(best.strategy, best.numbers)
    known = profile.sampling is not None
    settings = read_profile_settings(profile) if known else read_config_settings(build_template(profile))
    content = build_fixed_sweep(settings, fixed, RUN_FOLDER, FileTask(path=QUESTIONS_FILE), 0)
    if settings.grader is not None:
        content["task"] = {**content["task"], "grader": settings.grader}
    content = build_sweep(content).model_dump(mode="json", exclude_defaults=True)
    lines = [
        f"{best.strategy} {best.settings}, for {format_compute(best.compute)} a problem, as planned at "
        f"{format_compute(plan.budget)} from the profile '{profile.name}'.",
        "'run' and 'task' are yours to set: the file has the columns question and answer.",
        *(
            []
            if known
            else [f"Fill in every {TO_FILL_IN}. Engine, scorer kind and settings are guesses: the profile has none."]
        ),
        "isocompute sweep THIS samples it; isocompute solve QUESTIONS --config THIS answers questions with its models.",
    ]
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return "".join(f"# {' '.join(make_printable(line, keep='').split())}\n" for line in lines) + text


def build_template(profile: Profile) -> dict[str, Any]:
    """Return settings for a profile that does not hold them: what is known of its models, and marks for the rest."""

    def describe_role(model: ModelRecord | None) -> dict[str, Any]:
        settings = {} if model is None else {k: v for k, v in model.settings.items() if not k.startswith("options.")}
        return {"model": (model and model.name) or TO_FILL_IN, "prompt": TO_FILL_IN, **settings}

    template: dict[str, Any] = {"engine": "vllm", "solver": describe_role(profile.models.get("solver"))}
    if profile.genrm is not None:
        template["verifier"] = describe_role(profile.models.get("verifier"))
    if profile.rhos or profile.searches:
        scorer = profile.models.get("scorer")
        template["scorer"] = {"kind": "qwen-prm", "model": (scorer and scorer.name) or TO_FILL_IN}
    return template
