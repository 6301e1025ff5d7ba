"""Answers and verdicts read in texts."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

from isocompute.runners.grading import AnswerClasses, Grader
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.parsing.verdicts import parse_verdict
from isocompute.serving.endpoint.chunks import StreamedText


class AnswerReader:
    """Reads answers with a task's grader, without a right answer to compare them with.

    A grader that compares answers in a process of its own is called in a thread, one answer at a time.

    Args:
        grader: the grader.
    """

    def __init__(self, grader: Grader) -> None:
        self.grader = grader
        self._thread = None if grader.comparer is None else ThreadPoolExecutor(1, "grading")

    def build_classes(self) -> AnswerClasses:
        """Return the classes of equal answers of one request, empty so far."""
        return AnswerClasses(self.grader, None)

    async def read_answer(self, classes: AnswerClasses, text: str) -> str | None:
        """Return the answer of a text, in the form in which its class was first seen; None if there is none."""
        if self._thread is None:
            return classes.grade(text)[0]
        loop = asyncio.get_running_loop()
        return (await loop.run_in_executor(self._thread, classes.grade, text))[0]

    def close(self) -> None:
        """End the thread and the grader's process."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        self.grader.close()


def cut_visible(text: StreamedText) -> str:
    """Return the text of a completion without its thinking."""
    return cut_thinking(text.text, None, text.finish_reason != "length")


def read_verdict(text: StreamedText) -> float:
    """Return the verdict of a verification, 1 or 0; NaN if it has none."""
    verdict = parse_verdict(cut_visible(text))
    return math.nan if verdict is None else verdict
