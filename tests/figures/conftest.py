"""Bundled profiles, their tables, Axes of somebody's own figure, and figures of other packages."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from isocompute import registry
from isocompute.figures.registry import FIGURES
from isocompute.planner.difficulty import build_figure_studies
from isocompute.planner.profile import LengthCaps, read_profile, round_accuracies

collect_ignore_glob = [] if find_spec("matplotlib") else ["test_*.py"]


@pytest.fixture(scope="session")
def lab():
    """Votes and verdicts."""
    return read_profile("lab")


@pytest.fixture(scope="session")
def lab_search():
    """A scored pool and searches."""
    return read_profile("lab-search")


@pytest.fixture(scope="session")
def means():
    """Means over problems, as published."""
    return read_profile("llama-3.1-8b-math")


@pytest.fixture(scope="session")
def studies(lab_search):
    """Two studies of the same problems, of which only the first can be told in practice."""
    (bound,) = build_figure_studies(lab_search, None)
    return [replace(bound, kind="agreement", in_practice=True), bound]


@pytest.fixture(scope="session")
def capped(lab):
    """The lab's profile with limits whose accuracies are made up: the lower, the worse."""
    knots = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    own = lab.self_consistency.array[:, [lab.self_consistency.solutions.index(S) for S in knots]]
    limits, cut, tokens = [65, 99, 130, 143], [0.5, 0.25, 0.02, 0.0], [52.0, 66.0, 71.0, 71.5]
    accuracy = round_accuracies(np.stack([own * share for share in (0.7, 0.9, 1.0, 1.0)], axis=1))
    caps = LengthCaps(limits=limits, cut=cut, tokens=tokens, own_limit=200, solutions=knots, accuracy=accuracy)
    return lab.model_copy(update={"caps": caps})


@pytest.fixture(scope="session")
def tables(lab, lab_search, studies, capped):
    """The table of each figure of two panels, by its name."""
    from isocompute.figures.plots.caps import build_caps_table
    from isocompute.figures.plots.difficulty import build_difficulty_table
    from isocompute.figures.plots.frontiers import build_frontiers_table
    from isocompute.figures.plots.solutions_and_compute import build_solutions_and_compute_table

    return {
        "solutions_and_compute": build_solutions_and_compute_table(lab),
        "frontiers": build_frontiers_table(lab_search),
        "difficulty": build_difficulty_table(studies),
        "caps": build_caps_table(capped),
    }


@pytest.fixture
def grid():
    """Four Axes of somebody's own figure."""
    from matplotlib.figure import Figure

    return Figure().subplots(2, 2).ravel()


class Added(EntryPoint):
    """An entry point of a package that is not installed."""

    dist = SimpleNamespace(name="somebody-s-package")


@pytest.fixture
def add(monkeypatch):
    """Makes another package add figures: their entries, by name, as objects of a module of its own."""

    def adds(functions: dict[str, object], **entries: object) -> None:
        module = ModuleType("somebody")
        vars(module).update(functions | entries)
        monkeypatch.setitem(sys.modules, "somebody", module)
        points = [Added(name=name, value=f"somebody:{name}", group=FIGURES.group) for name in entries]
        monkeypatch.setattr(registry, "read_entry_points", lambda: EntryPoints(points))
        monkeypatch.setattr(FIGURES, "_loaded", {})
        vars(FIGURES).pop("plugin_entry_points", None)

    yield adds
    vars(FIGURES).pop("plugin_entry_points", None)
