"""Loading of a sweep's scorer, and scoring of the first K solutions of each problem."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import Display
from isocompute.runners.engines import Engine, Sampling
from isocompute.runners.engines.clock import build_clock_columns
from isocompute.runners.parsing.steps import split_steps
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.prompts import Prompt
from isocompute.runners.sampling.solution_texts import read_solution_texts
from isocompute.runners.scorers import Scorer, ScoreRequest, ScoreResult
from isocompute.runners.scorers.genrm import VerdictScorer
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.row_states import RowStates, read_row_states
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import DIGEST_COLUMN, SCORES_TABLE
from isocompute.runners.tasks import Problem


class StandaloneVerdictScorer(VerdictScorer):
    """A verifier that scores, with an engine of its own."""

    def close(self) -> None:
        """Close the engine and free its memory."""
        self.engine.close()


def load_sweep_scorer(
    config: Sweep, texts: dict[str, Prompt], engine: Callable[[ModelRole], Engine], load: Callable[..., Scorer]
) -> Scorer:
    """Load the scorer of a sweep.

    Args:
        config: the sweep.
        texts: its prompts, by role.
        engine: loads the engine of a role.
        load: returns the scorer for a scorer's kind, a model and its options.

    Raises:
        ConfigError, EngineError: the engine or the scorer cannot be loaded.
    """
    role = config.scorer
    assert role is not None, "nothing is scored without a scorer"
    if role.model is not None:
        return load(role.kind, role.model, engine=role.engine, prompt=role.prompt, **role.options)
    verifier, times = config.verifier, role.verifications
    assert verifier is not None, "the scorer 'verdicts' uses the verifier"
    assert times is not None, "the scorer 'verdicts' has a number of verifications"
    sampling = Sampling(verifier.temperature, verifier.top_p, verifier.max_tokens, verifier.stop)
    settings = (texts["verifier"], sampling, times, config.seed, verifier.chat, verifier.thinking_end)
    return StandaloneVerdictScorer(engine(verifier), *settings)


def score_solutions(
    config: Sweep, run: Run, problems: dict[str, Problem], display: Display, load: Callable[[], Scorer]
) -> Counter[str]:
    """Score the solutions that lack scores.

    Args:
        config: the sweep.
        run: the run with the solutions; the scores are added to it.
        problems: the problems by id.
        display: where progress is shown.
        load: returns the scorer; called only if it is needed.

    Returns:
        The number of failures by status.
    """
    failed: Counter[str] = Counter()
    if not config.scored:
        return failed
    expected = ExpectedRows(config, list(problems))
    scored = read_row_states(run, SCORES_TABLE, list(problems), [*expected.get_axis_sizes(SCORES_TABLE).values()])
    texts = dict[tuple[str, int], str]()
    missing = list(build_score_requests(config, run, problems, scored, texts))
    if not missing:
        return failed
    total = expected.count_rows(SCORES_TABLE)
    display.start_phase("scoring", total, total - scored.count_missing())
    pending = deque(request for request in missing if request.steps)
    writer = run.open_writer(SCORES_TABLE, config.checkpoint_seconds)
    loaded = None
    try:
        empty = [request for request in missing if not request.steps]
        writer.add_rows(
            build_score_row(request, ScoreResult((), 0, 0, 0, seconds=0.0), texts[request.key]) for request in empty
        )
        display.update_progress(len(empty), 0)
        if pending:
            loaded = load()
            for request, answer in loaded.run(pending):
                row = build_score_row(request, answer, texts[request.key])
                writer.add_rows([row])
                if row["status"] != "ok":
                    failed[row["status"]] += 1
                display.update_progress(1, 0, f"{failed.total():,} failed" if failed else "")
    finally:
        writer.flush()
        if loaded is not None:
            loaded.close()
    return failed


def build_score_requests(
    config: Sweep,
    run: Run,
    problems: dict[str, Problem],
    scored: RowStates,
    texts: dict[tuple[str, int], str],
) -> Iterator[ScoreRequest]:
    """Yield the solutions to be scored, split into steps and without their thinking.

    Args:
        config: the sweep.
        run: the run with the solutions.
        problems: the problems by id.
        scored: which scores the run has.
        texts: receives the digest of each text to be scored.
    """
    for problem, i, text, reason in read_solution_texts(run, scored, scored.mark_incomplete()):
        assert text is not None, "a solution that is ok has a text"
        visible = cut_thinking(text, config.solutions_thinking_end, reason != "length")
        steps = split_steps(visible, config.step)
        texts[problem, i] = digest_text(text)
        yield ScoreRequest((problem, i), problems[problem].question, steps)


def build_score_row(request: ScoreRequest, answer: ScoreResult, digest: str) -> dict[str, Any]:
    """Return the row of a scored solution; one without steps has an empty list of scores and no cost."""
    status = answer.status
    if status == "ok" and (answer.scores is None or len(answer.scores) != len(request.steps)):
        status = f"the scorer gave {0 if answer.scores is None else len(answer.scores)} scores for {len(request.steps)}"
    row = dict(zip(SCORES_TABLE.key_names, request.key, strict=True))
    return row | {
        "step_scores": answer.scores if status == "ok" else None,
        **answer.cost_columns,
        **build_clock_columns(answer.started_at, answer.seconds),
        "status": status,
        DIGEST_COLUMN.name: digest,
    }
