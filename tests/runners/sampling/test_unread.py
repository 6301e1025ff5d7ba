"""A sweep whose first answers cannot be read stops and says why; with --keep-going it goes on."""

from __future__ import annotations

import pytest
import yaml

from isocompute.errors import EngineError
from isocompute.runners.display import SilentDisplay
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.sampling.unread import FIRST_ANSWERS
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

SIXTY = {"task": {"name": "lab", "problems": 10}, "verifier": None, "verifications": 0}
"""Ten problems with six solutions each."""


def count_solutions(config):
    return len(Run(config.run).read_keys(SOLUTIONS_TABLE))


def test_a_sweep_stops_at_the_fortieth_unread_answer_and_keeps_its_rows(small, scripted):
    config = small(**SIXTY)
    with pytest.raises(EngineError, match="No answer can be read in the first 40 solutions") as caught:
        run_sweep(config, load=scripted(lambda prompt, seed: "I\ndo not know"))
    said = str(caught.value)
    assert "solver.prompt" in said
    assert "chat: true" in said
    assert "--keep-going" in said
    assert said.endswith("The last text ends: 'I do not know'.")
    assert count_solutions(config) == FIRST_ANSWERS


def test_it_does_not_go_on_unless_it_is_told_to(small, scripted):
    config = small(**SIXTY)
    engine = scripted(lambda prompt, seed: "no idea")
    for _ in range(2):
        with pytest.raises(EngineError, match="No answer can be read"):
            run_sweep(config, load=engine)
    assert count_solutions(config) == FIRST_ANSWERS
    assert len(engine.models) == 1  # the second time no model is loaded
    summary = run_sweep(config, load=engine, keep_going=True)
    assert summary.answers == {"failed": 0, "right": 0, "wrong": 0, "truncated": 0, "unread": 60}
    run_sweep(config, load=engine)  # it is complete, so there is nothing to stop


def test_texts_that_were_cut_need_more_tokens(small, scripted):
    cut = Completion("Let me think about", 7, 3, 1024, "length")
    with pytest.raises(EngineError, match=r"40 of them were cut at 1,024 tokens; raise solver\.max_tokens"):
        run_sweep(small(**SIXTY), load=scripted(lambda prompt, seed: cut))


def test_one_readable_answer_is_enough(small, scripted):
    said = iter(["no idea"] * (FIRST_ANSWERS - 1) + ["\\boxed{7}"] + ["no idea"] * 20)
    summary = run_sweep(small(**SIXTY), load=scripted(lambda prompt, seed: next(said)))
    assert summary.answers["unread"] == 59


def test_failed_rows_are_not_unread(small, scripted):
    lost = Completion(None, None, None, None, None, "out of memory")
    summary = run_sweep(small(**SIXTY), load=scripted(lambda prompt, seed: lost))
    assert summary.failed == {"out of memory": 60}
    assert summary.answers["failed"] == 60


def test_the_live_line_counts_unread_answers_and_verdicts(small, scripted):
    class LastLine(SilentDisplay):
        text = ""

        def update_progress(self, rows, tokens, text):
            self.text = text

    display = LastLine()
    run_sweep(small(), display, load=scripted(lambda prompt, seed: "7" if seed % 2 else "no idea"))
    assert "answers unread" in display.text
    assert "72 verdicts unread" in display.text


def test_the_command_says_it_in_one_sentence(command, small, scripted, tmp_path, monkeypatch):
    real = run_sweep
    engine = scripted(lambda prompt, seed: "no idea")
    monkeypatch.setattr(
        "isocompute.runners.sampling.sweep.run_sweep",
        lambda config, display, **options: real(config, display, load=engine, **options),
    )
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(small(**SIXTY).model_dump(mode="json", exclude_none=True)))
    ended = command("sweep", path)
    assert ended.code == 2
    assert "No answer can be read in the first 40 solutions" in ended.err
    ended = command("sweep", path, "--keep-going")
    assert ended.code == 0
    assert "Answers: 60 unread." in ended.out


def test_one_hard_problem_stops_nothing(small, scripted):
    hard = 45 * ["no idea"] + 200 * ["\\boxed{7}"]
    said = iter(hard)
    config = small(task={"name": "lab", "problems": 2}, solutions=45, verifier=None, verifications=0)
    summary = run_sweep(config, load=scripted(lambda prompt, seed: next(said)))
    assert summary.answers["unread"] == 45
    with pytest.raises(EngineError, match="No answer can be read in the first 46 solutions"):
        run_sweep(small(run=f"{config.run}-2", **(SIXTY | {"solutions": 45})), load=scripted(lambda *_: "no idea"))
