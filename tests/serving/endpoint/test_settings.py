"""What the command line says of a server, and what a request costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from isocompute.errors import BudgetError, ConfigError, DataError
from isocompute.planner.policies.policy_file import LearntOn, MeasuredPolicy, PolicyFile, write_policy_file
from isocompute.planner.profile import read_profile
from isocompute.serving.endpoint.options import Options
from isocompute.serving.endpoint.plans import Defaults, PlanBook
from isocompute.serving.endpoint.settings import build_serve_settings
from isocompute.serving.endpoint.start import open_socket

URL = "http://localhost:8000/v1"
VERIFIER = f"verifier={URL}"


@pytest.mark.parametrize(
    ("urls", "options", "error", "words"),
    [
        ([], {}, ConfigError, "needs a server"),
        ([VERIFIER], {}, ConfigError, "needs a server"),
        ([f"scorer={URL}", URL], {}, ConfigError, "was measured without a scorer"),
        ([f"judge={URL}", URL], {}, ConfigError, "role 'judge'"),
        ([URL], {"policy": "best"}, ConfigError, "unknown"),
        ([URL], {"policy": "value"}, ConfigError, "verifier's server"),
        ([URL], {"policy": "missing.json"}, DataError, "no policy file"),
        ([URL], {"policy": "fixed", "threshold": 0.9}, ConfigError, "belongs to a rule"),
        ([URL], {"policy": "weighted-beta"}, ConfigError, "verifier's server"),
        ([URL], {"budget": "16"}, BudgetError, "no unit"),
        ([URL], {"most_budget": "$3"}, BudgetError, "solutions' worth"),
        ([URL], {"grader": "guess"}, ConfigError, "guess"),
        ([URL], {"host": "0.0.0.0"}, ConfigError, "ISOCOMPUTE_SERVE_KEY"),
        ([URL], {"host": "example.org"}, ConfigError, "ISOCOMPUTE_SERVE_KEY"),
    ],
)
def test_what_cannot_be_served_is_refused_in_a_sentence(urls, options, error, words):
    with pytest.raises(error, match=words.replace("$", r"\$")) as refused:
        build_serve_settings("lab", urls, **options)
    assert str(refused.value).endswith(".")


def test_beyond_loopback_a_key_of_some_length_is_enough(monkeypatch):
    monkeypatch.setenv("ISOCOMPUTE_SERVE_KEY", "short")
    with pytest.raises(ConfigError):
        build_serve_settings("lab", [URL], host="0.0.0.0")
    monkeypatch.setenv("ISOCOMPUTE_SERVE_KEY", "a-key-of-some-length")
    settings = build_serve_settings("lab", [URL], host="0.0.0.0")
    assert settings.key == "a-key-of-some-length"
    assert "a-key" not in repr(settings)


def test_a_taken_port_is_an_error_in_a_sentence():
    with open_socket("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match="cannot be listened at"):
        open_socket("127.0.0.1", taken.getsockname()[1])


def test_roles_are_prompted_as_in_the_profile():
    settings = build_serve_settings("lab", [URL, VERIFIER])
    solver, verifier = settings.roles["solver"], settings.roles["verifier"]
    assert (solver.prompt.name, solver.chat, solver.sampling["max_tokens"]) == ("lab-solve", False, 200)
    assert (verifier.prompt.name, verifier.sampling["temperature"]) == ("lab-verify", 0.7)
    unknown = build_serve_settings("llama-3.1-8b-math", [URL, VERIFIER]).roles
    assert unknown["solver"].prompt is None
    assert unknown["verifier"].prompt.name == "genrm-base"


def build_book(policy="auto", threshold=None, roles=("solver", "verifier"), budget="32x", file=None):
    settings = build_serve_settings("lab", [URL, VERIFIER], budget=budget)
    return PlanBook(read_profile("lab"), roles, Defaults(settings.defaults.budget, policy, threshold), file)


def spend(book, **options):
    asked = Options(**options)
    return book.make_spending(book.make_plan(asked), asked)


def test_auto_takes_the_cheapest_within_half_a_point_of_the_most_accurate():
    book = build_book()
    plan = book.make_plan(Options())
    best = spend(book)
    others = [spend(book, policy="fixed"), *(book.describe_measured(option.rule, plan) for option in plan.policies)]
    most = max(other.accuracy for other in others)
    assert best.accuracy >= most - 0.005
    assert all(other.mean >= best.mean for other in others if other.accuracy >= most - 0.005)


def test_a_measured_rule_spends_the_budget_on_average_and_one_with_a_threshold_at_most():
    measured, given = spend(build_book(), policy="beta"), spend(build_book(), policy="beta", threshold=0.9)
    assert measured.mean <= 32 <= measured.most
    assert measured.accuracy is not None
    assert (given.most, given.mean) == (32, None)
    assert given.decider.threshold == 0.9


def test_without_a_verifier_only_strategies_of_votes_are_left():
    book = build_book(roles=("solver",))
    assert spend(book, policy="fixed").decider.strategy == "sc"
    assert not spend(book).decider.verifications
    assert spend(build_book(), policy="fixed").decider.verifications


@pytest.fixture
def policy_file(tmp_path):
    path = tmp_path / "policy.json"
    measured = MeasuredPolicy(
        accuracy=0.6, compute=20.0, percentile_95=60.0, solutions=20.0, verifications=0.0, depth=5.0, same_answer=0.99
    )
    learnt = LearntOn(run="lab", problems=100, digest="0", solutions=256)
    content = PolicyFile(
        rule="beta",
        parameter="p",
        threshold=0.875,
        solutions=40,
        grader="numeric/2",
        learnt_on=learnt,
        measured=measured,
    )
    write_policy_file(content, str(path))
    return path


def test_a_policy_file_brings_its_rule_its_threshold_and_its_grader(policy_file):
    settings = build_serve_settings("lab", [URL], policy=str(policy_file), budget="64x")
    assert settings.grader == "numeric"
    book = PlanBook(settings.profile, settings.urls, settings.defaults, settings.policy_file)
    whole = spend(book)
    assert (whole.decider.threshold, whole.decider.solutions, whole.mean, whole.accuracy) == (0.875, 40, 20.0, 0.6)
    from isocompute.planner.budget import Budget

    less = spend(book, budget=Budget(8.0))
    assert (less.decider.solutions, less.mean) == (8, None)
    assert "measured with at most 40" in less.notes[0]
    assert spend(book, budget=Budget(20.0)).decider == whole.decider  # its mean is within the budget
    other = spend(book, policy="beta", threshold=0.99)
    assert (other.decider.threshold, other.mean) == (0.99, None)
    assert "measured with the threshold 0.875" in other.notes[0]


def test_the_budget_of_a_policy_file_pays_for_verifications_too(policy_file):
    content = json.loads(policy_file.read_text()) | {"rule": "weighted-beta", "verifications": 1, "lambda": 1.0}
    policy_file.write_text(json.dumps(content))
    settings = build_serve_settings("lab", [URL, VERIFIER], policy=str(policy_file), budget="16x")
    book = PlanBook(settings.profile, settings.urls, settings.defaults, settings.policy_file)
    assert spend(book).decider.solutions == 8


def test_a_dry_run_says_what_a_request_costs_and_serves_nothing(command):
    ended = command(
        "serve",
        "--profile",
        "lab",
        "--url",
        URL,
        "--url",
        VERIFIER,
        "--policy",
        "fixed",
        "--budget",
        "16x",
        "--dry-run",
    )
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0].startswith("A request without options of its own: fused S=7 V=1")
    assert "at most, with texts as long as they may be: 35.3x, 2,520 completion tokens, 14 calls" in lines[1]
    assert "on average: 14.5x, 1,033 completion tokens" in lines[3]


def test_the_value_rule_comes_from_the_profile():
    settings = build_serve_settings("lab", [URL, VERIFIER], policy="value", budget="50x")
    whole = spend(PlanBook(settings.profile, settings.urls, settings.defaults, settings.policy_file))
    assert whole.decider.model is not None
    assert whole.mean < 50 < whole.most
    assert settings.grader == "boxed-number"  # as the profile's run was graded
    with pytest.raises(ConfigError, match="does not have the rule value"):
        build_serve_settings("llama-3.1-8b-math", [URL, VERIFIER], policy="value")


def test_a_dry_run_of_a_rule_tells_its_mean_and_its_most_apart(command):
    options = ["--profile", "lab", "--url", URL, "--policy", "certain", "--budget", "16x", "--dry-run"]
    first, _, most, mean, *_ = command("serve", *options).out.splitlines()
    limit = int(first.split("certain ")[1].split()[0])
    assert f"within S={limit}" in first
    assert f"({limit} solutions, 0 verifications)" in most
    assert float(mean.split("on average: ")[1].split("x")[0]) < limit


def test_a_dry_run_refuses_what_is_no_url(refused):
    refused("serve", "-p", "lab", "--url", "solver=nonsense", "--dry-run")


def test_errors_of_the_command_are_one_sentence(refused):
    assert "role 'x'" in refused("serve", "--profile", "lab", "--url", f"x={URL}")


def test_help_loads_no_server():
    code = "import sys\nsys.argv = ['isocompute', '--help']\nfrom isocompute.cli.main import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass\n"
    code += "print([name for name in ('fastapi', 'uvicorn', 'aiohttp', 'starlette') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
