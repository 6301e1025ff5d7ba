"""search-and-learn: approaches, n, scores, the tool's own choices, and files from before January 2025."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from isocompute.errors import ConfigError, DataError
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.imports.search_and_learn_names import infer_approach
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.imported_scores import MISSING_STEP_STATUS
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SCORES_TABLE, SEARCHES_TABLE, SOLUTIONS_TABLE

from .test_interleaving import store_as_the_tool_did


def write_lines(path: Path, lines: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def make_lines(problems: int = 12, n: int = 4, batch: int = 1, seed: int = 0) -> list[dict]:
    """Lines as the tool writes them; with a batch as it wrote them before January 2025."""
    draw = random.Random(seed)
    samples = [
        [f"So it is $\\boxed{{{7 * i + (0 if draw.random() < 0.7 else draw.randint(1, 6))}}}$." for _ in range(n)]
        for i in range(problems)
    ]
    stored = store_as_the_tool_did(samples, batch)
    return [
        {
            "problem": f"What is {i} times 7?", "answer": str(7 * i), "unique_id": f"p{i}", "subject": "s", "level": 1,
            "completions": texts, "scores": [[0.5, draw.random()] for _ in texts], "pred": texts[0],
            "completion_tokens": [10 + j for j in range(n)],
        }
        for i, texts in enumerate(stored)
    ]  # fmt: skip


@pytest.fixture
def imported(tmp_path):
    def run(path: Path, **options):
        return import_logged_run("search-and-learn", str(path), str(tmp_path / "run"), ImportOptions(**options)), Run(
            tmp_path / "run"
        )

    return run


@pytest.mark.parametrize("batch", [5, 12])
def test_interleaved_completions_are_named_and_put_back(tmp_path, cells, batch):
    straight = write_lines(tmp_path / "best_of_n_completions.jsonl", make_lines())
    mixed = write_lines(tmp_path / "old" / "bon_completions.jsonl", make_lines(batch=batch))
    found = {}
    for name, path, options in (
        ("right", straight, {}),
        ("as stored", mixed, {}),
        ("put back", mixed, {"deinterleave": True}),
    ):
        found[name] = import_logged_run("search-and-learn", str(path), str(tmp_path / name), ImportOptions(**options))
        assert check_run(Run(tmp_path / name)).is_whole
    columns = ("problem_id", "solution_id", "text", "answer", "correct")
    expected = cells(Run(tmp_path / "right"), SOLUTIONS_TABLE, *columns)
    assert cells(Run(tmp_path / "put back"), SOLUTIONS_TABLE, *columns) == expected
    assert not [note for note in found["right"].notes if "batch" in note]
    assert found["as stored"].accuracy < 0.3 < found["right"].accuracy == found["put back"].accuracy
    assert found["as stored"].notes[0] == (
        f"The completions of 'bon_completions.jsonl' are stored under other problems, in batches of {batch}, as "
        "search-and-learn did before January 2025, so every number here is wrong; --deinterleave "
        "(deinterleave= in Python) puts each back under "
        "its own."
    )
    assert found["put back"].notes[0] == (
        f"The completions of 'bon_completions.jsonl' were put back under their own problems, in batches of {batch}. "
        "Their scores are left out, because the reward model read them with other questions."
    )
    assert not Run(tmp_path / "put back").read_table(SCORES_TABLE).num_rows
    assert found["put back"].choices == []


def test_tokens_go_with_their_completions(tmp_path, cells, imported):
    lines = make_lines(batch=12)
    by_text = {}
    for i, line in enumerate(lines):
        line["completions"] = [f"{text} ({i}.{j})" for j, text in enumerate(line["completions"])]
        line["completion_tokens"] = [100 * i + j + 1 for j in range(4)]
        by_text |= dict(zip(line["completions"], line["completion_tokens"], strict=True))
    _, run = imported(write_lines(tmp_path / "best_of_n_completions.jsonl", lines), deinterleave=True)
    assert dict(cells(run, SOLUTIONS_TABLE, "text", "completion_tokens")) == by_text


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            make_lines(),
            "'FILE': each completion is stored under its own problem; import it without "
            "--deinterleave (deinterleave= in Python).",
        ),
        (
            make_lines(30, batch=15)[:25],
            "'FILE' is a part of a file: its completions are interleaved in batches of 15 problems, of which it lacks "
            "some, so that not all can be put back; import the whole file.",
        ),
        (
            [line | {"completions": ["I do not know."] * 4} for line in make_lines(batch=5)],
            "'FILE': the answers do not tell in batches of how many problems the completions are interleaved, so they "
            "cannot be put back under their own problems.",
        ),
    ],
    ids=["in order", "a part", "no answers"],
)
def test_what_cannot_be_put_back_is_refused(tmp_path, lines, sentence):
    path = write_lines(tmp_path / "best_of_n_completions.jsonl", lines)
    with pytest.raises(DataError) as caught:
        import_logged_run("search-and-learn", str(path), str(tmp_path / "run"), ImportOptions(deinterleave=True))
    assert str(caught.value).replace(str(path), "FILE") == sentence
    assert not (tmp_path / "run").exists()


def test_only_best_of_n_can_be_deinterleaved(tmp_path):
    path = write_lines(tmp_path / "dvts_completions.jsonl", make_lines())
    with pytest.raises(DataError, match=r"holds no Best-of-N; only its completions were ever interleaved\.$"):
        import_logged_run("search-and-learn", str(path), str(tmp_path / "run"), ImportOptions(deinterleave=True))
    with pytest.raises(
        ConfigError, match=r"^--deinterleave \(deinterleave= in Python\) is only for the format search-and-learn\.$"
    ):
        import_logged_run("lm-eval", str(path), str(tmp_path / "run"), ImportOptions(deinterleave=True))


@pytest.mark.parametrize(
    ("path", "approach"),
    [
        ("best_of_n_completions.jsonl", "best_of_n"),
        ("data/bon_completions.jsonl", "best_of_n"),
        ("mine_best_of_n_completions.jsonl", "best_of_n"),
        ("best_of_n/Llama-3.2-1B-Instruct_n4.jsonl", "best_of_n"),
        ("beam_search_n4.jsonl", "beam_search"),
        ("data/beam_search_completions_n_16.jsonl", "beam_search"),
        ("Llama-3.2-1B-Instruct-dvts-prm-completions/train.jsonl", "dvts"),
    ],
)
def test_the_approach_is_in_the_name(path, approach):
    assert infer_approach(Path(path)) == approach


@pytest.mark.parametrize(
    "path",
    [
        "speculative_beam_search_completions.jsonl",
        "speculative_beam_search/model_n4.jsonl",
        "online_dvts.jsonl",
        "beam_search_merged_completions.jsonl",
        "best_of_n_beam_completions.jsonl",
    ],
)
def test_other_approaches_are_not_taken_for_those_of_the_tool(path):
    with pytest.raises(DataError, match=r"the approach '\w+' is unknown; best_of_n, beam_search and dvts are known"):
        infer_approach(Path(path))


@pytest.mark.parametrize(
    ("name", "columns", "n"),
    [
        ("beam_search_completions.jsonl", {}, 4),
        ("beam_search_completions_n_6.jsonl", {}, 6),
        ("beam_search--n-8--m-4--seed-0.jsonl", {}, 8),
        ("beam_search_completions.jsonl", {"pred_maj@4": "", "pred_maj@2": ""}, 4),
        ("beam_search_completions.jsonl", {"pred_maj@16": ""}, 16),
    ],
)
def test_n_of_a_search_is_the_n_asked_for(tmp_path, cells, imported, name, columns, n):
    lines = [line | columns for line in make_lines(3)]
    lines[1]["completions"] = lines[1]["completions"] * 3
    found, run = imported(write_lines(tmp_path / name, lines))
    assert cells(run, SEARCHES_TABLE, "n") == [(n,)] * 3
    assert f"'{name}' holds 4 to 12 completions of a problem; {n} is taken as the n that the search was asked for." in (
        found.notes
    )


def test_a_search_with_n_completions_of_each_problem_needs_no_note(tmp_path, imported):
    found, _ = imported(write_lines(tmp_path / "beam_search_completions.jsonl", make_lines(3)))
    assert found.notes == []


def test_a_missing_score_is_counted_and_none_is_invented(tmp_path, imported):
    lines = make_lines(4)
    lines[1]["scores"][2] = [0.5, math.nan]
    lines[2]["scores"][3] = None
    lines[3]["scores"][3] = [None]
    found, run = imported(write_lines(tmp_path / "best_of_n_completions.jsonl", lines))
    assert "3 of 16 solutions have no score; bon and prm-weighted use the others." in found.notes
    assert check_run(run).is_whole
    rows = run.read_table(SCORES_TABLE).to_pylist()
    assert [row["status"] for row in rows].count(MISSING_STEP_STATUS) == 2
    assert len(rows) == 15
    profile = estimate_run_profile(run.path, "p")
    assert "3 of 16 solutions have no score; bon and prm-weighted use the others." in profile.warnings
    assert profile.strategies["bon"].solutions == [1, 2, 3]


def test_scores_that_are_no_probabilities_rank_solutions_and_weight_no_votes(tmp_path, imported):
    lines = make_lines(6)
    for line in lines:
        line["scores"] = [[-float(f"{{{line['answer']}}}" not in text) - 3.0] for text in line["completions"]]
    _, run = imported(write_lines(tmp_path / "best_of_n_completions.jsonl", lines))
    profile = estimate_run_profile(run.path, "p")
    assert "prm-weighted" not in profile.strategies
    solved = [any(f"{{{line['answer']}}}" in text for text in line["completions"]) for line in lines]
    assert [row[-1] for row in profile.strategies["bon"].accuracy] == solved


@pytest.mark.parametrize(("folder", "aggregate"), [("data", "last"), ("MATH-500--n-4--agg_strategy-min", "min")])
def test_steps_are_aggregated_as_the_name_says_or_by_default(tmp_path, imported, folder, aggregate):
    lines = make_lines(3)
    for line in lines:
        line["scores"] = [[0.1, 0.8], [0.4, 0.6], [0.2, 0.7], [0.3, 0.5]]
    _, run = imported(write_lines(tmp_path / folder / "best_of_n_completions.jsonl", lines))
    pool = read_pool(run)
    expected = {"last": [0.8, 0.6, 0.7, 0.5], "min": [0.1, 0.4, 0.2, 0.3]}[aggregate]
    assert pool.pool.scores.tolist() == [expected] * 3
    assert any(f"({aggregate})." in note for note in pool.notes)


def test_the_tool_s_own_choices_stand_beside_ours(tmp_path, imported):
    lines = [
        {
            "problem": f"?{i}", "answer": "7", "unique_id": f"p{i}", "completion_tokens": [9, 9, 9],
            "completions": [r"\boxed{8}", r"\boxed{7}", r"\boxed{7.0}"], "scores": [[0.9], [0.5], [0.6]],
            "pred": "", "pred_maj@1": r"\boxed{8}", "pred_maj@2": r"\boxed{8}", "pred_naive@2": r"\boxed{8}",
            "pred_weighted@2": r"\boxed{7}",
        }
        for i in range(3)
    ]  # fmt: skip
    found, _ = imported(write_lines(tmp_path / "best_of_n_completions.jsonl", lines))
    assert [
        (each.strategy, each.S, each.problems, each.logged, each.ours, each.differing) for each in found.choices
    ] == [("sc", 2, 3, 0.0, 0.0, 0), ("bon", 2, 3, 0.0, 0.0, 0), ("prm-weighted", 2, 3, 1.0, 0.0, 3)]


def test_a_choice_is_compared_only_with_what_the_strategy_needs(tmp_path, imported):
    lines = make_lines(3)
    for line in lines:
        line |= {f"pred_{name}@4": line["completions"][0] for name in ("maj", "naive", "weighted")}
    lines[0]["scores"][1] = None
    del lines[1]["pred_maj@4"]
    found, _ = imported(write_lines(tmp_path / "best_of_n_completions.jsonl", lines))
    assert {each.strategy: each.problems for each in found.choices} == {"sc": 2, "bon": 2, "prm-weighted": 2}


@pytest.fixture
def cases(shared_data):
    folder = shared_data.parent / "cases" / "imports"
    if not (folder / "search-and-learn").is_dir():
        pytest.skip("the cases are not here")
    return folder


def test_the_given_interleaved_file(cases, tmp_path, imported):
    path = cases / "sal_interleaved_best_of_n_completions.jsonl"
    stored = import_logged_run("search-and-learn", str(path), str(tmp_path / "stored"))
    assert "in batches of 10," in stored.notes[0]
    found, run = imported(path, deinterleave=True)
    assert (stored.accuracy, found.accuracy) == (0.025, 0.45)
    assert {"bon", "prm-weighted"} <= set(estimate_run_profile(str(tmp_path / "stored"), "p").strategies)
    assert set(estimate_run_profile(run.path, "p").strategies) == {"sc"}


def test_the_given_scores_and_beams(cases, cells, imported):
    found, run = imported(cases / "search-and-learn")
    assert cells(run, SEARCHES_TABLE, "n", "strategy") == [(4, "beam")] * 8
    assert "4 is taken as the n that the search was asked for." in found.notes[0]
    profile = estimate_run_profile(run.path, "p")
    assert [row[-1] for row in profile.strategies["bon"].accuracy] == [1.0] * 8
    assert [row[-1] for row in profile.self_consistency.accuracy] == [0.0] * 8
