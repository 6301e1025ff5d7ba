"""An engine without a model: dice decide whether it adds two numbers right or wrong."""

import random
import re

from isocompute.runners.engines import Completion, EngineEntry


class Dice:
    """Writes six throws, an empty line, and a boxed sum; or a verdict on a sum. A character is a token."""

    def __init__(self, model, right=4):
        self.right = right  # of six sides; an option of the role in the sweep file

    def run(self, pending):
        while pending:
            request = pending.popleft()
            yield request, self.complete(request)

    def complete(self, request):
        sampling = request.sampling
        dice = random.Random(request.seed if sampling.temperature else request.prompt)
        text = self.write(request.prompt, request.written, dice)
        cuts = [(text.index(stop), stop) for stop in sampling.stops if stop in text]
        place, stop = min(cuts, default=(len(text), ""))
        written, reason = text[:place] + stop, "step" if stop and stop == sampling.step else "stop"
        if len(written) > sampling.max_tokens:
            written, reason, stop = written[: sampling.max_tokens], "length", ""
        prompt = len(request.prompt) + len(request.written)
        ids = tuple(map(ord, written))
        return Completion(written.removesuffix(stop), prompt, None, max(1, len(written)), reason, token_ids=ids)

    def write(self, prompt, written, dice):
        throws = [int(throw) for throw in re.findall(r"\d", written)] or [dice.randint(1, 6) for _ in range(6)]
        first, second = map(int, re.findall(r"Add (\d+) and (\d+)\.", prompt)[-1])
        is_right = throws[0] <= self.right
        if boxes := re.findall(r"\\boxed\{(\d+)\}", prompt):  # it verifies
            return f"{throws}\nCorrect? {'Yes' if (int(boxes[-1]) == first + second) == is_right else 'No'}"
        box = f"\\boxed{{{first + second + (0 if is_right else throws[1])}}}"
        return box if written else f"{throws}\n\n{box}"

    def close(self):
        pass


DICE = EngineEntry("isocompute_example.engine:Dice", "six-sided dice", is_local=False)
