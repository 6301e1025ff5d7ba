"""Questions answered with a scripted engine: what is sampled, chosen and counted, and what a stop changes."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import BudgetError, ConfigError, EngineError, RunError
from isocompute.runners.display import SilentDisplay
from isocompute.runners.engines import Completion
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SEARCHES_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE
from isocompute.serving.policy_choice import build_policy
from isocompute.serving.question_progress import QuestionProgress
from isocompute.serving.solving import open_solving_models, solve_questions
from isocompute.serving.spending import price_tokens

LAB = Path(__file__).resolve().parents[2] / "data" / "lab"

POLICIES = {
    "fixed": {},
    "beta": {"policy": "beta", "threshold": 0.8},
    "doubling": {"policy": "doubling", "threshold": 0.75},
    "weighted-beta": {"policy": "weighted-beta", "threshold": 0.7},
}
"""What is asked of each kind."""


class Interrupted(BaseException):
    """Stands for Ctrl-C."""


def stop_after(scripted, rows: int):
    """Return an engine that is interrupted after so many rows."""
    engine = scripted()
    says, count = engine.says, [0]

    def speak(prompt, seed):
        count[0] += 1
        if count[0] > rows:
            raise Interrupted
        return says(prompt, seed)

    engine.says = speak
    return engine


@pytest.mark.parametrize("kind", POLICIES)
def test_every_question_gets_an_answer_and_the_run_is_whole(ask, scripted, kind):
    solved = solve_questions(ask(**POLICIES[kind]), load=scripted())
    assert len(solved.answers) == 8
    assert all(each.answer is not None and 0 < each.agreement <= 1 and each.stopped for each in solved.answers)
    report = check_run(Run(solved.run))
    assert report.is_whole
    assert not any(report.missing.values())


@pytest.mark.parametrize("kind", POLICIES)
def test_tokens_and_rows_in_the_table_are_those_in_the_run(ask, scripted, kind):
    solved = solve_questions(ask(**POLICIES[kind]), load=scripted())
    run = Run(solved.run)
    table = pd.read_csv(solved.table).set_index("id")
    tables = {t.name: run.read_frame(t).groupby("problem_id") for t in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)}
    for each in solved.answers:
        parts = [rows.get_group(each.id) for rows in tables.values() if each.id in rows.groups]
        for column in ("prompt_tokens", "completion_tokens"):
            assert table.loc[each.id, column] == sum(part[column].sum() for part in parts)
        assert table.loc[each.id, "solutions"] == len(tables["solutions"].get_group(each.id))
        judged = tables["verifications"]
        assert table.loc[each.id, "verifications"] == (
            len(judged.get_group(each.id)) if each.id in judged.groups else 0
        )


def test_compute_is_tokens_over_those_of_one_solution(ask, scripted, lab_profile):
    solved = solve_questions(ask(**POLICIES["weighted-beta"]), load=scripted())
    one = np.mean([record.tokens["solver"].completion for record in lab_profile.per_problem])
    for each in solved.answers:
        assert each.compute == pytest.approx(each.completion_tokens / one)  # solver and verifier are equally large
    prices = price_tokens(lab_profile).by_role
    assert prices["scorer"] / prices["solver"] == pytest.approx(1286912 / 860416)


@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("rows", [1, 20])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(ask, scripted, unclocked, kind, rows):
    whole = solve_questions(ask(run="whole", **POLICIES[kind]), load=scripted())
    with pytest.raises(Interrupted):
        solve_questions(ask(run="stopped", **POLICIES[kind]), load=stop_after(scripted, rows))
    resumed = solve_questions(ask(run="stopped", **POLICIES[kind]), load=scripted())
    assert resumed.answers == whole.answers
    assert resumed.sampled == whole.sampled - rows
    for table in (PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        first, second = (sorted(map(str, unclocked(Run(each.run), table))) for each in (whole, resumed))
        assert first == second


def test_asking_again_samples_nothing(ask, scripted):
    request = ask(**POLICIES["beta"])
    first = solve_questions(request, load=scripted())
    again = solve_questions(request, load=scripted(lambda prompt, seed: pytest.fail("a row was asked for again")))
    assert again.sampled == 0
    assert again.answers == first.answers


@pytest.mark.parametrize("kind", ["beta", "doubling", "weighted-beta"])
def test_a_policy_replayed_on_the_rows_does_what_was_done(ask, scripted, lab_profile, kind):
    solved = solve_questions(ask(**POLICIES[kind]), load=scripted())
    policy = build_policy(POLICIES[kind]["policy"], POLICIES[kind]["threshold"], 8.0, lab_profile.lam, True)
    run = Run(solved.run)
    solutions, verifications = run.read_frame(SOLUTIONS_TABLE), run.read_frame(VERIFICATIONS_TABLE)
    for each in solved.answers:
        progress = QuestionProgress(policy)
        own = solutions[solutions["problem_id"] == each.id]
        answers = own["answer"].astype(object).where(own["answer"].notna(), None)
        progress.solutions = {int(n): (a, False) for n, a in zip(own["solution_id"], answers, strict=True)}
        judged = verifications[verifications["problem_id"] == each.id]
        keys = zip(judged["solution_id"], judged["verification_id"], strict=True)
        progress.verdicts = dict(zip(keys, judged["verdict"].astype(float), strict=True))
        assert progress.list_awaited_rows() == []
        assert progress.stopped == each.stopped
        assert len(progress.used) == each.solutions  # nothing was sampled that the policy did not ask for
        assert progress.choose_answer()[0] == each.answer


@pytest.mark.parametrize("strategy", ["sc", "genrm", "genrm+vote", "weighted", "fused"])
def test_a_fixed_allocation_chooses_what_select_chooses(ask, scripted, lab_profile, strategy):
    only = {name: part for name, part in lab_profile.strategies.items() if name in ("sc", strategy)}
    profile = lab_profile.model_copy(update={"strategies": only, "extrapolations": {}})
    budget = "8x" if strategy == "sc" else "40x"
    solved = solve_questions(ask(budget, profile=profile), load=scripted())
    if solved.strategy != strategy:
        pytest.skip(f"the plan recommends {solved.strategy}")
    run = Run(solved.run)
    rows = run.read_frame(SOLUTIONS_TABLE)
    judged = run.read_frame(VERIFICATIONS_TABLE)
    for each in solved.answers:
        own = rows[rows["problem_id"] == each.id]
        verdicts = [
            judged[(judged["problem_id"] == each.id) & (judged["solution_id"] == number)]["verdict"].tolist()
            for number in own["solution_id"]
        ]
        chosen = iso.select(
            own["answer"].tolist(),
            None if strategy == "sc" else verdicts,
            strategy=strategy,
            profile="lab-both-small",
        )
        assert each.answer == chosen.answer


@pytest.mark.parametrize("strategy", ["bon", "prm-weighted", "beam+weighted", "rebase+weighted"])
def test_scored_strategies_and_searches_are_carried_out(ask, stepping, lab_profile, strategy):
    only = {name: part for name, part in lab_profile.strategies.items() if name in ("sc", strategy)}
    profile = lab_profile.model_copy(update={"strategies": only, "extrapolations": {}})
    scorer = {"kind": "lab", "model": str(LAB / "prm"), "engine": "transformers", "aggregate": "prod"}
    config = {**ask().config, "scorer": scorer, "step": "\n"}
    engine, scores = stepping()
    request = ask("12x", profile=profile, config=config)
    solved = solve_questions(request, load=engine, load_scorer=scores)
    assert solved.strategy == strategy
    run = Run(solved.run)
    report = check_run(run)
    assert report.is_whole
    assert not any(report.missing.values())
    assert {each.stopped for each in solved.answers} == {"allocation spent"}
    for each in solved.answers:
        assert each.answer is not None
        assert each.compute > 0
    if strategy.endswith("+weighted"):
        searches = run.read_frame(SEARCHES_TABLE).set_index("problem_id")
        assert [each.answer for each in solved.answers] == [searches.loc[each.id, "answer"] for each in solved.answers]
        assert sum(each.completion_tokens for each in solved.answers) == searches["generated_tokens"].sum()
    again = solve_questions(request, load=engine, load_scorer=scores)
    assert (again.sampled, again.answers) == (0, solved.answers)


def test_questions_without_a_right_answer_are_neither_right_nor_wrong(ask, scripted):
    solved = solve_questions(ask(**POLICIES["beta"]), load=scripted())
    run = Run(solved.run)
    golds = run.read_frame(PROBLEMS_TABLE).set_index("problem_id")["gold"]
    solutions = run.read_frame(SOLUTIONS_TABLE)
    unknown = solutions["problem_id"].map(golds).isna()
    assert unknown.any()
    assert (solutions["correct"].isna() == unknown).all()
    for each in solved.answers:
        assert each.correct == (None if pd.isna(golds[each.id]) else each.answer == golds[each.id])


def test_a_fit_of_answers_says_why_there_is_nothing_to_fit(ask, scripted, question_file):
    by_policy = solve_questions(ask(run="policy", **POLICIES["beta"]), load=scripted())
    with pytest.raises(RunError, match=r"was sampled by the policy beta at 0\.8.*fit the run of a sweep"):
        iso.fit(by_policy.run)
    fixed = solve_questions(ask(run="fixed"), load=scripted())
    with pytest.raises(RunError, match=r"lacks the right answers to 4 of 8 problems"):
        iso.fit(fixed.run)


def test_the_run_s_progress_is_told(ask, scripted, command):
    solved = solve_questions(ask(**POLICIES["weighted-beta"]), load=scripted())
    (progress,) = json.loads(command("runs", solved.run, "--json").out)
    for name in ("solutions", "verifications"):
        assert progress[name]["asked"] == progress[name]["done"] > 0
    assert progress["answers"]["ungraded"] > 0


def test_another_policy_needs_another_run(ask, scripted):
    solve_questions(ask(**POLICIES["beta"]), load=scripted())
    with pytest.raises(RunError, match=r"was sampled by the policy beta at 0\.8.*but a fixed allocation is asked for"):
        solve_questions(ask(), load=scripted())
    with pytest.raises(RunError, match=r"but the policy doubling at 0\.75"):
        solve_questions(ask(**POLICIES["doubling"]), load=scripted())


def test_a_solution_that_fails_is_passed_over_and_asked_for_again(ask, scripted):
    engine = scripted()
    says, failed = engine.says, set()

    def stumble(prompt, seed):
        if len(failed) < 3 and seed % 5 == 0:
            failed.add(seed)
            return Completion(None, 10, None, 7, None, "the server is gone")
        return says(prompt, seed)

    engine.says = stumble
    request = ask(**POLICIES["beta"])
    first = solve_questions(request, load=engine)
    assert first.failed == {"the server is gone": 3}
    assert sum(each.completion_tokens for each in first.answers) == int(
        Run(first.run).read_frame(SOLUTIONS_TABLE)["completion_tokens"].sum()
    )
    again = solve_questions(request, load=scripted())
    plain = solve_questions(ask(run="plain", **POLICIES["beta"]), load=scripted())
    assert [(a.id, a.answer, a.stopped) for a in again.answers] == [(a.id, a.answer, a.stopped) for a in plain.answers]
    # the failed attempts stay counted
    assert sum(a.completion_tokens for a in again.answers) >= sum(a.completion_tokens for a in plain.answers) + 3 * 7


def test_answers_that_nothing_can_read_stop_it_early(ask, scripted):
    with pytest.raises(EngineError, match="No answer can be read in the first 40 solutions"):
        solve_questions(ask("64x", policy="certain", threshold=64), load=scripted(lambda prompt, seed: "lost"))
    solved = solve_questions(
        ask(run="on", policy="certain", threshold=8, keep_going=True), load=scripted(lambda prompt, seed: "lost")
    )
    assert {each.answer for each in solved.answers} == {None}


@pytest.fixture
def policy_file(lab_profile, tmp_path):
    """A policy file of the value rule, learnt on a few made-up problems, and one of a rule that votes."""
    from isocompute.fits.policies.value_model import ValueModel
    from isocompute.planner.policies.policy_file import LearntOn, MeasuredPolicy, PolicyFile, write_policy_file

    def write(rule: str, threshold: float, model: ValueModel | None = None, **changes: object) -> str:
        measured = MeasuredPolicy(
            accuracy=0.5, compute=4, percentile_95=8, solutions=3, verifications=0, depth=3, same_answer=0.9
        )
        learnt = LearntOn(run="lab", problems=8, digest="0", solutions=8)
        fields = {"solutions": 6, "parameter": "p", "models": lab_profile.models} | changes
        policy = PolicyFile(
            rule=rule, threshold=threshold, learnt_on=learnt, measured=measured,
            answer_model=None if model is None else model.to_dict(), **fields,
        )  # fmt: skip
        write_policy_file(policy, str(tmp_path / "policy.json"))
        return str(tmp_path / "policy.json")

    return write


def test_a_policy_file_has_its_own_threshold_and_budget(ask, scripted, policy_file):
    request = replace(ask(policy=policy_file("beta", 0.8)), budget=None)
    solved = solve_questions(request, load=scripted())
    assert (solved.strategy, solved.settings, solved.budget) == ("beta", "at 0.8, at most 6 solutions", None)
    assert (solved.expected_accuracy, solved.expected_compute) == (0.5, 4)
    assert "The policy was learnt with the solver 'data/lab/solver', and 'solver' is used." in solved.notes
    same = solve_questions(ask("6x", run="same", policy="beta", threshold=0.8), load=scripted())
    assert solved.answers == same.answers


def test_the_value_rule_goes_on_after_a_stop_and_says_how_probably_it_is_right(ask, scripted):
    def make(run: str):
        return replace(ask(run=run, policy=str(Path(__file__).with_name("value_policy.json"))), budget=None)

    whole = solve_questions(make("whole"), load=scripted())
    assert all(0 < each.p_right < 1 for each in whole.answers)
    assert any(each.solutions > 2 for each in whole.answers)
    with pytest.raises(Interrupted):
        solve_questions(make("stopped"), load=stop_after(scripted, 11))
    resumed = solve_questions(make("stopped"), load=scripted())
    assert resumed.answers == whole.answers
    assert resumed.sampled == whole.sampled - 11


def test_the_value_rule_of_a_profile_is_carried_out(ask, scripted, lab_profile):
    solved = solve_questions(ask("32x", policy="value"), load=scripted())
    assert solved.strategy == "value"
    assert solved.expected_compute == pytest.approx(32, rel=0.6)
    assert all(0 < each.p_right < 1 for each in solved.answers if each.answer is not None)


def test_a_rule_without_a_measurement_needs_a_threshold(ask, scripted, lab_profile):
    unmeasured = lab_profile.model_copy(update={"policies": {}})
    with pytest.raises(ConfigError, match="no measurement of the policy beta within 8x; give --threshold"):
        solve_questions(ask(policy="beta", profile=unmeasured), load=scripted())


def test_a_rule_takes_the_threshold_that_the_profile_has_for_a_budget(ask, scripted, lab_profile):
    option = next(each for each in iso.plan(lab_profile.name, "16x")._plan.policies if each.rule == "beta")
    solved = solve_questions(ask("16x", policy="beta"), load=scripted())
    assert solved.settings == f"at {option.threshold:g}, at most {option.limit} solutions"
    assert option.limit < option.most_solutions
    assert (solved.expected_accuracy, solved.expected_compute) == (option.accuracy, option.compute)


def test_waves_sample_side_by_side(ask, scripted):
    solved = solve_questions(ask(width=4, **POLICIES["beta"]), load=scripted())
    assert {each.solutions for each in solved.answers} <= {4, 8}


def test_one_question_and_several_as_text(ask, scripted):
    one = solve_questions(ask(questions="Start with 17, minus 9, add 8.", run="one"), load=scripted())
    assert [each.id for each in one.answers] == ["1"]
    many = solve_questions(ask(questions=["Start with 1, add 1.", "Start with 2, add 2."], run="many"), load=scripted())
    assert [each.id for each in many.answers] == ["1", "2"]
    with pytest.raises(RunError, match="another question or answer for the problem '1'"):
        solve_questions(ask(questions="Start with 18, minus 9, add 8.", run="one"), load=scripted())


def test_more_questions_may_be_added(ask, scripted, question_file):
    first = solve_questions(ask(**POLICIES["beta"]), load=scripted())
    more = solve_questions(ask(questions=question_file(12), **POLICIES["beta"]), load=scripted())
    assert len(more.answers) == 12
    assert [each for each in more.answers if each.id in {a.id for a in first.answers}] == first.answers


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_the_table_holds_the_answers_in_each_format(ask, scripted, tmp_path, ending):
    path = tmp_path / f"answers{ending}"
    solved = solve_questions(ask(answers=str(path), **POLICIES["beta"]), load=scripted())
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".jsonl": lambda p: pd.read_json(p, lines=True)}[ending]
    frame = read(path)
    assert frame["id"].tolist() == [each.id for each in solved.answers]
    assert frame["p_right"].isna().all()
    assert frame["completion_tokens"].tolist() == [each.completion_tokens for each in solved.answers]


def test_a_strategy_without_its_models_is_replaced_by_the_next_best(ask, scripted, lab_profile, notes):
    display = notes()
    config = {key: value for key, value in ask().config.items() if key != "verifier"}
    solved = solve_questions(ask("128x", config=config), display, load=scripted())
    assert solved.strategy == "sc"
    (note,) = solved.notes
    assert "cannot be carried out with these models; carried out is the best that can: sc" in note
    assert note in display.said


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({"budget": "0.5x"}, BudgetError, "does not pay for one solution"),
        ({"budget": "2x", "policy": "weighted-beta", "threshold": 0.9}, BudgetError, "one solution of the policy"),
        ({"policy": "magic"}, ConfigError, "The policy 'magic' is unknown; there are: certain, beta"),
        ({"policy": "value", "threshold": 0.1}, ConfigError, "from a profile that has it, without a threshold"),
        ({"policy": "none.json"}, ConfigError, "has its own budget and threshold"),
        ({"threshold": 0.9}, ConfigError, "belongs to a policy"),
        ({"config": None}, ConfigError, "does not say with which models"),
        ({"config": {"engine": "openai"}}, ConfigError, "the key 'solver' is missing"),
        ({"width": 0}, ConfigError, "must be a whole number, 1 or more"),
        ({"urls": ["scorer=http://x/v1"]}, ConfigError, "has no 'scorer'"),
        ({"engine": "vllm", "urls": ["http://x/v1"]}, ConfigError, "leave one of them out"),
        ({"engine": "magic"}, ConfigError, "magic"),
        ({"columns": {"text": "question"}}, ConfigError, "has no column 'text'"),
        ({"columns": {"question": "gold"}}, ConfigError, "a column is one of question, answer, id"),
        ({"answers": "answers.txt"}, Exception, "must end in .csv, .jsonl or .parquet"),
        ({"questions": "none.csv"}, ConfigError, "'none.csv' does not exist"),
        ({"questions": "  "}, Exception, "is empty"),
        ({"questions": []}, Exception, "There are no questions"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    ask, scripted, tmp_path, lab_profile, changes, kind, sentence
):
    if changes.get("config", 1) is None:
        changes = changes | {"profile": lab_profile.model_copy(update={"sampling": None})}
    request = ask(**{name: value for name, value in changes.items() if name != "questions"})
    if "questions" in changes:
        request = replace(request, questions=changes["questions"])
    with pytest.raises(kind, match=sentence.replace("(", r"\(")):
        solve_questions(request, load=scripted())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("id,answer\na,1\n", "there is no column 'question'; it has id, answer"),
        ("id,question\na,1 + 1\na,2 + 2\n", "the id 'a' appears twice"),
        ("id,question\na,\n", "'question' is empty"),
        ("id,question\n", "holds no questions"),
        ("", "holds no questions"),
    ],
)
def test_a_bad_file_of_questions(ask, scripted, tmp_path, content, sentence):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(Exception, match=sentence):
        solve_questions(ask(questions=path), load=scripted())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("urls", [(), ("http://localhost:2/v1",)])
def test_on_a_cluster_the_replicas_are_those_of_the_sweep_file(ask, scripted, monkeypatch, urls):
    given = []

    @contextmanager
    def note(on, display, sweep=None):
        given.append((on, sweep))
        yield

    monkeypatch.setattr("isocompute.serving.solving.open_model_loading", note)
    plain = ask(urls=urls)
    clustered = replace(plain, config=plain.config | {"cluster": {"solver": {"max": 3}, "timeout": 9.0}})
    with open_solving_models("local", SilentDisplay(), clustered), open_solving_models(None, SilentDisplay(), plain):
        pass
    (on, sweep), elsewhere = given
    assert (on, sweep.cluster.solver.max, sweep.cluster.timeout) == ("local", 3, 9.0)
    assert elsewhere == (None, None)
    first = solve_questions(plain, load=scripted())
    assert solve_questions(clustered, load=scripted()).sampled == 0
    assert "cluster" not in Run(first.run).read_manifest()["config"]
