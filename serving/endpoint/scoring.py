"""Scores of solutions by a reward model behind a server: one call for each solution."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isocompute.runners.engines.openai_protocol import parse_usage
from isocompute.runners.engines.servers import Server
from isocompute.runners.parsing.steps import split_steps
from isocompute.runners.scorers.aggregate import aggregate_scores
from isocompute.runners.scorers.base import ScoreRequest, ScoreResult
from isocompute.serving.endpoint.chunks import StreamedText
from isocompute.serving.endpoint.errors import ApiError, LostCallError
from isocompute.serving.endpoint.ledger import Ledger
from isocompute.serving.endpoint.memory import TooLargeError
from isocompute.serving.endpoint.receiving import read_json
from isocompute.serving.endpoint.scorer_settings import ScorerSettings
from isocompute.serving.endpoint.upstream import Upstream

if TYPE_CHECKING:
    from isocompute.runners.scorers.formats.base import RewardModelFormat

NO_SCORES = "an answer that does not hold the scores"


@dataclass(frozen=True)
class RewardModel:
    """The model that scores: its servers, its name there, its format, and how it is used."""

    upstream: Upstream
    model: str
    format: RewardModelFormat
    settings: ScorerSettings

    async def score_solution(self, question: str, solution: str, tokens: int, ledger: Ledger) -> float:
        """Return the score of a solution, 0 … 1; NaN for one without steps.

        Args:
            question: the question.
            solution: its visible text.
            tokens: its sampled tokens, which the scorer reads for the first time.
            ledger: takes the call.

        Raises:
            ApiError: the solution is refused, or no server answers.
        """
        from isocompute.runners.scorers.served import SCORING_PATH, build_scoring_body, parse_scores

        request = ScoreRequest(None, question, split_steps(solution, self.settings.step))
        if not request.steps:
            return math.nan
        content = json.dumps(build_scoring_body(self.model, self.format, request)).encode()

        async def send_call(server: Server) -> ScoreResult:
            status, received = "cancelled", None
            try:
                with self.upstream.memory.open_share() as share:
                    async with self.upstream.open_response(server, SCORING_PATH, content) as response:
                        answer = await read_json(response, share)
                result, received = read_answer(answer, lambda answer: parse_scores(self.format, request, answer))
                status = "finished"
                return result
            except (LostCallError, ApiError):
                status = "failed"
                raise
            except TooLargeError as error:
                status = "failed"
                raise LostCallError(str(error)) from None
            except ValueError:
                status = "failed"
                raise LostCallError(NO_SCORES) from None
            finally:
                self.upstream.record_call(ledger, status, received, read=tokens if status != "failed" else 0)

        result = await self.upstream.retry_call(send_call)
        return math.nan if result.scores is None else aggregate_scores(result.scores, self.settings.aggregate)


def read_answer(answer: Any, parse: Callable[[Any], ScoreResult]) -> tuple[ScoreResult, StreamedText]:
    """Return the scores in a response, and its tokens.

    Raises:
        LostCallError: it does not have the form.
    """
    try:
        result = parse(answer)
        prompt, _, sampled = parse_usage(answer.get("usage"), "")
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        raise LostCallError(NO_SCORES) from None
    return result, StreamedText("", "", "stop", prompt, sampled or 0, sampled is not None, True)
