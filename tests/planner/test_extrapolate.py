"""Accuracies beyond the measured range, in profiles and in plans."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.fits import Pool
from isocompute.planner.budget import Budget
from isocompute.planner.extrapolate import extrapolate_pool, extrapolate_voting, predict_extrapolated_accuracy
from isocompute.planner.findings import derive_findings
from isocompute.planner.plan import make_plan
from isocompute.planner.profile import Curve, read_profile
from isocompute.planner.profile.subset import select_problems


def test_a_profile_keeps_its_extrapolations_with_their_errors(tmp_path):
    profile = read_profile("lab")
    for name, curve in profile.extrapolations.items():
        assert name in ("sc", "coverage")
        assert (curve.measured_to, curve.solutions) == (256, [384, 512, 768, 1024])
        assert curve.error == min(curve.errors.values()) < 0.02
    profile.write(str(tmp_path / "again.json"))
    again = read_profile(str(tmp_path / "again.json"))
    assert again.model_dump() == profile.model_dump()


def test_beyond_the_range_a_plan_says_what_sc_would_reach(command):
    said = " ".join(command("plan", "--profile", "lab", "--budget", "1024x").out.split())
    assert "SC at S=1,024: 57." in said
    assert "extrapolated from S up to 256 by" in said
    assert "the effect of more votes is extrapolated only." in said
    found = json.loads(command("plan", "--profile", "lab", "--budget", "1024x", "--json").out)["extrapolated"]["sc"]
    assert (found["solutions"], found["measured_to"]) == (1024, 256)
    assert found["interval"][0] < found["accuracy"] < found["interval"][1]
    # Nothing is recommended on an extrapolation.
    options = json.loads(command("plan", "--profile", "lab", "--budget", "1024x", "--json").out)
    assert all(o["solutions"] <= 256 for o in (options["recommendation"], *options["alternatives"]))


def test_within_the_range_and_without_an_extrapolation_nothing_is_said(command):
    assert "extrapolated" not in command("plan", "--profile", "lab", "--budget", "128x").out
    assert json.loads(command("plan", "--profile", "lab", "--budget", "128x", "--json").out)["extrapolated"] == {}
    published = read_profile("llama-3.1-8b-math")
    assert extrapolate_voting(published, 1e6, 0.5, 0.5) is None


def test_the_curve_goes_on_from_the_measured_one_and_ends_at_four_times():
    profile = read_profile("lab")
    last = profile.self_consistency.array[:, -1].mean()
    assert predict_extrapolated_accuracy(profile, "sc", 256) is None
    assert predict_extrapolated_accuracy(profile, "sc", 1025) is None
    assert predict_extrapolated_accuracy(profile, "genrm", 512) is None
    near = predict_extrapolated_accuracy(profile, "sc", 257)
    assert near.accuracy == pytest.approx(last, abs=1e-4)
    assert near.by_problem.shape == (100,)
    curve = profile.extrapolations["sc"]
    between = predict_extrapolated_accuracy(profile, "sc", 512)
    assert between.by_problem == pytest.approx(curve.array[:, 1])
    assert extrapolate_voting(profile, 5000.0, 0.5, 0.5).solutions == 1024
    assert predict_extrapolated_accuracy(profile, "coverage", 512).accuracy >= profile.coverage.array[:, -1].mean()


def test_a_pool_of_few_solutions_is_not_extrapolated():
    assert extrapolate_pool(Pool(np.zeros((3, 15), dtype=int), [0, 0, 0])) == {}


def test_an_extrapolation_within_the_measured_range_is_refused(tmp_path, refused):
    content = json.loads(json.dumps(read_profile("lab").model_dump(mode="json", by_alias=True)))
    content["extrapolations"]["sc"]["measured_to"] = 400
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert refused("plan", "--budget", "8x", "--profile", path).endswith(
        "extrapolations.sc: 'solutions' must lie beyond 'measured_to', 400."
    )


def test_copies_of_problems_do_not_narrow_intervals():
    profile = read_profile("lab")
    once = select_problems(profile, range(0, 100, 5))
    copies = select_problems(profile, [at for at in range(0, 100, 5) for _ in range(4)])
    records = [record.model_copy(update={"cluster": record.id}) for record in copies.per_problem]
    copies = copies.model_copy(update={"per_problem": records})
    one, two = (predict_extrapolated_accuracy(each, "sc", 1024) for each in (once, copies))
    assert two.interval == pytest.approx(one.interval)
    assert derive_findings(copies, 1.0).plateau_interval == derive_findings(once, 1.0).plateau_interval


def test_a_plan_goes_on_from_what_it_expects_and_does_not_fall_below_it():
    profile = read_profile("lab")
    plain = predict_extrapolated_accuracy(profile, "sc", 1024)
    moved = extrapolate_voting(profile, 1024.0, 0.50, 0.52)
    assert moved.accuracy == pytest.approx(plain.accuracy + 0.02)
    assert moved.interval == pytest.approx((plain.interval[0] + 0.02, plain.interval[1] + 0.02))
    assert extrapolate_voting(profile, 1024.0, 0.60, 0.62).accuracy == pytest.approx(0.62)
    sc = profile.self_consistency  # where votes fall, they may go on falling
    falling = Curve(solutions=sc.solutions, accuracy=np.sort(sc.array)[:, ::-1].tolist())
    fallen = profile.model_copy(update={"strategies": profile.strategies | {"sc": falling}})
    assert extrapolate_voting(fallen, 1024.0, 0.60, 0.62).accuracy == pytest.approx(plain.accuracy + 0.02)
    plan = make_plan(profile, Budget(1024))
    voting = next(option for option in plan.alternatives if option.strategy == "sc")
    assert plan.extrapolated_voting.accuracy >= voting.accuracy


def test_a_problem_that_votes_rise_on_is_not_extrapolated_downwards():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"problem": "p", "answer": np.where(rng.random(64) < 0.4, 1, rng.integers(2, 5, 64)), "gold": 1}
    )
    profile = iso.fit(iso.from_frame(frame, problem="problem", answer="answer", gold="gold"))
    plan = iso.plan(profile, "128x")
    said = plan.to_dict()
    assert said["extrapolated"]["sc"]["accuracy"] >= said["recommendation"]["accuracy"]
    assert "of the measured" in " ".join(repr(plan).split())
    assert not any("favours the others" in warning for warning in plan.warnings)
    assert not any("simulated tasks" in warning for warning in plan.warnings)
