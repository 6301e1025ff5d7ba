"""The lab: its task, what its models learn from, and what the shipped ones do."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isocompute.fits import estimate_coverage, estimate_self_consistency
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.profile import read_profile
from isocompute.runners.grading import extract_lab_answer
from isocompute.runners.parsing.verdicts import parse_verdict
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE
from isocompute.runners.tasks import lab_generator as problems
from isocompute.runners.tasks.lab_generator import LAB_LEVELS, LARGEST_LAB_VALUE, LabProblem

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.mark.parametrize("level", LAB_LEVELS)
def test_problems_stay_in_range_and_their_solutions_are_right(level):
    rng = random.Random(level)
    for _ in range(200):
        problem = problems.sample_lab_problem(level, rng)
        value = problem.start
        for operator, number in problem.operations:
            value = problems.apply_operation(value, operator, number)
            assert 0 <= value <= LARGEST_LAB_VALUE
        assert extract_lab_answer(problem.solution) == str(problem.answer) == str(value)
        assert len(problem.operations) == LAB_LEVELS[level].operation_count
        assert problems.derive_expected_lines(problem, problem.solution) == problem.solution.split("\n")
        assert parse_verdict(problems.write_verification(problem, problem.solution)) == 1.0


def test_a_reference_verification_judges_the_answer():
    problem = LabProblem(47, (("+", 38),))
    for claim, verdict in (("\\boxed{85}", 1.0), ("\\boxed{58}", 0.0), ("\\boxed{850}", 0.0), ("no box", 0.0)):
        assert parse_verdict(problems.write_verification(problem, f"47+38: 5,8 = 85\n{claim}")) == verdict


def test_a_line_is_held_against_what_the_lines_before_it_say():
    problem = LabProblem(10, (("+", 5), ("*", 2)))
    slip = "10+5: 6,1 = 16\n16*2: 2,3 = 32\n\\boxed{32}"
    assert problems.derive_expected_lines(problem, slip) == ["10+5: 5,1 = 15", *slip.split("\n")[1:]]


def test_nothing_right_follows_what_is_no_value_or_too_large_or_the_end():
    problem = LabProblem(600, (("+", 5), ("*", 2)))
    too_large = "600+5: 5,0,6 = 605\n605*2: 0,1,2,1 = 1210\n\\boxed{1210}\n\\boxed{1210}"
    for text in ("", "nonsense\n", "600+5: 5 = ٣\n٣*2: 6 = 6", too_large):
        first, *others = problems.derive_expected_lines(problem, text)
        assert first == "600+5: 5,0,6 = 605"
        assert not any(others)


def test_nothing_that_is_measured_on_is_learnt_from():
    corpus = pytest.importorskip("experiments.lab.corpus")
    rng = random.Random(0)
    assert not any(problems.is_held_out(corpus.sample_training_problem(1, rng)) for _ in range(500))
    shares = [problems.is_held_out(problems.sample_lab_problem(3, rng)) for _ in range(3000)]
    assert 0.08 < sum(shares) / len(shares) < 0.12


def test_the_tokenizer_gives_back_every_text():
    corpus = pytest.importorskip("experiments.lab.corpus")
    rng = random.Random(1)
    for level in LAB_LEVELS:
        problem = problems.sample_lab_problem(level, rng)
        for text in (problem.question, problem.solution, problems.write_verification(problem, "\\boxed{7}")):
            tokens = corpus.encode_text(text)
            assert corpus.TOKENIZER.unk_token_id not in tokens
            assert corpus.TOKENIZER.decode(tokens) == text


def test_a_prm_always_reads_plus_and_learns_where_each_line_goes_wrong():
    corpus = pytest.importorskip("experiments.lab.corpus")
    problem = LabProblem(10, (("+", 5), ("+", 5)))
    example = corpus.make_prm_example(problem, "10+5: 5,1 = 15\n15+5: 1,2 = 21\n\\boxed{21}")
    read = [corpus.TOKENIZER.decode([token]) for token in example.tokens]
    marks = [i for i, token in enumerate(example.tokens) if token == corpus.RIGHT]
    assert [example.labels[i] for i in marks] == [corpus.RIGHT, corpus.WRONG, corpus.RIGHT]
    slip = read.index(",2") - 1  # the 1 before it should be a 0; what stands after it counts with it
    assert read[slip] == "1"
    assert corpus.TOKENIZER.decode([example.targets[slip]]) == "0"
    assert example.labels[slip : slip + 2] == [corpus.RIGHT, corpus.WRONG]
    assert all(target == corpus.IGNORED for target in example.targets[slip + 1 : marks[1]])


@pytest.mark.parametrize(("grow", "parameters"), [("add_layers", 1_286_912), ("widen_model", 3_424_768)])
def test_a_grown_model_begins_as_the_model_it_was(grow, parameters):
    train = pytest.importorskip("experiments.lab.train")
    growth = pytest.importorskip("experiments.lab.growth")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = train.LlamaForCausalLM(train.make_architecture()).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)  # norms too, and outputs that differ clearly
    tokens = torch.tensor([[1, 5, 9, 20]])
    grown = getattr(growth, grow)(model, 2).eval()
    assert sum(weight.numel() for weight in grown.parameters()) == parameters
    before = model(input_ids=tokens).logits
    assert before.std() > 0.1
    torch.testing.assert_close(grown(input_ids=tokens).logits, before)


def test_every_part_of_a_wider_model_learns():
    """Nothing that was added stays without a gradient after the first step."""
    train = pytest.importorskip("experiments.lab.train")
    growth = pytest.importorskip("experiments.lab.growth")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = growth.widen_model(train.LlamaForCausalLM(train.make_architecture()), 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        tokens = torch.randint(3, 40, (4, 12), generator=torch.Generator().manual_seed(0))
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
    layer = model.model.layers[1]
    for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight, layer.mlp.gate_proj.weight):
        new = weight.grad[weight.shape[0] // 2 :, weight.shape[1] // 2 :]
        assert (new != 0).float().mean() > 0.9


TRAINING = """
import pathlib, random, sys, torch
from experiments.lab import train
torch.manual_seed(0)
model = train.LlamaForCausalLM(train.make_architecture())
train.train_model(model, "solver", train.draw_reference_batches(random.Random(0)), steps=3, rate=1e-3)
train.save_checkpoint(model, pathlib.Path(sys.argv[1]))
print(sum(p.numel() for p in train.load_checkpoint(pathlib.Path(sys.argv[1])).parameters()))
"""


@pytest.mark.soak
def test_training_goes_its_steps_and_saves_what_loads(tmp_path):
    """In a process of its own: beside the engines of other tests its threads get into each other's way."""
    pytest.importorskip("experiments.lab.train")
    command = [sys.executable, "-c", TRAINING, str(tmp_path / "solver")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "step 3 of 3" in said
    assert int(said.split()[-1]) < 1e6


@pytest.mark.parametrize("name", ["solver", "solver-large", "verifier", "prm"])
def test_checkpoints_are_small_and_safe(name):
    folder = DATA / "lab" / name
    kinds = {path.suffix for path in folder.iterdir()}
    assert kinds == {".json", ".safetensors"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10e6


@pytest.fixture(scope="module")
def run():
    return Run(DATA / "runs" / "lab")


def test_the_shipped_run_is_what_its_card_says(run):
    """At least 100 problems × 64 solutions × 32 verifications, with tokens, in 25 MB."""
    pool = read_pool(run).pool
    assert pool.problems >= 100
    assert pool.solutions >= pool.verified_solutions >= 64
    assert pool.verifications >= 32
    assert sum(path.stat().st_size for path in Path(run.path).rglob("*") if path.is_file()) < 25e6
    for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        frame = run.read_frame(table, ["prompt_tokens", "completion_tokens", "status"])
        assert frame[["prompt_tokens", "completion_tokens"]].gt(0).all(axis=None)
        assert (frame["status"] == "ok").all()


def test_both_solvers_have_the_same_problems_and_every_strategy():
    """Votes, verdicts, scores and searches, so that one table ranks them and two profiles compare the models."""
    small, large = (Run(DATA / "runs" / f"lab-both-{size}") for size in ("small", "large"))
    assert small.read_table(PROBLEMS_TABLE).equals(large.read_table(PROBLEMS_TABLE))
    profiles = [read_profile(f"lab-both-{size}") for size in ("small", "large")]
    for run, profile in zip((small, large), profiles, strict=True):
        pool = read_pool(run).pool
        assert (pool.problems, pool.solutions, pool.verified_solutions, pool.verifications) == (200, 128, 32, 8)
        votes = profile.self_consistency
        np.testing.assert_allclose(votes.array, estimate_self_consistency(pool, votes.solutions), atol=1e-5)
        assert {"sc", "genrm", "genrm+vote", "weighted", "fused", "bon", "prm-weighted"} <= profile.strategies.keys()
        assert set(profile.searches) == {"beam+weighted", "dvts+weighted", "rebase+weighted"}
        assert profile.timings.keys() >= {"solver", "verifier", "scorer"}
    sizes = [profile.models["solver"].parameters for profile in profiles]
    assert sizes[1] >= 4 * sizes[0]


def test_the_shipped_models_are_interesting(run):
    """The solver goes from good to poor with the level; votes help and saturate below coverage."""
    levels = run.read_frame(PROBLEMS_TABLE).set_index("problem_id")["level"]
    solutions = run.read_frame(SOLUTIONS_TABLE, ["problem_id", "correct"])
    right = solutions.groupby(solutions["problem_id"].map(levels))["correct"].mean()
    assert right[1] > 0.85
    assert right[5] < 0.15
    pool = read_pool(run).pool
    votes = estimate_self_consistency(pool, [1, 64, 256]).mean(axis=0)
    assert votes[1] > votes[0] + 0.03
    assert votes[2] < estimate_coverage(pool, [256]).mean() - 0.1


def test_the_shipped_verifier_is_informative_imperfect_and_stochastic(run):
    measure = pytest.importorskip("experiments.lab.measure")
    verdicts = run.read_frame(VERIFICATIONS_TABLE, ["problem_id", "solution_id", "verdict"])
    means = verdicts.groupby(["problem_id", "solution_id"], as_index=False)["verdict"].mean().fillna({"verdict": 0.0})
    judged = means.merge(run.read_frame(SOLUTIONS_TABLE, ["problem_id", "solution_id", "correct"]))
    assert 0.65 < measure.compute_auroc_within_problems(judged, "verdict") < 0.95
    assert ((judged["verdict"] > 0) & (judged["verdict"] < 1)).mean() > 0.2
