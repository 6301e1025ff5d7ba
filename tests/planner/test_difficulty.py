"""The command `difficulty`: what to run on each level, from a run and from a profile."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import DataError
from isocompute.fits import DifficultyLevels, Pool, assign_agreement_levels, assign_verdict_levels
from isocompute.planner.compare import compare_strategies
from isocompute.planner.difficulty import build_figure_studies, build_profile_study
from isocompute.planner.difficulty_study import DIFFICULTY_KINDS
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.profile import Curve, ProblemRecord, Profile, Surface, read_profile
from isocompute.planner.reuse import build_reusing_options, estimate_reusing
from isocompute.planner.strategies.options import list_strategy_options
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE


def studied(command, *arguments):
    ended = command("difficulty", *arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.mark.parametrize("bins", DIFFICULTY_KINDS)
def test_every_kind_of_difficulty_is_planned_and_charged(command, written_run, bins):
    found = studied(command, written_run, "--bins", bins, "--samples", 2)
    charged = {"oracle": 0, "level": 0, "estimate": 2, "agreement": 2}
    assert found["charge"] == charged[bins] if bins in charged else found["charge"] > 2
    assert found["in_practice"] == (bins not in ("oracle", "estimate"))
    assert any("needs the right answers" in said for said in found["warnings"]) == (not found["in_practice"])
    for budget in found["budgets"]:
        broke = budget["x"] < found["charge"]
        assert (budget["gain"] is None) == broke
        assert all((level["run"] is None) == broke for level in budget["levels"])
        assert budget["one_for_all"]["accuracy"] is not None
    assert sum(level["share"] for level in budget["levels"]) == pytest.approx(1)


def test_what_cannot_be_afforded_is_said(command, written_run):
    said = command("difficulty", written_run, "--samples", 3).out
    assert "agreement among the first 3 solutions, which cost 3x; the strategies go on from them" in " ".join(
        said.split()
    )
    assert "Finding the level costs 3x, which a budget of 1x, 2x does not pay for." in said
    assert re.search(r"Level [\d, ]+ has fewer than 10 problems", said)


def test_a_profile_has_an_oracle_only(command, refused):
    assert studied(command, "lab", "--bins", "oracle")["problems"] == 100
    assert refused("difficulty", "lab", "--bins", "score") == (
        "Difficulty by score needs single solutions, which a profile does not hold; give the run's "
        "folder, or use --bins oracle (bins= in Python)."
    )
    assert refused("difficulty", "llama-3.1-8b-math", "--bins", "oracle") == (
        "The profile 'llama-3.1-8b-math' holds only means over problems, so problems cannot be sorted by difficulty."
    )


def test_what_a_run_does_not_hold_is_refused(refused, written_run, rewrite):
    assert refused("difficulty", written_run, "--samples", 7) == (
        "samples must lie between 1 and 6, the solutions that every strategy can use; got 7."
    )
    rewrite(written_run, PROBLEMS_TABLE, lambda frame: frame.assign(level=None))
    sentence = refused("difficulty", written_run, "--bins", "level")
    assert sentence.endswith(f"of the run at '{written_run}' has no level; choose another --bins (bins= in Python).")


def test_a_kind_that_is_not_there(command, written_run):
    ended = command("difficulty", written_run, "--bins", "colour")
    assert ended.code == 2
    assert "'colour' is not one of oracle, estimate, agreement, score, level." in ended.err


def test_figures_show_frontiers_and_difficulty_too(command, written_run, tmp_path):
    pytest.importorskip("matplotlib")
    names = ("frontiers", "difficulty", "difficulty_bars")
    assert command("figures", written_run, "-o", tmp_path / "drawn", "--only", ",".join(names)).code == 0
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {
        f"{name}.{kind}" for name in names for kind in ("png", "pdf", "csv")
    }


@pytest.mark.parametrize("call", [("lab-search", "--bins", "oracle"), ("lab", "--bins", "oracle")])
def test_no_number_is_cut_on_a_narrow_terminal(command, call):
    assert "…" not in command("difficulty", *call, columns=80).out


def test_a_run_and_its_profile_choose_among_the_same_strategies(command, written_run, tmp_path):
    profile = tmp_path / "p.json"
    assert command("fit", written_run, "-o", profile).code == 0
    of_run, of_profile = (studied(command, source, "--bins", "oracle") for source in (written_run, profile))
    assert of_run.pop("source") != of_profile.pop("source")
    assert of_run == of_profile


def test_by_agreement_every_strategy_and_search_can_be_chosen(written_run, searching, stepping):
    engine, scorer = stepping()
    searches = [{"strategy": "beam", "n": [2], "width": 2, "rounds": 4}]
    config = searching(searches=searches, solutions=6, scored=3, run=f"{written_run}-searched")
    run_sweep(config, load=engine, load_scorer=scorer)
    found = read_pool(Run(config.run))
    profile = build_profile(Run(config.run), found, measure_costs(found), "p")
    whole = list_strategy_options(profile, profile.lam)
    told = assign_agreement_levels(found.pool, 2)
    going_on = build_reusing_options(told, found.pool, profile, whole)
    assert [options.strategy for options in going_on] == ["sc", "bon", "prm-weighted", "beam+weighted"]
    assert [options.strategy for options in going_on] == [options.strategy for options in whole]
    assert all(len(options.accuracy) == told.levels.size for options in going_on)
    for own, plain in zip(going_on, whole, strict=True):
        if own.strategy == "beam+weighted":  # uses none of the solutions, and pays for them
            np.testing.assert_allclose(own.grid.cost, plain.grid.cost + 2)
        else:  # from S = 2 on, the solutions that were seen are among those that are paid for anyway
            np.testing.assert_allclose(np.sort(own.grid.cost)[1:], plain.grid.cost[1:])
            assert own.grid.cost.min() >= 2


def known_pool():
    """Six problems with verdicts, of which votes and verdicts tell something."""
    rng = np.random.default_rng(3)
    answers = np.where(rng.random((6, 5)) < np.linspace(0.2, 0.8, 6)[:, None], 0, rng.integers(1, 3, (6, 5)))
    verdicts = rng.random((6, 5, 2)) < np.where(answers == 0, 0.8, 0.3)[:, :, None]
    return Pool(answers, np.zeros(6, dtype=int), verdicts.astype(float))


@pytest.mark.parametrize(("kind", "name"), [("agreement", "sc"), ("agreement", "genrm+vote"), ("score", "genrm")])
def test_the_accuracy_given_what_was_seen_is_that_of_every_way_to_go_on(name, kind):
    """Over many draws of one and the same seen set, the estimate is the mean over all orders, by enumeration."""
    pool, strategy = known_pool(), STRATEGIES[name]
    one = assign_agreement_levels(pool, 2, repeats=1) if kind == "agreement" else assign_verdict_levels(pool, 2, 1.0, 1)
    many = 60  # half with this seen set, half with random ones, whose mean is the known accuracy
    rest = (
        assign_agreement_levels(pool, 2, repeats=many)
        if kind == "agreement"
        else assign_verdict_levels(pool, 2, 1.0, many)
    )
    verdict = None if kind == "agreement" else np.concatenate([one.seen_verdicts] * many + [rest.seen_verdicts])
    levels = DifficultyLevels(
        np.ones((2 * many, 6), dtype=int), 2.0, True, np.concatenate([one.seen] * many + [rest.seen]), verdict
    )
    V = [1] if strategy.needs == "verifications" else []
    whole = strategy.estimator(pool, [1, 2, 4], V, 2, 0).accuracy
    part = (Surface(solutions=[1, 2, 4], verifications=V, accuracy=whole.tolist()) if V else
            Curve(solutions=[1, 2, 4], accuracy=whole.tolist()))  # fmt: skip
    found = estimate_reusing(strategy, levels, pool, part).reshape(2 * many, 6, 3)
    np.testing.assert_allclose(found.mean(axis=0), whole.reshape(6, 3), atol=1e-12)
    apart = found[:many].mean(axis=0) - found[many:].mean(axis=0)
    for p in range(6):
        seen = one.seen[0, p]
        for i, S in enumerate((2, 4)):
            values = []
            for others in itertools.combinations([k for k in range(5) if k not in seen], S - 2):
                taken = [*seen, *others]
                verdicts = pool.verdicts[[p]][:, taken]
                if kind == "agreement":
                    values.append(run_strategy(strategy, pool.answers[p, taken], verdicts, V))
                    continue
                for choice in itertools.product((0, 1), repeat=S - 2):  # of the others any verdict
                    read = [*one.seen_verdicts[0, p], *choice]
                    chosen = np.take_along_axis(verdicts, np.array(read)[None, :, None], axis=2)
                    values.append(run_strategy(strategy, pool.answers[p, taken], chosen, V))
            assert apart[p, 1 + i] == pytest.approx(np.mean(values) - whole.reshape(6, 3)[p, 1 + i], abs=0.17)


def run_strategy(strategy, answers, verdicts, V):
    """The accuracy of a strategy that uses all solutions of one problem."""
    return float(strategy.estimator(Pool([answers], [0], verdicts), [len(answers)], V, 2, 0).accuracy.ravel()[0])


def test_learnt_parameters_are_not_learnt_again():
    pool = known_pool()
    learnt = STRATEGIES["fused"].estimator(pool, [2], [1], 2, 0)
    again = STRATEGIES["fused"].apply_parameters(learnt.parameters)(pool, [2], [1], 2, 0)
    assert again.parameters == learnt.parameters
    assert STRATEGIES["sc"].apply_parameters({}) is STRATEGIES["sc"].estimator


def test_the_single_choice_is_the_plan_s():
    profile = read_profile("lab-search")
    study = build_profile_study(profile, "oracle")
    for i, budget in enumerate(study.policy.budgets[:6]):
        compared = compare_strategies(profile, budget, profile.lam)
        best = compared.options[0]
        assert study.policy.one_for_all_choices[i] == f"{best.strategy} {best.settings}"
        assert study.policy.one_for_all.optimistic[i] == pytest.approx(best.measured_accuracy)


def test_without_answers_agreement_is_refused_and_not_drawn(tmp_path):
    rows = [(problem, (problem * sample) % 3 == 0) for problem in range(6) for sample in range(8)]
    run = iso.from_frame(pd.DataFrame(rows, columns=["id", "ok"]), problem="id", correct="ok")
    with pytest.raises(DataError, match="Difficulty by agreement cannot be found in"):
        iso.difficulty(run, bins="agreement")
    pool = read_pool(run._run)
    profile = build_profile(run._run, pool, measure_costs(pool), "x")
    assert [study.kind for study in build_figure_studies(profile, pool)] == ["estimate", "oracle"]


def test_clusters_are_held_out_whole_and_one_alone_is_refused():
    """Copies of problems in clusters add nothing: the gain and its interval are those of the problems alone."""
    rng = np.random.default_rng(4)
    curve = np.clip(rng.random((12, 1)) + rng.normal(0, 0.2, (12, 3)), 0, 1).round(3)

    def build(copies, cluster):
        records = [ProblemRecord(cluster=cluster(number)) for number in range(12 * copies)]
        accuracy = np.tile(curve, (copies, 1)).tolist()
        strategies = {"sc": Curve(solutions=[1, 2, 4], accuracy=accuracy)}
        fields = {"problems": 12 * copies, "per_problem": records, "strategies": strategies}
        return Profile(name="made", description="made", **fields)

    alone = build_profile_study(build(1, lambda number: None), "oracle").policy
    copied = build_profile_study(build(3, lambda number: f"c{number % 12}"), "oracle").policy
    np.testing.assert_allclose(copied.one_for_all.accuracy, alone.one_for_all.accuracy, atol=1e-9)
    np.testing.assert_allclose((copied.gain_low, copied.gain_high), (alone.gain_low, alone.gain_high), atol=1e-9)
    with pytest.raises(DataError, match="'made' has one cluster of problems; levels of difficulty need at least 2"):
        build_profile_study(build(1, lambda number: "c"), "oracle")
