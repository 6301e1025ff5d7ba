"""Published results beside our own: what is read, what is drawn, and that the findings follow from the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute import figures
from isocompute.errors import DataError
from isocompute.figures.literature import MARKS, SECOND_HAND, read_published_numbers, read_published_results
from isocompute.figures.literature_findings import describe_findings
from isocompute.figures.plots.published import build_published_table, draw_published
from isocompute.figures.savings import find_equal_number
from isocompute.planner.compare import compare_strategies


@pytest.fixture(scope="module")
def results():
    return read_published_results()


@pytest.fixture(scope="module")
def table(results):
    return build_published_table(results)


def test_every_published_number_has_a_mark_and_what_is_unknown_is_empty(results):
    for paper in results.papers.values():
        assert set(paper["mark"]) <= set(MARKS)
        assert paper.loc[paper["mark"] == "unknown", "value"].isna().all()
        assert (paper["source"] != "").all()
    learnt = results.papers["search-and-learn"]
    assert set(learnt["mark"]) == {SECOND_HAND}


def test_the_table_has_the_published_points_without_intervals_and_our_own_with_them(table, results):
    own = table["mark"] == "measured here"
    assert table.loc[own, ["low", "high"]].notna().all(axis=None)
    assert table.loc[~own, ["low", "high"]].isna().all(axis=None)
    assert set(table["panel"]) == {"verify", "search", "difficulty"}
    last = table[(table["panel"] == "verify") & (table["model"] == "Llama-3.1-8B") & (table["method"] == "genrm")].iloc[
        -1
    ]
    compared = compare_strategies(results.study, 16384, results.study.lam).options
    (lead,) = (option.lead for option in compared if option.strategy == "genrm")
    assert (last["budget"], last["value"]) == (128, pytest.approx(100 * lead))


def test_the_findings_say_what_the_numbers_say(table):
    verify, search, difficulty = describe_findings(table).values()
    assert set(table["finding"]) == {verify, search, difficulty}
    for sentence in (verify, search, difficulty):
        assert sentence.endswith(".")
    for model, verdict in (
        ("the lab", "so a lead holds"),
        ("Qwen2.5-Coder-1.5B", "and larger budgets were not measured"),
    ):
        lead = table[(table["panel"] == "verify") & (table["model"] == model)].iloc[-1]
        bounds = f"[{lead['low']:.1f}, {lead['high']:.1f}]"
        assert f"on {model} the lead is {lead['value']:+.1f} {bounds} at {lead['budget']:.2g}, {verdict}" in verify
    chosen = table[(table["method"] == "best for each level") & (table["budget"] == 16)].iloc[0]
    assert chosen["high"] < 64
    assert "that does not hold on the lab" in difficulty
    beam = table[(table["method"] == "beam+weighted") & (table["panel"] == "difficulty")].iloc[0]
    assert (beam["budget"], beam["high"] < 16) == (4, True)
    assert "that does not hold on the lab" in search


def test_other_numbers_give_other_findings(table):
    other, own = table.copy(), table["mark"] == "measured here"
    names, leads = ["value", "low", "high"], own & (table["panel"] == "verify")
    other.loc[leads, names] = -table.loc[leads, ["value", "high", "low"]].to_numpy()
    other.loc[own & (table["panel"] == "difficulty"), names] = [64.0, 8.0, 128.0]
    verify, search, difficulty = describe_findings(other).values()
    lab, language_model = verify.split("; on ")[1:]
    assert lab.startswith("the lab the lead is -")
    assert lab.endswith("so a lead does not hold")
    assert language_model.endswith("and larger budgets were not measured.")
    assert "that is not settled on the lab" in search
    assert "that is not settled on the lab" in difficulty


def test_second_hand_numbers_are_named_so_in_the_picture(table):
    panels = draw_published(table)
    assert [axes.get_title().split()[0] for axes in panels] == ["(a)", "(b)", "(c)"]
    labels = [label for axes in panels for label in axes.get_legend_handles_labels()[1]]
    named = {label for label in labels if SECOND_HAND in label}
    assert {label.partition(":")[0] for label in named} == {"Qwen-2.5-7B", "Llama-3.3-70B", "QwQ-32B", "Llama-3.2-1B"}
    assert "Snell et al. 2024: revisions, chosen by difficulty" in labels


def test_equal_numbers_stay_within_what_was_measured():
    numbers, curve = np.array([1, 4, 16]), np.array([0.2, 0.5, 0.4])
    assert [find_equal_number(numbers, curve, accuracy) for accuracy in (0.1, 0.5, 0.9)] == [1, 4, 16]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("paper\n", "hearsay\n"), r"row 2: mark must be paper, second-hand, unknown; got 'hearsay'\.$"),
        ((",8,", ",eight,"), r"row 2: budget must be a number or empty; got 'eight'\.$"),
        (("source,", "origin,"), r"must have the columns source, place, .*; got origin, "),
    ],
)
def test_damaged_numbers_are_a_sentence(tmp_path, change, sentence):
    head = "source,place,task,model,method,budget,unit,quantity,value,precision,how_read,mark\n"
    path = tmp_path / "paper.csv"
    path.write_text((head + "them,,MATH,m,GenRM,8,SC plateaus,lead,1,,text,paper\n").replace(*change))
    with pytest.raises(DataError, match=sentence):
        read_published_numbers(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_published_numbers(tmp_path / "none.csv")


def test_published_results_need_no_source(command, refused, tmp_path):
    ended = command("figures", "--published", "-o", tmp_path, "--format", "svg")
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["published.csv", "published.svg"]
    sentence = "Name a run or a profile to draw, or give --published alone for published results."
    assert refused("figures", "-o", tmp_path) == sentence
    assert refused("figures", "--published", "--only", "frontiers", "-o", tmp_path) == sentence
    with pytest.raises(DataError, match="it takes no run or profile"):
        figures.published("lab")


def test_published_results_are_drawn_beside_those_of_a_source(command, tmp_path):
    ended = command(
        "figures", "llama-3.1-8b-math", "--published", "--only", "surface", "-o", tmp_path, "--format", "svg"
    )
    assert ended.code == 0, ended.err
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{n}.{k}" for n in ("surface", "published") for k in ("svg", "csv")
    }
