"""`runs`, `check` and `sweep --dry-run`: what they say, how they end, and what they leave alone."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import yaml

from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.profile import read_profile
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SEARCHES_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

HOSTILE = "lost \x1b[31m[bold]\n\x07 [/red] " + "x" * 500


@pytest.fixture
def written(tmp_path):
    """Writes a sweep file."""

    def write(config):
        path = tmp_path / "sweep.yaml"
        path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
        return path

    return write


def narrow(text):
    """Lines that are longer than a small terminal."""
    return [line for line in text.splitlines() if len(line.rstrip()) > 80]


def lines(text):
    return [line.strip() for line in text.splitlines()]


# runs


def test_runs_shows_how_far_each_run_is(command, small, scripted, tmp_path):
    well = scripted().says

    def failing(prompt, seed):
        return Completion(None, None, None, None, None, HOSTILE) if seed % 4 == 0 else well(prompt, seed)

    run_sweep(small(run=str(tmp_path / "a")), load=scripted())
    run_sweep(small(run=str(tmp_path / "b")), load=scripted(failing))
    run = Run(tmp_path / "b")
    done = {table: len(run.read_keys(table)) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)}
    ended = command("runs", tmp_path)
    assert ended.code == 0
    said = lines(ended.out)
    assert said[0].startswith(f"{tmp_path}/a, written ")
    assert "4 problems of lab; scripted/solver, verified by scripted/verifier" in said
    assert [line.split()[:6] for line in said if line.startswith(("solutions", "verifications"))] == [
        ["solutions", "24", "of", "24", "100", "%"],
        ["verifications", "72", "of", "72", "100", "%"],
        ["solutions", str(done[SOLUTIONS_TABLE]), "of", "24", f"{100 * done[SOLUTIONS_TABLE] / 24:.3g}", "%"],
        [
            "verifications",
            str(done[VERIFICATIONS_TABLE]),
            "of",
            "72",
            f"{100 * done[VERIFICATIONS_TABLE] / 72:.3g}",
            "%",
        ],
    ]
    assert any("failed: lost  [31m[bold]   [/red] xxx" in line for line in said)
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out

    fields = json.loads(command("runs", tmp_path, "--json").out)
    assert [run["run"] for run in fields] == [f"{tmp_path}/a", f"{tmp_path}/b"]
    assert fields[1]["solutions"]["done"] == done[SOLUTIONS_TABLE]
    assert fields[1]["solutions"]["failures"] == {HOSTILE: 24 - done[SOLUTIONS_TABLE]}
    assert fields[0]["solutions"]["tokens"]["cached"] is None
    assert fields[0]["written"].endswith("Z")


def test_runs_shows_the_others_when_one_is_damaged(command, small, scripted, tmp_path):
    for name in "abc":
        run_sweep(small(run=str(tmp_path / name)), load=scripted())
    part = tmp_path / "b" / "solutions" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    ended = command("runs", tmp_path)
    assert ended.code == 0
    assert sum(line.startswith("solutions") for line in lines(ended.out)) == 2
    [line] = [line for line in lines(ended.out) if line.startswith("cannot be read: ")]
    assert line.endswith(f"`isocompute check {tmp_path}/b` says what would be lost.")
    fields = json.loads(command("runs", tmp_path, "--json").out)
    assert [run["reason"] is None for run in fields] == [True, False, True]


def test_runs_that_are_not_there(command, refused, tmp_path):
    assert f"No runs in {tmp_path} (subfolders included)." in command("runs", tmp_path).out
    assert json.loads(command("runs", tmp_path, "--json").out) == []
    assert refused("runs", tmp_path / "none") == f"There is no folder '{tmp_path}/none' to look for runs in."


def test_runs_looks_here_if_nowhere_else(command, written_run, monkeypatch):
    monkeypatch.chdir(written_run.parent)
    assert command("runs").out.startswith("run, written ")


# check


def test_check_of_a_whole_run_ends_in_0(command, written_run):
    ended = command("check", written_run)
    assert (ended.code, ended.err) == (0, "")
    first, *notes = ended.out.splitlines()
    assert first == f"{written_run} is intact: 4 problems, 24 solutions, 72 verifications."
    assert notes == [
        "note: 9 of 24 solutions (37.5 %) have no answer that can be read; they count as wrong.",
        "note: 9 of 72 verdicts (12.5 %) cannot be read; they count as neither yes nor no.",
    ]
    report = json.loads(command("check", written_run, "--json").out)
    assert report["whole"]
    assert report["damage"] == []


def test_check_of_a_damaged_run_ends_in_1_and_says_what_to_do_and_that_mends_it(command, written_run):
    part = written_run / "verifications" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    ended = command("check", written_run)
    assert ended.code == 1
    said = lines(ended.out)
    assert said[0] == f"{written_run} is damaged."
    assert str(part) in said
    assert "lost: all its rows; their number is unknown" in said
    asked = "A sweep would still add 72 verifications: ('lab-0-1-0', 0, 0) to ('lab-0-4-0', 5, 2)."
    assert asked in said
    assert said[-2].startswith(f"To do: isocompute check {written_run} --repair")
    report = json.loads(command("check", written_run, "--json").out)
    assert not report["whole"]
    assert [(found["path"], found["remedy"]) for found in report["damage"]] == [(str(part), "repair")]
    assert report["missing"]["verifications"] == [
        {"first": ["lab-0-1-0", 0, 0], "last": ["lab-0-4-0", 5, 2], "rows": 72}
    ]

    mended = command("check", written_run, "--repair")
    assert mended.code == 0
    assert lines(mended.out)[-1] == "The damaged parts are set aside. Run the same sweep again."
    assert command("check", written_run).code == 0


def test_check_cannot_repair_a_manifest(command, written_run):
    (written_run / "manifest.json").write_text("{")
    for options in ((), ("--repair",)):
        ended = command("check", written_run, *options)
        assert ended.code == 1
        assert lines(ended.out)[-1] == "To do: restore manifest.json from a copy, or start a new run."


def test_check_of_what_is_no_run_ends_in_2(refused, tmp_path):
    assert refused("check", tmp_path / "none") == f"There is no run at '{tmp_path}/none': the folder does not exist."
    assert (
        refused("check", tmp_path, "--repair") == f"There is no run at '{tmp_path}': the folder has no manifest.json."
    )
    assert list(tmp_path.iterdir()) == []


def test_fit_of_a_damaged_run_names_check(refused, written_run, tmp_path):
    part = written_run / "verifications" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    sentence = refused("fit", written_run, "-o", tmp_path / "p.json")
    assert sentence.startswith(f"{part} cannot be read as Parquet: ")
    assert sentence.endswith(f"; `isocompute check {written_run}` says what would be lost.")


# sweep --dry-run


def test_a_dry_run_says_what_is_missing_and_writes_nothing(command, small, scripted, written, written_run):
    path = written(small(solutions=8, verified=6))
    before = {file: file.read_bytes() for file in written_run.rglob("*") if file.is_file()}
    options = ("--tokens-per-second", 10, "--price-in", 1, "--price-out", 10, "--price-hour", 36, "--parameters", 1e9)
    ended = command("sweep", path, "--dry-run", *options)
    assert (ended.code, ended.err) == (0, "")
    assert lines(ended.out)[0] == f"{written_run}: 8 requests would be made. Nothing was written."
    assert narrow(ended.out.partition("\n")[2]) == []
    price = json.loads(command("sweep", path, "--dry-run", *options, "--json").out)
    rows = Run(written_run).read_frame(SOLUTIONS_TABLE)
    tokens, prompts = 8 * rows["completion_tokens"].mean(), 8 * rows["prompt_tokens"].mean()
    assert price["roles"]["solver"]["flops"] == pytest.approx(2e9 * tokens)
    assert price["hours"] == pytest.approx(tokens / 10 / 3600)
    assert price["dollars"] == pytest.approx(prompts / 1e6 + tokens / 1e5 + tokens / 1000)
    assert f"Cost: ${price['dollars']:,.2f}" in lines(ended.out)
    assert {file: file.read_bytes() for file in written_run.rglob("*") if file.is_file()} == before


def test_a_dry_run_says_what_is_a_bound_and_what_is_unknown(command, small, written, tmp_path):
    path = written(small())
    said = command("sweep", path, "--dry-run").out
    assert (
        said.count("length unknown, at most max_tokens (1,024); --sample 2 measures it; P unknown (--parameters)") == 2
    )
    assert "≤ 24.6k" in said
    assert "Time: unknown; --tokens-per-second sets the speed" in said
    assert "Cost: unknown; --price-in and --price-out" in said
    timed = command("sweep", path, "--dry-run", "--tokens-per-second", 1000, "--price-hour", 2, "--price-in", 1).out
    assert "Time: at most 1.6 min at 1,000 completion tokens a second, given" in timed
    assert "Cost: unknown, because the tokens are unknown; --sample 2 measures them" in timed
    assert "Cost: unknown, because the time is unknown" in command("sweep", path, "--dry-run", "--price-hour", 2).out
    hourly = command("sweep", path, "--dry-run", "--tokens-per-second", 1000, "--price-hour", 36).out
    assert "Cost: at most $0.98" in hourly
    assert not (tmp_path / "run").exists()


def test_a_dry_run_prices_scores_and_searches(command, searching, stepping, written):
    config = searching(scored=1)
    untold = command("sweep", written(config), "--dry-run", "--tokens-per-second", 10)
    assert (untold.code, untold.err) == (0, "")
    assert (
        lines(untold.out)[0]
        == f"{config.run}: 4 requests, 4 scores and 32 searches would be made. Nothing was written."
    )
    assert "searches: length unknown; --sample 2 measures it" in untold.out
    assert "Time: unknown, because the length of searches is unknown; --sample 2 measures it" in untold.out
    engine, scorer = stepping()
    run_sweep(config, load=engine, load_scorer=scorer)
    larger = searching(scored=1, task={"name": "lab", "problems": 6}, solutions=1)
    told = command("sweep", written(larger), "--dry-run", "--tokens-per-second", 10, "--parameters", 1e9)
    rows = len(Run(config.run).read_keys(SEARCHES_TABLE))
    assert f"searches: length from {rows} existing rows; P = 1B, P of the scorer = 1B" in told.out
    assert "Time: unknown, because the speed of scoring is unknown; --sample 2 measures it" in told.out
    assert narrow(told.out.partition("\n")[2].partition("\n\nsolver")[0]) == []
    price = json.loads(command("sweep", written(larger), "--dry-run", "--json").out)
    assert price["roles"]["dvts N=8 M=4 k=2"]["requests"] == 2


def test_a_dry_run_of_a_complete_run(command, small, written, written_run):
    assert command("sweep", written(small()), "--dry-run").out == (
        f"{written_run} is complete: nothing is left to sample.\n"
    )


def test_what_belongs_to_a_dry_run_is_refused_without_it(command, small, written, tmp_path):
    path = written(small())
    for option in (("--json",), ("--sample", 1), ("--price-in", 0), ("--parameters", 8e9), ("--tokens-per-second", 1)):
        ended = command("sweep", path, *option)
        assert ended.code == 2
        assert "need --dry-run" in " ".join(ended.err.split())
    assert not (tmp_path / "run").exists()


def test_a_price_that_is_none_is_refused(refused, small, written):
    path = written(small())
    assert (
        refused("sweep", path, "--dry-run", "--price-in=-1")
        == "A price is -1; it must be zero, or lie from 1e-09 to 1,000,000."
    )
    assert (
        refused("sweep", path, "--dry-run", "--tokens-per-second", "nan")
        == "The rate is nan; it must lie from 0.001 to 1e+12."
    )


def test_a_sweep_on_a_full_disk_ends_in_one_sentence_and_2(refused, small, scripted, written, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr("isocompute.runners.sampling.sweep.run_sweep", partial(run_sweep, load=scripted()))
    assert refused("sweep", written(small())) == (
        f"{tmp_path}/run/manifest.json could not be written: No space left on device. What was written before is "
        "intact; run the same command again to continue."
    )


# λ in three ways


def cached(scripted):
    """An engine with a prefix cache."""
    well = scripted().says

    def says(prompt, seed):
        text = well(prompt, seed)
        return Completion(text, len(prompt), len(prompt) // 2, len(text), "stop")

    return scripted(says)


def test_fit_counts_lambda_in_three_ways_and_plan_takes_any_of_them(command, refused, small, scripted, tmp_path):
    run = Run(run_sweep(small(), load=cached(scripted)).run)
    path = tmp_path / "p.json"
    said = command("fit", run.path, "-o", path).out
    means = {
        table: run.read_frame(table)[["prompt_tokens", "cached_tokens", "completion_tokens"]].mean()
        for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)
    }

    def ratio(prompt, held):
        cost = {
            t: m["completion_tokens"] + prompt * m["prompt_tokens"] - held * m["cached_tokens"]
            for t, m in means.items()
        }
        return cost[VERIFICATIONS_TABLE] / cost[SOLUTIONS_TABLE]

    expected = {"completion": ratio(0, 0), "prompts": ratio(1, 0), "cached": ratio(1, 1)}
    profile = read_profile(str(path))
    assert profile.lambdas == pytest.approx(expected)
    assert profile.lam == profile.lambdas["completion"]
    assert f"λ = {expected['completion']:.3g} (completion tokens: " in said
    assert f"{expected['prompts']:.3g} with prompts; {expected['cached']:.3g} with uncached prompts only" in said
    for way, lam in expected.items():
        plan = json.loads(command("plan", "-b", "8x", "-p", path, "--lambda", way, "--json").out)
        assert plan["lambda"] == pytest.approx(lam)
    fitted = json.loads(command("fit", run.path, "-o", path, "--json").out)
    assert fitted["lambdas"] == pytest.approx(expected)


def test_a_lambda_that_was_not_measured_stays_unknown(command, refused, written_run, tmp_path):
    path = tmp_path / "p.json"
    said = command("fit", written_run, "-o", path).out
    assert "with prompts; unknown with uncached prompts only" in said
    assert read_profile(str(path)).lambdas["cached"] is None
    assert refused("plan", "-b", "8x", "-p", path, "--lambda", "cached") == (
        "The profile 'p' has no λ for 'cached': it has completion, prompts; give λ as a number."
    )
    assert "it was made without a run's tokens" in refused(
        "plan", "-b", "8x", "-p", "llama-3.1-8b-math", "--lambda", "prompts"
    )


def test_cached_tokens_that_cannot_be_are_refused(refused, written_run, rewrite, tmp_path):
    rewrite(written_run, SOLUTIONS_TABLE, lambda frame: frame.assign(cached_tokens=frame["prompt_tokens"] + 1))
    assert refused("fit", written_run, "-o", tmp_path / "p.json") == (
        f"{written_run}/solutions/part-00000.parquet: 24 rows with more cached_tokens than prompt_tokens; the first: "
        f"('lab-0-1-0', 0); `isocompute check {written_run}` says what would be lost."
    )


def test_lambda_of_one_row_that_does_not_say_is_unknown(written_run, rewrite):
    rewrite(
        written_run,
        VERIFICATIONS_TABLE,
        lambda frame: frame.assign(prompt_tokens=[None, *frame["prompt_tokens"].tolist()[1:]]),
    )
    found = measure_costs(read_pool(Run(written_run))).lambdas
    assert found["completion"] > 0
    assert found["prompts"] != found["prompts"]


def test_a_profile_from_before_reads_without_them(tmp_path):
    content = json.loads((Path(__file__).parents[2] / "data" / "profiles" / "lab.json").read_text())
    del content["lambdas"]
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert read_profile(str(tmp_path / "old.json")).lambdas == {}
