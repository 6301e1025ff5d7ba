"""A scorer without a model: it checks the sum, with noise."""

import math
import random
import re

from isocompute.runners.scorers import ScorerEntry, ScoreResult


class SumChecker:
    """Scores a step by the text so far; a character is a token."""

    def __init__(self, model):
        pass

    def run(self, pending):
        while pending:
            request = pending.popleft()
            steps = range(request.known, len(request.steps))
            scores = tuple(self.score(request.question, request.steps[: i + 1]) for i in steps)
            yield request, ScoreResult(scores, len("".join(request.steps)), 0, 1)

    def score(self, question, steps):
        if not steps[-1].strip():
            return math.nan  # a blank step has no score
        text = "".join(steps)
        noise = random.Random(question + text).random()
        terms = re.findall(r"Add (\d+) and (\d+)\.", question)
        boxes = re.findall(r"\\boxed\{(\d+)\}", text)
        is_right = bool(terms and boxes) and int(boxes[-1]) == sum(map(int, terms[-1]))
        return 0.4 * is_right + 0.6 * noise

    def close(self):
        pass


SUM_CHECKER = ScorerEntry("checks the sum of two numbers", loader="isocompute_example.scorer:SumChecker", engines=())
