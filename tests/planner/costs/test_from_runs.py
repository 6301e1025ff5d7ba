"""From a run's rows to costs: a fit keeps raw tokens and times, so that the run is priced in any unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocompute.planner.budget import Budget
from isocompute.planner.costs.models import price_profile_requests
from isocompute.planner.costs.request import build_request
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.estimate.models import describe_model
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import TIME_LEVELS, read_profile
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SEARCHES_TABLE, SOLUTIONS_TABLE


def test_a_run_with_times_is_planned_in_seconds(small, scripted, tmp_path):
    well = scripted().says

    def says(prompt, seed):
        return Completion(
            well(prompt, seed), 3, 0, 4 + seed % 3, "stop", started_at=1e9 + seed % 100, seconds=1 + seed % 4
        )

    run = Run(run_sweep(small(), load=scripted(says)).run)
    profile = estimate_run_profile(run.path, "timed")
    rows = run.read_frame(SOLUTIONS_TABLE)
    ratios = rows["seconds"] / rows.groupby("problem_id")["seconds"].transform("mean")
    assert profile.timings["solver"].ratios == pytest.approx(np.quantile(ratios, TIME_LEVELS), abs=1e-4)
    assert profile.timings["solver"].concurrency > 1
    spread = rows.groupby("problem_id")["completion_tokens"].std(ddof=0)
    assert [record.tokens["solver"].completion_sd for record in profile.per_problem] == pytest.approx(
        [round(spread[record.id], 3) for record in profile.per_problem]
    )
    profile.write(str(tmp_path / "timed.json"))
    written = read_profile(str(tmp_path / "timed.json"))
    assert written.timings == profile.timings
    decided = make_priced_plan(written, build_request(Budget.parse("20 s")))
    assert 1 <= decided.costs.per_problem["seconds"] <= 20


def test_a_search_s_flops_from_its_tokens_are_those_of_its_cost_in_uncached_tokens(searched_run):
    profile = estimate_run_profile(searched_run, "searched", (3e9, 6e9))
    costs = price_profile_requests(profile, "flops", CostSettings())
    assert set(costs.searches) == {"beam+weighted", "beam+vanilla", "rebase+weighted"}
    for name, flops in costs.searches.items():
        part = profile.searches[name]
        assert flops / costs.get_mean("solver") == pytest.approx(part.cost["cached"], rel=1e-3)
        assert set(part.tokens) == {"solver", "scorer"}
    rows = Run(searched_run).read_frame(SEARCHES_TABLE)
    beam = rows[(rows["strategy"] == "rebase")]
    assert profile.searches["rebase+weighted"].tokens["solver"]["completion"] == pytest.approx(
        [beam["generated_tokens"].mean()], abs=1e-3
    )


def test_a_mixture_s_record_has_both_sizes(tmp_path):
    config = Path(__file__).parents[2] / "runners" / "cost" / "configs" / "mixtral-8x7b.json"
    (tmp_path / "config.json").write_text(config.read_text())
    record = describe_model(str(tmp_path), 12_879_925_248.0, {})
    assert (record.parameters, record.active_parameters) == (46_702_792_704, 12_879_925_248)
    assert record.kv_bytes == 131_072
    plain = describe_model("far/away", 8e9, {})
    assert (plain.parameters, plain.active_parameters, plain.kv_bytes) == (8e9, None, None)
