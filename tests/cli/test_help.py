"""Help: it wraps, it shows flags as flags, and its examples work on what a user has."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
import yaml

import isocompute as iso
from isocompute.cli import main as cli
from isocompute.cli.screens.words import build_glossary
from isocompute.planner.budget import Budget

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = typer.main.get_command(cli.app).commands
EXAMPLES = [
    re.sub(r"^isocompute ", "", line.strip())
    for command in COMMANDS.values()
    for line in command.help.splitlines()
    if re.match(r" *(isocompute|plan) ", line)
]
NEEDED = {
    "solve": "a model",
    "serve -p mine.json --url http://a": "a server",
    "serve -p mine.json --url solver": "a server",
    "sweep mine.yaml": "a model, but for its price",
    "tree": "a run with searches",
    "import lm-eval": "a log of the tool",
    "import sc-genrm-scaling": "a log of the tool",
    "import evalplus": "a log of the tool",
    "import search-and-learn": "a log of the tool",
    "upgrade": "a run of an earlier version",
    "grade runs/mine --against": "math-verify",
}
"""By the beginning of an example, what it needs that a test does not have."""
PRICED = "sweep mine.yaml --dry-run --tokens-per-second"
SLOW = ("evaluate", "next", "pilot", "policies", "difficulty", "figures", "report", "fit runs/mine", "plan --")


def can_run(example: str) -> bool:
    """Whether an example needs no model, server or log of another tool."""
    return example.startswith(PRICED) or not example.startswith(tuple(NEEDED))


def list_examples() -> list[object]:
    """The examples that can run; those that compute for long are left to the full-size tests."""
    quick = [example for example in EXAMPLES if can_run(example)]
    return [
        pytest.param(example, marks=pytest.mark.soak)
        if example.startswith(SLOW) and "prices.yaml" not in example
        else example
        for example in quick
    ]


def make_samples() -> pd.DataFrame:
    """Forty questions with eight solutions each, and two verdicts on each solution."""
    draw = np.random.default_rng(0)
    rows = []
    for problem, rate in enumerate(np.linspace(0.2, 0.9, 40)):
        for _ in range(8):
            right = draw.random() < rate
            verdicts = [int(draw.random() < (0.8 if right else 0.3)) for _ in range(2)]
            answer = str(problem) if right else str(100 + draw.integers(3))
            rows.append({"id": problem, "question": f"What is {problem}?", "answer": answer, "gold": str(problem),
                         "verdicts": verdicts, "tokens": 20, "verification_tokens": 15})  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what the examples name."""
    folder = tmp_path_factory.mktemp("workplace")
    samples = make_samples()
    prices = {f"data/lab/{name}": {"input": 0.1, "output": 0.4} for name in ("solver", "verifier", "prm")}
    run = iso.from_frame(samples, problem="id", answer="answer", gold="gold", verdict="verdicts", tokens="tokens",
                         verification_tokens="verification_tokens")  # fmt: skip
    run.save(folder / "runs" / "mine")
    bundled = (ROOT / "data" / "profiles" / "lab-both-small.json").read_bytes()
    (folder / "mine.json").write_bytes(bundled)
    (folder / "grid.json").write_bytes((ROOT / "data" / "published" / "llama-3.1-8b-math.json").read_bytes())
    (folder / "prices.yaml").write_text(yaml.safe_dump(prices))
    table = samples.assign(correct=samples["answer"] == samples["gold"])
    table[["id", "question", "gold", "answer", "correct"]].to_csv(folder / "mine.csv", index=False)
    pd.DataFrame({"problem": ["a", "b"], "n": [8, 8], "right": [3, 5]}).to_csv(folder / "passes.csv", index=False)
    sweep = (ROOT / "runners" / "recipes" / "lab-demo.yaml").read_text(encoding="utf-8")
    (folder / "mine.yaml").write_text(sweep.replace("data/lab", str(ROOT / "data" / "lab")))
    return folder


@pytest.mark.parametrize("example", list_examples())
def test_an_example_works(command, workplace, monkeypatch, tmp_path, example):
    for path in workplace.iterdir():
        (tmp_path / path.name).symlink_to(path) if path.name != "runs" else (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine").symlink_to(workplace / "runs" / "mine")
    if example.startswith("import"):
        (tmp_path / "runs" / "mine").unlink()
    if "-o mine.json" in example:
        (tmp_path / "mine.json").unlink()
    monkeypatch.chdir(tmp_path)
    ended = command(*shlex.split(example))
    assert ended.code == 0, ended.err


def test_no_example_names_a_file_that_a_wheel_lacks():
    assert len(EXAMPLES) > 40
    assert not [example for example in EXAMPLES if re.search(r"\b(data|recipes|docs|runners)/", example)]
    lines = [
        line
        for each in COMMANDS.values()
        for line in each.help.splitlines()
        if line.lstrip().startswith(("plan ", "iso"))
    ]
    assert max(len(line.strip()) for line in lines) <= 77


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_eighty_columns_and_names_types_only_of_values(command, name):
    said = command(*([name] if name else []), "--help", columns=80).out
    assert max(map(len, said.splitlines())) <= 80
    assert not re.search(r"\w…(?= |│)", said)  # a cut cell
    assert not re.search(r"<\w+(\[\w+\])?>", said)  # a type of Python
    flag = next(line for line in said.splitlines() if "--help" in line)
    assert re.fullmatch(r"│ +--help +Show this message and exit\. +│", flag)


def test_the_glossary_is_that_of_the_screens():
    assert (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8") == build_glossary()


def test_every_amount_of_a_plan_can_be_typed_as_a_budget(command):
    amount = (
        r"\$[\d.,]+|\d[\d,.]*(?:e[+-]\d+)?[BM]? ?"
        r"(?:x-plateau|x\b|tokens(?: with (?:uncached )?prompts)?|FLOPs|gpu-hours|s until the answer)"
    )
    said = " ".join(command("plan", "--budget", "4x-plateau", "--profile", "lab-both-small").out.split())
    found = set(re.findall(amount, said))
    assert len(found) > 20
    assert {Budget.parse(text).unit for text in found} == {"x", "tokens", "FLOPs", "gpu-hours", "s"}
