"""Detection of sweeps whose answers cannot be read, before they cost more.

Such a sweep has the wrong grader, a prompt that does not ask for an answer in a form that the grader reads, a chat
model that is not asked as one, or a token limit that cuts every text. Each would be sampled to the end, and every
solution would count as wrong.
"""

from __future__ import annotations

from isocompute.errors import EngineError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

FIRST_ANSWERS = 40
"""The number of answers of which at least one must be readable."""

SHOWN_CHARACTERS = 160
"""Characters of the last text that are shown."""


class UnreadWatch:
    """A watch over a run's answers until one can be read.

    Args:
        config: the sweep.
        run: its run, whose answers are counted too.
        problem_count: the number of problems. With several, answers to one of them alone stop nothing, since one
            problem may be too hard for any answer.
    """

    def __init__(self, config: Sweep, run: Run, problem_count: int) -> None:
        self.config = config
        frame = run.read_frame(SOLUTIONS_TABLE, ["problem_id", "answer", "finish_reason", "status"])
        sampled = frame[frame["status"] == "ok"]
        self.is_over = bool(sampled["answer"].notna().any())
        self.unread = len(sampled)
        self.problems = set(sampled["problem_id"])
        self.problem_count = problem_count
        self.cut = int((sampled["finish_reason"] == "length").sum())
        self.last_text = ""
        if not (self.is_over or sampled.empty):
            texts = run.read_frame(SOLUTIONS_TABLE, ["text", "status"])
            self.last_text = str(texts.loc[texts["status"] == "ok", "text"].iloc[-1] or "")

    def add_answer(self, problem: str, answer: str | None, finish_reason: str | None, text: str) -> None:
        """Count an answer.

        Raises:
            EngineError: none of the first `FIRST_ANSWERS` can be read.
        """
        if self.is_over or answer is not None:
            self.is_over = True
            return
        self.unread += 1
        self.problems.add(problem)
        self.cut += finish_reason == "length"
        self.last_text = text
        self.require_readable()

    def require_readable(self) -> None:
        """Raise if `FIRST_ANSWERS` answers are there and none can be read.

        Raises:
            EngineError: the message says what to change, and shows the end of a text.
        """
        several = len(self.problems) > 1 or self.problem_count == 1
        if not self.is_over and self.unread >= FIRST_ANSWERS and several:
            raise EngineError(self._describe_fault())

    def _describe_fault(self) -> str:
        """Return what is wrong, what to change, and the end of the last text."""
        solver = self.config.solver
        assert solver is not None, "answers are watched where a solver samples them"
        if self.cut > self.unread / 2:
            advice = f"{self.cut:,} of them were cut at {solver.max_tokens:,} tokens; raise solver.max_tokens"
        else:
            advice = (
                "check solver.prompt, the task's grader"
                + ("" if solver.chat else ", whether the model needs chat: true,")
                + f" and solver.thinking_end ({solver.thinking_end or 'not set'})"
            )
        end = " ".join(self.last_text.split())[-SHOWN_CHARACTERS:]
        return (
            f"No answer can be read in the first {self.unread:,} solutions of '{self.config.run}', so the sweep stops; "
            f"{advice}, or go on with --keep-going (keep_going=True in Python). The last text ends: {end!r}."
        )
