"""How large the models are that a server has loaded: asked when a run begins, and held by it."""

from __future__ import annotations

from isocompute.registry import load_object
from isocompute.runners import engines
from isocompute.runners.config.sweep import Sweep, extract_sweep
from isocompute.runners.cost.model_size import count_checkpoint_parameters
from isocompute.runners.storage.provenance import extract_model_sizes
from isocompute.runners.storage.run import Run


def collect_served_sizes(config: Sweep, run: Run) -> dict[str, float]:
    """Return the parameter counts that servers say of a sweep's models, by role, of those that nothing else tells.

    A run that has begun is not asked about again: it holds what was said when it began, and goes on with that.
    """
    if not list_served_roles(config):
        return {}
    try:
        read_size = load_object(engines.ENGINES[config.engine].size_reader)
    except ImportError:  # without httpx nothing is asked of a server; loading the engine says so
        return {}
    held = read_run_sizes(config, run)
    found: dict[str, float] = {}
    asked: dict[str, float | None] = {}
    for role in list_served_roles(config):
        model = getattr(config, role)
        if role in held:
            found[role] = held[role]
        elif model.parameters is None and count_checkpoint_parameters(model.model) is None:
            question = repr((model.model, sorted(model.options.items(), key=str)))
            if question not in asked:
                asked[question] = read_size(model.model, model.options)
            if (size := asked[question]) is not None:
                found[role] = size
    return found


def list_served_roles(config: Sweep) -> list[str]:
    """Return the roles whose models a server has loaded; of a solver that solved elsewhere the other run may know."""
    known = {} if config.source_run is None else {"solver": config.source_run.parameters.get("solver")}
    roles = ("solver", "verifier") if engines.ENGINES[config.engine].size_reader else ()
    return [role for role in roles if getattr(config, role) is not None and known.get(role) is None]


def read_run_sizes(config: Sweep, run: Run) -> dict[str, float]:
    """Return the sizes that a run holds of the models that are asked for now, where no sweep file gave them."""
    if not run.exists or "imported" in (written := run.read_manifest()):
        return {}
    earlier, sizes = extract_sweep(written, run.path), extract_model_sizes(written, run.path)
    return {
        name: sizes[name]
        for name in list_served_roles(config)
        if name in sizes
        and (role := getattr(earlier, name)) is not None
        and (role.model, role.parameters) == (getattr(config, name).model, None)
    }
