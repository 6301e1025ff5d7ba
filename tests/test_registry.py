"""Registries: what isocompute has, what other packages add, and what is wrong with what they add."""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace

import numpy as np
import pytest

from isocompute import registry
from isocompute.errors import ConfigError
from isocompute.planner.strategies.registry import (
    STRATEGIES,
    Strategy,
    StrategyEstimate,
    describe_strategy,
)
from isocompute.registry import Registry
from isocompute.runners import engines
from isocompute.runners.config.search import SearchConfig
from isocompute.runners.engines.registry import ENGINES, EngineEntry, describe_missing_package
from isocompute.runners.search.registry import SEARCH_STRATEGIES

MINE = Strategy(
    "mine",
    "isocompute.planner.strategies.estimators:apply_weighted",
    "verifications",
    "mine: what another package adds",
    "#123456",
)
"""The weighted vote under another name."""

MY_SEARCH = SEARCH_STRATEGIES["rebase"]


class Added(EntryPoint):
    """An entry point of a package that is not installed."""

    dist = SimpleNamespace(name="somebody-s-package")


@pytest.fixture
def add(monkeypatch):
    """Makes other packages add entries to a registry."""

    def adds(to: Registry, *entries: tuple[str, str]) -> None:
        points = [Added(name=name, value=value, group=to.group) for name, value in entries]
        monkeypatch.setattr(registry, "read_entry_points", lambda: EntryPoints(points))
        monkeypatch.delitem(vars(to), "plugin_entry_points", raising=False)
        monkeypatch.setattr(to, "_loaded", {})

    return adds


@pytest.fixture(autouse=True)
def forget():
    yield
    for each in (STRATEGIES, SEARCH_STRATEGIES, ENGINES):
        vars(each).pop("plugin_entry_points", None)


@pytest.fixture
def mine(add, monkeypatch):
    add(STRATEGIES, ("mine", "somebody:MINE"))
    monkeypatch.setattr(Added, "load", lambda self: MINE)


def test_every_entry_is_called_by_its_name_and_has_words_and_a_colour():
    assert [entry.name for entry in STRATEGIES.values()] == list(STRATEGIES)
    for entry in (*STRATEGIES.values(), *SEARCH_STRATEGIES.values()):
        assert entry.description
        assert len(entry.colour) == 7


def test_what_another_package_adds_is_fitted_planned_and_drawn_like_our_own(mine, command, written_run, tmp_path):
    path = tmp_path / "p.json"
    assert command("fit", written_run, "-o", path).code == 0
    strategies = json.loads(path.read_text())["strategies"]
    assert strategies["mine"] == strategies["weighted"]
    plan = json.loads(command("plan", "-b", "16x", "-p", path, "--json").out)
    options = {option["strategy"]: option for option in (plan["recommendation"], *plan["alternatives"])}
    # No simulated world has it, so that its expectations differ from those of its twin.
    assert abs(options["mine"]["accuracy"] - options["weighted"]["accuracy"]) < 0.1
    assert options["mine"]["interval"][0] < options["mine"]["accuracy"] < options["mine"]["interval"][1]
    study = json.loads(command("difficulty", written_run, "--bins", "oracle", "--json").out)
    assert study["budgets"]
    assert command("figures", written_run, "--only", "frontiers,surface", "-o", tmp_path / "drawn").code == 0
    assert all("mine" in (tmp_path / "drawn" / f"{name}.csv").read_text() for name in ("frontiers", "surface"))


def test_it_can_be_recommended(mine, command, written_run, tmp_path):
    path = tmp_path / "p.json"
    command("fit", written_run, "-o", path)
    content = json.loads(path.read_text())
    content["strategies"] = {name: content["strategies"][name] for name in ("sc", "mine")}
    content["strategies"]["sc"]["accuracy"] = [[0.0 for _ in row] for row in content["strategies"]["sc"]["accuracy"]]
    path.write_text(json.dumps(content))
    said = command("plan", "-b", "16x", "-p", path).out
    assert "mine S=" in said
    assert "mine: what another package adds" in said


def test_a_parameter_that_it_did_not_learn_is_said_to_be_unknown(add, monkeypatch):
    add(STRATEGIES, ("mine", "somebody:MINE"))
    named = replace(MINE, description="mine: to the power {trust:.2g} of {base}")
    monkeypatch.setattr(Added, "load", lambda self: named)
    assert describe_strategy("mine", {"base": 2}) == "mine: to the power (trust unknown) of 2"
    assert describe_strategy("mine", {"base": 2, "trust": 0.5}) == "mine: to the power 0.5 of 2"


def test_without_its_package_a_profile_still_plans(mine, command, written_run, tmp_path, add):
    path = tmp_path / "p.json"
    command("fit", written_run, "-o", path)
    add(STRATEGIES)
    plan = json.loads(command("plan", "-b", "16x", "-p", path, "--json").out)
    assert "The profile has strategies that are unknown here and left out: mine." in plan["warnings"]


def test_a_search_of_another_package_may_stand_in_a_sweep(add, monkeypatch):
    with pytest.raises(ValueError, match="should be 'beam', 'dvts', 'rebase', 'particle' or 'revise'"):
        SearchConfig(strategy="mine", n=4)
    add(SEARCH_STRATEGIES, ("mine", "somebody:MY_SEARCH"))
    monkeypatch.setattr(Added, "load", lambda self: MY_SEARCH)
    assert SearchConfig(strategy="mine", n=4).shapes[0].label == "mine N=4"


@pytest.mark.parametrize("names", [("sc",), ("mine", "mine")])
def test_a_name_that_is_there_already_is_refused_with_its_package(add, names):
    add(STRATEGIES, *((name, f"somebody:{i}") for i, name in enumerate(names)))
    with pytest.raises(ConfigError, match=f"^The strategy '{names[0]}' of somebody-s-package already exists"):
        list(STRATEGIES)


def test_what_cannot_be_imported_is_a_sentence(add):
    add(STRATEGIES, ("mine", "no_such_module_of_somebody:MINE"))
    with pytest.raises(ConfigError, match=r"^The strategy 'mine' of somebody-s-package cannot be loaded: No module"):
        STRATEGIES["mine"]


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"^The strategy 'x' is unknown; there are: sc, genrm, genrm\+vote"):
        STRATEGIES.find("x")


def test_an_entry_of_another_class_or_under_another_name_is_refused(add, monkeypatch):
    add(STRATEGIES, ("mine", "somebody:MINE"))
    monkeypatch.setattr(Added, "load", lambda self: MY_SEARCH)
    with pytest.raises(ConfigError, match=r"'mine' of somebody-s-package is a SearchStrategy; it must be a Strategy\."):
        STRATEGIES["mine"]
    monkeypatch.setattr(Added, "load", lambda self: replace(MINE, name="sc"))
    with pytest.raises(ConfigError, match="calls itself 'sc'; the two names must be the same"):
        STRATEGIES["mine"]


@pytest.mark.parametrize(
    ("loader", "said"),
    [
        ("math:lost", "AttributeError: module 'math' has no attribute 'lost'"),
        ("json:loads", "JSONDecodeError: Expecting value"),
    ],
)
def test_whatever_another_package_s_loader_raises_is_a_sentence(add, monkeypatch, loader, said):
    add(ENGINES, ("mine", "somebody:MINE"))
    monkeypatch.setattr(Added, "load", lambda self: EngineEntry(loader, "mine", is_local=False))
    with pytest.raises(ConfigError, match=f"^The engine 'mine' of somebody-s-package does not work: {said}"):
        engines.load_engine("mine", "model")


def test_a_package_that_cannot_be_imported_says_why():
    said = describe_missing_package("The scorer 'mine'", ImportError("it needs CUDA"), "")
    assert said == "The scorer 'mine' needs a package that is not installed (it needs CUDA)."


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        (lambda pool, S: np.full((pool.problems, len(S)), 1.5), r"its accuracies must lie in 0 … 1"),
        (lambda pool, S: np.full((pool.problems, len(S)), np.nan), r"its accuracies must lie in 0 … 1"),
        (lambda pool, S: np.zeros((pool.problems, 1)), r"its accuracies have the shape \(4, 1\)"),
        (lambda pool, S: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_an_estimate_that_cannot_be_is_a_sentence(add, monkeypatch, refused, written_run, tmp_path, accuracy, said):
    estimate = lambda pool, S, V, draws, seed: StrategyEstimate(accuracy(pool, S))  # noqa: E731
    add(STRATEGIES, ("mine", "somebody:MINE"))
    mine = Strategy("mine", "somebody:estimate", "solutions", "mine", "#123456")
    monkeypatch.setattr(Added, "load", lambda self: mine)
    monkeypatch.setattr(Strategy, "estimator", property(estimators_with(mine, estimate)))
    sentence = refused("fit", written_run, "-o", tmp_path / "p.json")
    assert re.match(f"The strategy 'mine' of somebody-s-package does not work: .*{said}", sentence)
    assert not (tmp_path / "p.json").exists()


def estimators_with(mine, estimate):
    """Give a strategy's own estimator, and another one for one of them."""
    own = Strategy.estimator.fget
    return lambda strategy: estimate if strategy is mine else own(strategy)


class FailingEngine:
    """An engine that answers one request and then fails."""

    def __init__(self, model, **options):
        self.model, self.closed = model, False

    def run(self, pending):
        while pending:
            yield pending.popleft(), "answered"
            raise KeyError("lost")

    def close(self):
        self.closed = True


def test_an_engine_that_fails_while_it_works_is_named_with_its_package(add, monkeypatch):
    add(ENGINES, ("mine", "somebody:MINE"))
    monkeypatch.setattr(Added, "load", lambda self: EngineEntry("somebody:Engine", "mine", is_local=False))
    monkeypatch.setattr("isocompute.runners.engines.registry.load_object", lambda path: FailingEngine)
    engine = engines.load_engine("mine", "m")
    work = engine.run(deque(["first", "second"]))
    assert next(work) == ("first", "answered")
    with pytest.raises(ConfigError, match=r"^The engine 'mine' of somebody-s-package does not work: KeyError: 'lost'"):
        next(work)
    engine.close()
    assert (engine.model, engine.closed) == ("m", True)
    ours = FailingEngine("m")
    assert ENGINES.guard_worker("vllm", ours) is ours
