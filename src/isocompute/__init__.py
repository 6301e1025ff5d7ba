"""isocompute: which test-time strategy to run, measured and compared at equal compute.

    import isocompute as iso

    run = iso.open_run("data/runs/lab")
    profile = iso.fit(run)
    iso.plan(profile, "128x")

Everything is loaded on first use: importing isocompute alone loads neither numpy nor pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from isocompute import figures
    from isocompute.api.caps import CapResult
    from isocompute.api.curves import curve
    from isocompute.api.difficulties import DifficultyResult, difficulty
    from isocompute.api.evaluations import EvaluationResult, evaluate
    from isocompute.api.frames import from_frame
    from isocompute.api.pilots import NextRowsResult, PilotResult, next_rows, pilot
    from isocompute.api.plans import PlanResult, plan
    from isocompute.api.policies import PoliciesResult, policies
    from isocompute.api.profiles import FittedProfile, fit, load_profile
    from isocompute.api.reports import report
    from isocompute.api.runs import OpenedRun, import_run, open_run, sweep
    from isocompute.api.selection import SelectionResult, select
    from isocompute.api.solving import SolveResult, solve

PUBLIC = {
    "CapResult": "isocompute.api.caps",
    "DifficultyResult": "isocompute.api.difficulties",
    "EvaluationResult": "isocompute.api.evaluations",
    "FittedProfile": "isocompute.api.profiles",
    "NextRowsResult": "isocompute.api.pilots",
    "OpenedRun": "isocompute.api.runs",
    "PilotResult": "isocompute.api.pilots",
    "PlanResult": "isocompute.api.plans",
    "PoliciesResult": "isocompute.api.policies",
    "SelectionResult": "isocompute.api.selection",
    "SolveResult": "isocompute.api.solving",
    "curve": "isocompute.api.curves",
    "difficulty": "isocompute.api.difficulties",
    "evaluate": "isocompute.api.evaluations",
    "fit": "isocompute.api.profiles",
    "from_frame": "isocompute.api.frames",
    "import_run": "isocompute.api.runs",
    "load_profile": "isocompute.api.profiles",
    "next_rows": "isocompute.api.pilots",
    "open_run": "isocompute.api.runs",
    "pilot": "isocompute.api.pilots",
    "plan": "isocompute.api.plans",
    "policies": "isocompute.api.policies",
    "report": "isocompute.api.reports",
    "select": "isocompute.api.selection",
    "solve": "isocompute.api.solving",
    "sweep": "isocompute.api.runs",
}
"""The public functions and the types of their results, with the module of each."""

__all__ = [
    "CapResult",
    "DifficultyResult",
    "EvaluationResult",
    "FittedProfile",
    "NextRowsResult",
    "OpenedRun",
    "PilotResult",
    "PlanResult",
    "PoliciesResult",
    "SelectionResult",
    "SolveResult",
    "curve",
    "difficulty",
    "evaluate",
    "figures",
    "fit",
    "from_frame",
    "import_run",
    "load_profile",
    "next_rows",
    "open_run",
    "pilot",
    "plan",
    "policies",
    "report",
    "select",
    "solve",
    "sweep",
]


def __getattr__(name: str) -> object:
    """Load a public function, or the figures, when it is first used."""
    from importlib import import_module

    if name == "figures":
        return import_module("isocompute.figures")
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    raise AttributeError(f"module 'isocompute' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
