"""Parameter counts of models that a server has loaded; read when a run begins and stored in it."""

from __future__ import annotations

from isocompute.registry import load_object
from isocompute.runners import engines
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.sweep_reading import extract_sweep
from isocompute.runners.cost.model_size import count_checkpoint_parameters
from isocompute.runners.storage.provenance import extract_model_sizes
from isocompute.runners.storage.run import Run


def collect_served_sizes(config: Sweep, run: Run) -> dict[str, float]:
    """Return the parameter counts that servers report, by role, for models whose size is not known otherwise.

    For a run that has begun the servers are not asked again; the sizes stored in it are returned.
    """
    if not list_served_roles(config):
        return {}
    try:
        read_size = load_object(engines.ENGINES[config.engine].size_reader)
    except ImportError:  # httpx is missing; loading the engine reports it
        return {}
    stored = read_run_sizes(config, run)
    sizes: dict[str, float] = {}
    responses: dict[str, float | None] = {}
    for role in list_served_roles(config):
        model = getattr(config, role)
        if role in stored:
            sizes[role] = stored[role]
        elif model.parameters is None and count_checkpoint_parameters(model.model) is None:
            model_key = repr((model.model, sorted(model.options.items(), key=str)))
            if model_key not in responses:
                responses[model_key] = read_size(model.model, model.options)
            if (size := responses[model_key]) is not None:
                sizes[role] = size
    return sizes


def list_served_roles(config: Sweep) -> list[str]:
    """Return the roles whose models a server has loaded, except a solver whose size the source run knows."""
    known = {} if config.source_run is None else {"solver": config.source_run.parameters.get("solver")}
    roles = ("solver", "verifier") if engines.ENGINES[config.engine].size_reader else ()
    return [role for role in roles if getattr(config, role) is not None and known.get(role) is None]


def read_run_sizes(config: Sweep, run: Run) -> dict[str, float]:
    """Return the stored sizes of a run's models that this sweep uses too, unless a sweep file gave them."""
    if not run.exists or "imported" in (manifest := run.read_manifest()):
        return {}
    earlier, sizes = extract_sweep(manifest, run.path), extract_model_sizes(manifest, run.path)
    return {
        name: sizes[name]
        for name in list_served_roles(config)
        if name in sizes
        and (role := getattr(earlier, name)) is not None
        and (role.model, role.parameters) == (getattr(config, name).model, None)
    }
