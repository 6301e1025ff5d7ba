from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from random import Random

import fsspec
import pytest

from isocompute.errors import EngineError, RunError
from isocompute.runners.cost.estimate import quote_sweep
from isocompute.runners.cost.price import UNKNOWN_LENGTHS, TokenLengths
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SCORES_TABLE, SEARCHES_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

TABLES = {"solver": SOLUTIONS_TABLE, "verifier": VERIFICATIONS_TABLE}


def requests(found):
    return {role: cost.requests for role, cost in found.roles.items()}


def lengths(found):
    return {role: cost.lengths for role, cost in found.roles.items()}


def snapshot(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def no_engine(*_, **__):
    raise AssertionError("a model was loaded")


def test_a_sweep_that_is_not_begun_is_priced_whole_and_bounded_by_max_tokens(small, tmp_path):
    found = quote_sweep(small(verified=2), load=no_engine)
    assert requests(found) == {"solver": 24, "verifier": 24}
    assert lengths(found)["solver"] == TokenLengths(None, None, 1024.0, "max_tokens", 0)
    assert found.upper_bound
    assert found.hours is None
    assert not (tmp_path / "run").exists()


def test_only_what_is_missing_is_priced_at_the_lengths_of_what_is_there(small, scripted, written_run):
    before = snapshot(written_run)
    larger = small(solutions=9, verifications=5, task={"name": "lab", "problems": 6})
    found = quote_sweep(larger, rate=100.0, load=no_engine)
    assert snapshot(written_run) == before
    engine = scripted()
    run_sweep(larger, load=engine)
    asked = [request.key[0] for request in engine.asked]
    assert requests(found) == {"solver": asked.count(SOLUTIONS_TABLE), "verifier": asked.count(VERIFICATIONS_TABLE)}
    assert lengths(found)["solver"].rows == 24
    assert not found.upper_bound


def test_the_lengths_are_means_of_the_rows_that_are_ok(small, scripted):
    well = scripted().says
    lost = Completion(None, 9999, None, 9999, None, "cut")
    run_sweep(small(), load=scripted(lambda prompt, seed: lost if seed % 3 == 0 else well(prompt, seed)))
    found = quote_sweep(small(), load=no_engine)
    for role, table in (("solver", SOLUTIONS_TABLE), ("verifier", VERIFICATIONS_TABLE)):
        frame = Run(small().run).read_frame(table).query("status == 'ok'")
        expected = TokenLengths(
            frame["prompt_tokens"].mean(), None, frame["completion_tokens"].mean(), "run", len(frame)
        )
        assert lengths(found)[role] == expected
        asked = {"solver": 24, "verifier": 72}[role]
        assert requests(found)[role] == asked - len(frame)


def test_a_sweep_without_verifications_has_no_verifier_to_pay(small):
    assert requests(quote_sweep(small(verifications=0), load=no_engine)) == {"solver": 24}


def test_a_complete_run_costs_nothing_and_is_not_sampled(small, written_run):
    found = quote_sweep(small(), sample=2, load=no_engine)
    assert requests(found) == {"solver": 0, "verifier": 0}


def test_a_sample_measures_lengths_and_speed_and_leaves_nothing(small, scripted, tmp_path):
    engine, pause = scripted(), {"solver": 0.002, "verifier": 0.02}
    well = engine.says

    def slow(prompt, seed):
        time.sleep(pause["verifier" if prompt.endswith("Verification:\n") else "solver"])
        return well(prompt, seed)

    engine.says = slow
    found = quote_sweep(small(), sample=2, load=engine)
    asked = [request.key for request in engine.asked]
    assert {key[1] for key in asked} == set(Random(0).sample([f"lab-0-{i}-0" for i in (1, 2, 3, 4)], 2))
    assert len(asked) == 2 * 6 + 2 * 4 * 3
    assert {mean.source for mean in lengths(found).values()} == {"sample"}
    assert [mean.rows for mean in lengths(found).values()] == [12, 24]
    assert requests(found) == {"solver": 24, "verifier": 72}
    assert found.rate_source == "sample"
    for role, table in TABLES.items():
        longest = max(len(well(request.prompt, request.seed)) for request in engine.asked if request.key[0] is table)
        assert 0 < found.rates[role] < longest / pause[role]
    assert not (tmp_path / "run").exists()
    assert not [path for path in fsspec.filesystem("memory").find("/") if "isocompute-sample" in path]


def test_a_sample_of_more_problems_than_there_are_is_of_all(small, scripted):
    engine = scripted()
    quote_sweep(small(), sample=100, load=engine)
    assert len({request.key[1] for request in engine.asked}) == 4


def test_what_the_run_tells_is_not_sampled_and_what_is_given_is_believed(small, scripted, written_run):
    larger = small(solutions=9)
    assert quote_sweep(larger, rate=5.0, sample=1, load=no_engine).rate_source == "given"
    found = quote_sweep(larger, sample=1, load=scripted())
    assert found.rate_source == "sample"
    assert {mean.source for mean in lengths(found).values()} == {"run"}


def test_a_sample_of_which_no_row_comes_is_a_sentence(small, scripted):
    lost = scripted(lambda *_: Completion(None, None, None, None, None, "out of memory"))
    with pytest.raises(EngineError) as caught:
        quote_sweep(small(), sample=1, load=lost)
    assert str(caught.value) == "The sample of 'solver' produced no rows: out of memory."
    assert not [path for path in fsspec.filesystem("memory").find("/") if "isocompute-sample" in path]


def test_a_sweep_that_would_be_refused_is_not_priced(small, written_run):
    with pytest.raises(RunError, match="was made with seed = 0, but this sweep requests 7"):
        quote_sweep(small(seed=7), load=no_engine)


def test_models_that_no_folder_tells_are_as_large_as_is_said(small):
    def sizes(*given):
        return [cost.parameters for cost in quote_sweep(small(), parameters=given, load=no_engine).roles.values()]

    assert sizes() == [None, None]
    assert sizes(8e9) == [8e9, 8e9]
    assert sizes(8e9, 70e9) == [8e9, 70e9]


# Scores and searches


def roles_of(config):
    return [shape.label for shape in config.searches_by_shape]


def test_what_scores_and_searches_take_is_unknown_without_rows_and_without_a_sample(searching, tmp_path):
    config = searching(scored=1)
    found = quote_sweep(config, rate=10.0, parameters=[1e9, 3e9], load=no_engine, load_scorer=no_engine)
    assert roles_of(config) == ["beam N=3 M=4", "beam N=8 M=4", "dvts N=8 M=4 k=2", "rebase N=5", "particle N=4",
                                "revise N=6 M=3"]  # fmt: skip
    seeds = dict.fromkeys(roles_of(config), 4) | {"beam N=3 M=4": 8, "beam N=8 M=4": 8}
    assert requests(found) == {"solver": 4, "scorer": 4, **seeds}
    for role in ("scorer", *seeds):
        assert (found.roles[role].lengths, found.roles[role].scorer_prompt_tokens) == (UNKNOWN_LENGTHS, None)
        assert found.roles[role].scorer_parameters == 3e9
    assert (found.hours, found.dollars) == (None, None)
    assert not (tmp_path / "run").exists()


def test_only_searches_that_are_missing_are_priced_at_what_those_that_are_there_took(searching, stepping):
    engine, scorer = stepping()
    run_sweep(searching(scored=1), load=engine, load_scorer=scorer)
    run = Run(searching().run)
    before = run.read_frame(SEARCHES_TABLE)
    larger = searching(scored=1, task={"name": "lab", "problems": 6})
    found = quote_sweep(larger, rate=10.0, parameters=[1e9, 3e9], load=no_engine, load_scorer=no_engine)
    beam = before[(before["strategy"] == "beam") & (before["n"] == 8)]
    cost = found.roles["beam N=8 M=4"]
    assert cost.requests == 2 * 2
    assert cost.lengths == TokenLengths(
        beam["prompt_tokens"].mean(), beam["cached_tokens"].mean(), beam["generated_tokens"].mean(), "run",
        len(beam), beam["scorer_prompt_tokens"].mean(), beam["scorer_cached_tokens"].mean(), 0.0,
    )  # fmt: skip
    new = beam["prompt_tokens"] - beam["cached_tokens"]
    assert cost.flops == pytest.approx(4 * 2e9 * beam["generated_tokens"].mean())
    assert cost.prompt_flops == pytest.approx(4 * 2e9 * new.mean())
    assert cost.scorer_flops == pytest.approx(
        4 * 6e9 * (beam["scorer_prompt_tokens"] - beam["scorer_cached_tokens"]).mean()
    )
    scores = run.read_frame(SCORES_TABLE)["scorer_prompt_tokens"]
    assert found.roles["scorer"].scorer_prompt_tokens == pytest.approx(2 * scores.mean())
    assert (found.roles["scorer"].flops, found.roles["scorer"].completion_tokens) == (0.0, 0.0)
    assert found.hours is None  # how fast solutions are scored is not given
    engine, scorer = stepping()
    run_sweep(larger, load=engine, load_scorer=scorer)
    after = run.read_frame(SEARCHES_TABLE)
    shapes = Counter(zip(after["strategy"], after["n"], strict=True))
    shapes.subtract(zip(before["strategy"], before["n"], strict=True))
    assert sum(shapes.values()) == sum(found.roles[role].requests for role in roles_of(larger))


def test_a_search_that_failed_is_missing_and_tells_no_length(searching, stepping):
    engine, scorer = stepping()
    well, lost = engine.says, Completion(None, None, None, None, None, "lost")
    engine.says = lambda request: lost if request.sampling.step and request.seed % 9 == 0 else well(request)
    summary = run_sweep(searching(), load=engine, load_scorer=scorer)
    assert summary.failed
    rows = Run(searching().run).read_frame(SEARCHES_TABLE)
    found = quote_sweep(searching(), load=no_engine, load_scorer=no_engine)
    assert sum(found.roles[role].requests for role in roles_of(searching())) == (rows["status"] != "ok").sum() > 0
    well = rows[(rows["status"] == "ok") & (rows["strategy"] == "rebase")]
    assert found.roles["rebase N=5"].lengths.completion_tokens == well["generated_tokens"].mean()


def test_a_sample_searches_each_kind_once_a_problem(searching, stepping, tmp_path):
    engine, scorer = stepping()
    config = searching(scored=1)
    found = quote_sweep(config, sample=2, parameters=[1e9], load=engine, load_scorer=scorer)
    assert {cost.lengths.source for cost in found.roles.values()} == {"sample"}
    assert {found.roles[role].lengths.rows for role in roles_of(config)} == {2}
    assert engine.loaded == engine.closed == 2  # for solutions, for searches
    assert scorer.loaded == scorer.closed == 2
    assert set(found.rates) == {"solver", "scorer", *roles_of(config)}
    assert len({found.rates[role] for role in roles_of(config)}) == 1
    assert 0 < found.hours < 1
    assert found.rate_source == "sample"
    assert not (tmp_path / "run").exists()
    assert not [path for path in fsspec.filesystem("memory").find("/") if "isocompute-sample" in path]
    given = quote_sweep(config, rate=1e-3, sample=2, load=stepping()[0], load_scorer=stepping()[1])
    assert given.rates["solver"] == given.rates["rebase N=5"] == 1e-3
    assert given.rates["scorer"] > 1
