"""Two graders on the same texts: how often they agree, and where they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from isocompute.errors import ConfigError, RunError
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.storage.grader_comparison import compare_graders
from isocompute.runners.storage.run import Run


@pytest.fixture
def run(tmp_path):
    texts = [r"\boxed{\frac{1}{2}}", r"\boxed{0.5}", r"\boxed{5 \text{ dozen}}", "so it is 7", r"\boxed{9^{9^{9}}}"]
    rows = pd.DataFrame({"problem_id": list("aabbb"), "gold": ["1/2", "1/2", "5", "5", "5"], "solution": texts})
    rows.to_csv(tmp_path / "log.csv", index=False)
    import_logged_run("table", str(tmp_path / "log.csv"), str(tmp_path / "run"), ImportOptions(grader="math"))
    return Run(tmp_path / "run")


def content(run):
    return {path: path.read_bytes() for path in sorted(Path(run.path).rglob("*")) if path.is_file()}


def test_differences_are_counted_and_shown_and_nothing_is_written(run):
    before = content(run)
    found = compare_graders(run, None, "exact")
    assert (found.grader.partition("/")[0], found.against) == ("math", "exact/1")
    assert (found.solutions, found.only_first, found.only_second) == (5, 2, 0)
    assert (found.accuracy, found.other_accuracy) == (0.4, 0)
    first = found.examples[0]
    assert (first.problem_id, first.solution_id, first.gold, first.is_right) == ("a", 0, "1/2", True)
    assert (first.answer, first.other_answer) == ("1/2", r"\frac{1}{2}")
    assert content(run) == before


def test_math_verify_itself_is_a_second_grader_within_the_limits(run):
    found = compare_graders(run, "math", "math-verify")
    assert found.against.startswith("math-verify==")
    assert (found.solutions, found.only_first) == (5, 0)
    assert found.refused == 2  # the tower, by each of the two
    assert {(each.problem_id, each.solution_id) for each in found.examples} == {("b", 0)}  # 5 dozen is not 5


def test_the_command(command, refused, run):
    said = command("grade", run.path, "--against", "math-verify").out
    assert "5 solutions of" in said
    assert "They agree on 4; 0 are right by the first alone, 1 by the second alone." in said
    assert "b, solution 0: right by the second alone; gold 5" in said
    fields = json.loads(command("grade", run.path, "--against", "exact", "--json").out)
    assert (fields["only_first"], len(fields["examples"])) == (2, 2)
    assert "The grader 'nobody' is unknown" in refused("grade", run.path, "--against", "nobody")


def test_a_run_without_texts_or_an_unknown_grader_is_refused(run, tmp_path):
    with pytest.raises(ConfigError, match="The grader 'nobody' is unknown"):
        compare_graders(run, None, "nobody")
    pd.DataFrame({"problem_id": ["a"], "correct": [1]}).to_csv(tmp_path / "log.csv", index=False)
    import_logged_run("table", str(tmp_path / "log.csv"), str(tmp_path / "bare"))
    with pytest.raises(RunError, match="holds no texts with right answers to compare graders on"):
        compare_graders(Run(tmp_path / "bare"), None, "exact")
