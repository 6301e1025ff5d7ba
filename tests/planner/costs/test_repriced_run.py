"""One run, priced in every unit: each agrees with an invoice that is summed over the run's own rows."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.planner.costs.allocation import compute_option_cost
from isocompute.planner.costs.devices import DEVICES
from isocompute.planner.costs.latency import compute_option_latency
from isocompute.planner.costs.models import price_profile_requests
from isocompute.planner.costs.prices import parse_prices
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.profile import ModelRecord
from isocompute.planner.strategy_option import StrategyOption
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

OPTION = StrategyOption("genrm", {"S": 3, "V": 2}, 0.0, 0.5, 0.5, None, None, None)
REQUESTS = {"solver": 3, "verifier": 6}
MODELS = {
    "solver": ModelRecord(name="small", parameters=8e9, kv_bytes=1000, attention_flops=2e6),
    "verifier": ModelRecord(
        name="org/big", parameters=47e9, active_parameters=13e9, kv_bytes=2000, attention_flops=4e6
    ),
}
PRICES = {
    "small": {"input": 1, "output": 4, "cached_read": 0.1},
    "big": {"input": 10, "output": 30, "cached_read": 1, "batch_discount": 0.5},
}
PRICED = {"solver": (1.0, 0.1, 4.0), "verifier": (5.0, 0.5, 15.0)}  # input, cached, output; half of the verifier's
USED = {"solver": 8e9, "verifier": 13e9}


@pytest.fixture
def repriced(small, scripted):
    """A run whose rows have tokens and times, its profile with known models, and its rows by role."""
    well = scripted().says

    def says(prompt, seed):
        verifies = "verif" in prompt.lower()
        prompt_tokens, cached, sampled = (70, 48, 5 + seed % 7) if verifies else (20, 8, 30 + seed % 20)
        second = 1e9 + (1000 if verifies else 0) + seed % 16
        seconds = float(1 + seed % 3)
        return Completion(
            well(prompt, seed), prompt_tokens, cached, sampled, "stop", started_at=second, seconds=seconds
        )

    run = Run(run_sweep(small(), load=scripted(says)).run)
    sizes = (8e9, 13e9)
    profile = estimate_run_profile(run.path, "repriced", sizes).model_copy(update={"models": MODELS})
    rows = {"solver": run.read_frame(SOLUTIONS_TABLE), "verifier": run.read_frame(VERIFICATIONS_TABLE)}
    assert [set(rows[role]["prompt_tokens"]) for role in REQUESTS] == [{20}, {70}]
    return profile, rows


def sum_invoice(rows, price):
    """The mean bill of three solutions and six verifications, each row billed by a function of its columns."""
    return sum(
        count * np.mean([price(role, row) for _, row in rows[role].iterrows()]) for role, count in REQUESTS.items()
    )


def price_option(profile, model, **settings):
    costs = price_profile_requests(profile, model, CostSettings(**settings))
    return compute_option_cost(profile, OPTION, costs)


def test_dollars(repriced):
    profile, rows = repriced

    def bill(role, row):
        given, cached, sampled = PRICED[role]
        fresh = row["prompt_tokens"] - row["cached_tokens"]
        return (given * fresh + cached * row["cached_tokens"] + sampled * row["completion_tokens"]) / 1e6

    priced = price_option(profile, "dollars", prices=parse_prices(PRICES, "by hand"))
    assert priced == pytest.approx(sum_invoice(rows, bill), rel=1e-4)


@pytest.mark.parametrize("model", ["tokens", "prompts", "cached", "flops"])
def test_tokens_and_flops(repriced, model):
    profile, rows = repriced

    def count(role, row):
        read = {"tokens": 0, "prompts": row["prompt_tokens"]}.get(model, row["prompt_tokens"] - row["cached_tokens"])
        counted = row["completion_tokens"] + read
        return 2 * USED[role] * counted if model == "flops" else USED[role] / USED["solver"] * counted

    assert price_option(profile, model) == pytest.approx(sum_invoice(rows, count), rel=1e-4)


@pytest.mark.parametrize("batch", [None, 8])
def test_kv_reads(repriced, batch):
    profile, rows = repriced
    device = DEVICES["h100"]
    stored = {"solver": 8e9, "verifier": 47e9}

    def work(role, row):
        model, sampled = MODELS[role], row["completion_tokens"]
        decoded = sum(row["prompt_tokens"] + step + 0.5 for step in range(sampled))
        read = sum(at + 0.5 for at in range(row["cached_tokens"], row["prompt_tokens"]))
        flops = 2 * USED[role] * (sampled + row["prompt_tokens"] - row["cached_tokens"])
        weights = 0 if batch is None else 2 * min(stored[role], batch * USED[role]) / batch * sampled
        reads = model.kv_bytes * decoded + weights
        return flops + model.attention_flops * (decoded + read) + device.intensity * reads

    assert price_option(profile, "kv", device=device, batch=batch) == pytest.approx(sum_invoice(rows, work), rel=1e-4)


def test_seconds(repriced):
    profile, rows = repriced
    at_once = {role: frame["seconds"].sum() / profile.timings[role].busy for role, frame in rows.items()}
    machine = sum_invoice(rows, lambda role, row: row["seconds"] / at_once[role])
    assert price_option(profile, "seconds") == pytest.approx(machine, rel=1e-3)
    # Three solutions side by side, then six verifications: the slowest of each, drawn from their problem's rows.
    rng = np.random.default_rng(0)
    slowest = 0.0
    for role, count in REQUESTS.items():
        by_problem = [group.to_numpy() for _, group in rows[role].groupby("problem_id")["seconds"]]
        slowest += np.mean([rng.choice(each, (4000, count)).max(axis=1).mean() for each in by_problem])
    assert compute_option_latency(profile, OPTION) == pytest.approx(slowest, rel=0.15)


def test_a_written_profile_is_priced_as_the_run_is(repriced, tmp_path):
    from isocompute.planner.profile import read_profile

    profile, _ = repriced
    profile.write(str(tmp_path / "mine.json"))
    again = read_profile(str(tmp_path / "mine.json"))
    given = {"prices": parse_prices(PRICES, "by hand"), "device": DEVICES["l4"]}
    for model in ("tokens", "prompts", "cached", "flops", "kv", "dollars", "seconds"):
        assert price_option(again, model, **given) == pytest.approx(price_option(profile, model, **given), rel=1e-12)
