"""Results of the public API: short, tidy, equal to the commands' JSON, and wrong arguments are sentences."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import IsocomputeError
from isocompute.fits import estimate_genrm, estimate_self_consistency
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.runners.storage.run import Run

GRID = Path(__file__).resolve().parents[2] / "data" / "published" / "llama-3.1-8b-math.json"
LAB = Path(__file__).resolve().parents[2] / "data" / "runs" / "lab"


@pytest.fixture(scope="module")
def lab():
    return iso.load_profile("lab")


def test_importing_isocompute_loads_no_numpy():
    code = "import sys, isocompute; print('numpy' in sys.modules, 'pandas' in sys.modules, dir(isocompute))"
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.startswith("False False")
    assert "from_frame" in said


def test_every_public_name_is_there():
    for name in iso.__all__:
        assert getattr(iso, name).__doc__
    with pytest.raises(AttributeError):
        _ = iso.nothing


def test_results_are_the_json_of_the_commands(command, written_run, tmp_path):
    profile = iso.fit(written_run, tmp_path / "p.json")
    said = json.loads(command("fit", written_run, "-o", tmp_path / "p.json", "--json").out)
    assert json.loads(json.dumps(profile.to_dict())) == said
    plan = iso.plan(tmp_path / "p.json", "4x")
    said = json.loads(command("plan", "-b", "4x", "-p", tmp_path / "p.json", "--json").out)
    assert json.loads(json.dumps(plan.to_dict())) == said
    study = iso.difficulty(written_run, bins="oracle")
    said = json.loads(command("difficulty", written_run, "--bins", "oracle", "--json").out)
    assert json.loads(json.dumps(study.to_dict())) == said
    run = iso.open_run(written_run)
    (said,) = json.loads(command("runs", written_run, "--json").out)
    assert json.loads(json.dumps(run.to_dict())) == said


def test_results_show_themselves_in_few_lines(lab, written_run):
    run = iso.open_run(written_run)
    results = (
        lab,
        iso.plan(lab, "128x"),
        iso.difficulty(lab, bins="oracle"),
        run,
        iso.select([1, 1, 2], strategy="sc"),
    )
    for result in results:
        assert len(repr(result).splitlines()) <= 10
        assert max(map(len, repr(result).splitlines())) <= 120
        assert "<table" in result._repr_html_()
        assert not [name for name in dir(result) if name.startswith(("_", "model_"))]
        assert len(result.to_frame()) > 0


def test_a_plan_says_what_the_command_says(lab):
    plan = iso.plan(lab, "128x")
    assert plan.strategy in ("genrm+vote", "weighted", "fused")
    assert plan.numbers == plan.to_dict()["recommendation"]["numbers"]
    for budget in (128, 128.0, np.int64(128), np.float32(128)):
        assert iso.plan(lab, budget).to_dict() == plan.to_dict()
    assert iso.plan(lab, 100 / 3).to_dict()["budget"]["x"] == 100 / 3
    frame = plan.to_frame()
    assert frame["strategy"].iloc[0] == plan.strategy
    assert frame["low"].iloc[0] <= frame["accuracy"].iloc[0] <= frame["high"].iloc[0]


def test_a_curve_is_the_estimators_mean(written_run):
    pool = read_pool(Run(written_run)).pool
    curve = iso.curve(written_run, "sc", S=[1, 2, 3])
    assert list(curve) == ["strategy", "S", "V", "compute", "accuracy", "low", "high", "problems"]
    assert curve["accuracy"].tolist() == pytest.approx(estimate_self_consistency(pool, [1, 2, 3]).mean(axis=0))
    assert curve["compute"].tolist() == [1, 2, 3]
    assert (curve["low"] <= curve["accuracy"]).all()
    both = iso.curve(written_run, "genrm", S=[1, 2], V=[1, 2])
    assert both["accuracy"].tolist() == pytest.approx(estimate_genrm(pool, [1, 2], [1, 2]).mean(axis=0).ravel())
    lam = iso.fit(written_run).lam
    assert both["compute"].tolist() == pytest.approx([s * (1 + lam * v) for s, v in ((1, 1), (1, 2), (2, 1), (2, 2))])


def test_figures_are_drawn_from_runs_and_profiles(lab, written_run):
    plt = pytest.importorskip("matplotlib.pyplot")
    drawn = iso.figures.frontiers(lab)
    assert drawn._repr_png_().startswith(b"\x89PNG")
    assert set(drawn.table["strategy"]) >= {"sc", "weighted"}
    figure, axes = plt.subplots(1, 2)
    assert iso.figures.solutions_and_compute(iso.open_run(written_run), ax=axes).figure is figure
    plt.close(figure)
    assert set(dir(iso.figures)) >= {"solutions_and_compute", "frontiers", "difficulty"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: iso.open_run("/nowhere"), "There is no run at '/nowhere'"),
        (lambda: iso.open_run(7), "the run must be a run, or the path or URL of one; it is 7"),
        (lambda: iso.load_profile("nowhere"), "nowhere"),
        (lambda: iso.plan("lab", "much"), "much"),
        (lambda: iso.plan("lab", True), "text such as '128x', or a finite number above zero; it is True"),
        (lambda: iso.plan("lab", float("inf")), "budget must be text"),
        (lambda: iso.plan("lab", 10**400), "budget must be text"),
        (lambda: iso.plan("lab", "128x", lam=10**400), "it must be a number, or one of"),
        (lambda: iso.fit(LAB, parameters=8e9), "must be a list of numbers"),
        (lambda: iso.fit(LAB, read="x"), "read must be a number"),
        (lambda: iso.import_run(None, "a", "b"), "format must be text; it is None"),
        (lambda: iso.import_run("table", "a", "b", columns="x"), "columns must map names to names"),
        (lambda: iso.plan("lab", "128x", lam="tokens"), "λ is 'tokens'; it must be a number, or one of completion"),
        (lambda: iso.plan("lab", "128x", rho=True), "ρ is True; it must be a number"),
        (lambda: iso.curve(LAB, "nothing"), "strategy='nothing' is unknown; there are sc"),
        (lambda: iso.curve(LAB, "sc", S=[0]), "S must hold whole numbers from 1 to 256; it holds 0"),
        (lambda: iso.curve(LAB, "sc", V=[1]), "V has no meaning for this strategy"),
        (lambda: iso.curve(LAB, "bon"), "does not hold what 'bon' needs: scores"),
        (lambda: iso.difficulty("lab", bins="guess"), "bins='guess' must be one of oracle"),
        (lambda: iso.difficulty("lab", samples=0), "samples=0 must be a whole number from 1"),
        (lambda: iso.difficulty("lab"), "Difficulty by agreement needs single solutions"),
        (lambda: iso.figures.frontiers(3), "A figure is drawn from a run, a profile, or the path of one; got int"),
        (lambda: iso.fit("nowhere.json"), "nowhere.json"),
        (lambda: iso.sweep({"run": "r"}), "the sweep: the key"),
        (lambda: iso.sweep(3), "config must be a path or a URL; it is 3"),
        (lambda: iso.import_run("nothing", "a", "b"), "nothing"),
        (lambda: iso.select(["1"], strategy="best"), "strategy='best' is unknown; select has sc"),
        (lambda: iso.select("12", strategy="sc"), "answers must be a list with an entry for each solution; it is '12'"),
        (lambda: iso.select([None, ""], strategy="sc"), "No answer can be read"),
        (lambda: iso.select(["1"]), "This strategy needs verdicts"),
        (lambda: iso.select(["1", "2"], [1]), "verdicts must have 2 entries"),
        (lambda: iso.select(["1"], ["maybe"]), r"verdicts\[0\]: 'value' must be yes, no"),
        (lambda: iso.select(["1"], scores=[2], strategy="bon"), r"scores\[0\]: 'value' must be yes, no"),
        (lambda: iso.select(["1"], [1], strategy="fused"), "strategy='fused' needs profile="),
        (lambda: iso.select(["1"], strategy="sc", seed=-1), "seed must be a whole number, 0 or more; it is -1"),
        (lambda: iso.plan("lab", target=10**400), "must be an accuracy between 0 and 1"),
        (lambda: iso.plan("lab", target=10**5000), "The target a number of thousands of digits must be"),
        (lambda: iso.plan("lab", latency=10**400), "must be seconds above zero"),
        (lambda: iso.plan("lab", "8x", cost=np.zeros(2)), "The cost model .* is not known"),
        (lambda: iso.plan("lab", "8x", device=10**5000), "The device a number of thousands of digits is not known"),
        (lambda: iso.plan("lab", "$1", prices="\ud800"), "There is no price file"),
        (lambda: iso.pilot(regret=10**400), "above 0 and below 100; got 1000"),
        (lambda: iso.pilot(gap=10**5000), "above 0 and below 100; got a number of thousands of digits"),
        (lambda: iso.select(["1"], strategy=np.zeros(2)), "is unknown; select has"),
        (lambda: iso.difficulty("lab", bins=np.zeros(2)), "must be one of oracle"),
        (lambda: iso.report("lab", None), "path must be a path or a URL; it is None"),
        (lambda: iso.fit(GRID, entry=[1]), "has no entry"),
        (lambda: iso.fit(GRID, entry=np.zeros(2)), "has no entry"),
        (lambda: iso.from_frame(pd.DataFrame({"c": [True]}), problem=None, correct="c"), "needs problem="),
    ],
)
def test_a_wrong_argument_is_one_sentence_of_the_family(call, said):
    with pytest.raises(IsocomputeError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_repr_of_a_profile_is_short(lab):
    assert len(repr(lab)) < 1000
    assert np.isfinite(lab.lam)


def test_a_curve_takes_lambda_and_rho(written_run):
    own = iso.curve(written_run, "genrm", S=2, V=2)["compute"].item()
    assert iso.curve(written_run, "genrm", S=2, V=2, lam="completion")["compute"].item() == own
    assert iso.curve(written_run, "genrm", S=2, V=2, lam=3)["compute"].item() == 2 * (1 + 3 * 2)
    with_prompts = iso.fit(written_run).to_dict()["lambdas"]["prompts"]
    assert iso.curve(written_run, "genrm", S=2, V=2, lam="prompts")["compute"].item() == 2 * (1 + 2 * with_prompts)
    for lam, said in (("cheap", "it must be a number"), (0, "must be above zero"), (True, "it must be a number")):
        with pytest.raises(IsocomputeError, match=said):
            iso.curve(written_run, "genrm", lam=lam)


def test_a_profile_knows_its_file(written_run, tmp_path):
    assert iso.fit(written_run).path is None
    assert iso.fit(written_run, tmp_path / "p").path == f"{tmp_path}/p.json"
    assert iso.load_profile(tmp_path / "p.json").path == f"{tmp_path}/p.json"


def test_a_plan_names_the_next_best_strategy(lab):
    assert "The runner-up, " in repr(iso.plan(lab, "128x"))


def test_an_object_in_the_place_of_another_says_which_function_helps(lab, written_run, tmp_path):
    frame = pd.DataFrame({"id": ["a"], "ok": [True]})
    run = iso.open_run(written_run)
    for call, message in (
        (lambda: iso.fit(frame), "it is a data frame; iso.from_frame makes a run of it"),
        (lambda: iso.difficulty(frame), "it is a data frame; iso.from_frame makes a run of it"),
        (lambda: iso.open_run(frame), "it is a data frame; iso.from_frame makes a run of it"),
        (lambda: iso.plan(run, "2x"), "it is a run; iso.fit\\(run\\) makes a profile of it"),
        (lambda: iso.fit(lab), "it is a profile, which is fitted already"),
        (lambda: iso.plan(written_run, "2x"), "is a run, not a profile; fit it first: isocompute fit"),
    ):
        with pytest.raises(IsocomputeError, match=message):
            call()
    lab.save(tmp_path / "lab.json")
    with pytest.raises(IsocomputeError, match="is a profile already; plan with it"):
        iso.fit(tmp_path / "lab.json")
    (tmp_path / "log.csv").write_text("a,b\n")
    with pytest.raises(IsocomputeError, match="it is a file; `isocompute import FORMAT"):
        iso.open_run(tmp_path / "log.csv")


def test_difficulty_takes_lambda_and_says_that_it_is_unknown():
    rows = [(p, s, (p + s) % 3 == 0, (p * s) % 2) for p in range(6) for s in range(8)]
    frame = pd.DataFrame(rows, columns=["id", "sample", "ok", "verdict"])
    run = iso.from_frame(frame, problem="id", solution="sample", correct="ok", verdict="verdict")
    assert any("λ" in warning for warning in iso.difficulty(run, bins="oracle").warnings)
    known = iso.difficulty(run, bins="oracle", lam=0.5)
    assert not any("λ" in warning for warning in known.warnings)
    assert known.to_frame()["budget"].max() > iso.difficulty(run, bins="oracle").to_frame()["budget"].max()
    with pytest.raises(IsocomputeError, match="must be above zero"):
        iso.difficulty(run, bins="oracle", lam=-1)


def test_a_figure_of_two_panels_divides_one_axes(lab):
    from matplotlib.figure import Figure

    figure = Figure()
    ax = figure.subplots(1, 2)
    drawn = iso.figures.frontiers(lab, ax=ax[1])
    assert len(drawn.axes) == 2
    assert len(figure.axes) == 3
    with pytest.raises(IsocomputeError, match="ax must be 2 matplotlib Axes, or one of a grid"):
        iso.figures.frontiers(lab, ax=figure.add_axes([0, 0, 1, 1]))
