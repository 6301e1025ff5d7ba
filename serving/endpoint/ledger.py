"""The tokens of every call made for a request, cancelled and failed ones too, and the compute that they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isocompute.serving.endpoint.chunks import StreamedText


@dataclass(frozen=True)
class Prices:
    """The price of a token of each role, in x: the compute of one solution.

    Args:
        tokens: role → mean completion tokens of one call; a role without is priced by call.
        calls: role → cost of one call in x: 1 for the solver, λ for the verifier, ρ for the scorer; None if unknown.
    """

    tokens: Mapping[str, float] = field(default_factory=dict)
    calls: Mapping[str, float | None] = field(default_factory=lambda: {"solver": 1.0})


@dataclass(frozen=True)
class Charge:
    """One call: what it used.

    Args:
        role: ``solver``, ``verifier`` or ``scorer``.
        status: ``finished``, ``cancelled`` or ``failed``.
        prompt: prompt tokens; None if unknown.
        completion: sampled tokens.
        is_counted: whether the server counted them; if not, they are chunks.
        text_key: calls of equal keys have the same prompt.
        read: tokens of a solution that a scorer read for the first time.
    """

    role: str
    status: str
    prompt: int | None
    completion: int
    is_counted: bool
    text_key: object = None
    read: int = 0


@dataclass
class Ledger:
    """The calls of one request."""

    charges: list[Charge] = field(default_factory=list)

    def record_call(
        self, role: str, status: str, received: StreamedText | None, text_key: object = None, read: int = 0
    ) -> None:
        """Record a call that ended, in whatever way; nothing is received of one that never began."""
        counted: tuple[int | None, int, bool] = (None, 0, True)
        if received is not None:
            counted = received.prompt_tokens, received.completion_tokens, received.is_counted
        self.charges.append(Charge(role, status, *counted, text_key, read))

    def count_calls(self, role: str, status: str) -> int:
        """Return the number of calls of a role that ended in one way."""
        return sum(charge.role == role and charge.status == status for charge in self.charges)

    def sum_usage(self) -> tuple[dict[str, int], list[str]]:
        """Return the tokens of all calls in OpenAI's form, and notes on what is not known exactly."""
        prompts = [prompt for charge, prompt in self._list_prompts()
                   if prompt is not None or charge.completion or charge.status != "failed"]  # fmt: skip
        prompt = sum(tokens for tokens in prompts if tokens is not None)
        sampled = sum(charge.completion for charge in self.charges)
        notes = []
        if unknown := sum(tokens is None for tokens in prompts):
            notes.append(f"The prompt tokens of {describe_calls(unknown)} are unknown, and not in the usage.")
        if uncounted := sum(not charge.is_counted and charge.completion > 0 for charge in self.charges):
            notes.append(
                f"The completion tokens of {describe_calls(uncounted)} are counted as chunks: the server did not "
                "report them."
            )
        usage = {"prompt_tokens": prompt, "completion_tokens": sampled, "total_tokens": prompt + sampled}
        return usage, notes

    def sum_role_tokens(self) -> dict[str, dict[str, int]]:
        """Return the tokens that are known of each role, in the form of the usage."""
        tokens: dict[str, dict[str, int]] = {}
        for charge, prompt in self._list_prompts():
            own = tokens.setdefault(charge.role, {"prompt_tokens": 0, "completion_tokens": 0})
            own["prompt_tokens"] += prompt or 0
            own["completion_tokens"] += charge.completion
        return tokens

    def _list_prompts(self) -> list[tuple[Charge, int | None]]:
        """Return every call with the tokens of its prompt.

        A cancelled call has read its prompt; the number of its tokens is taken from a finished call with the same
        prompt. A call that failed before anything came has read none.
        """
        known = {charge.text_key: charge.prompt for charge in self.charges if charge.prompt is not None}
        found = []
        for charge in self.charges:
            is_read = charge.completion or charge.status != "failed"
            same = known.get(charge.text_key) if is_read else None
            found.append((charge, same if charge.prompt is None else charge.prompt))
        return found

    def compute_cost(self, prices: Prices) -> float | None:
        """Return the compute of all calls in x; None if the cost of a role is unknown.

        A role's tokens cost their share of the mean tokens of one call: the sampled ones, and of a scorer those of the
        solutions that it read. Without that mean, each call that began counts as a whole one.
        """
        total = 0.0
        for role in {charge.role for charge in self.charges}:
            price, mean = prices.calls.get(role), prices.tokens.get(role)
            if price is None:
                return None
            own = [charge for charge in self.charges if charge.role == role]
            begun = sum(charge.status != "failed" or charge.completion > 0 for charge in own)
            work = sum(charge.read if role == "scorer" else charge.completion for charge in own)
            total += price * (work / mean if mean else begun)
        return total


def describe_calls(count: int) -> str:
    """Return a number of calls in words.

    >>> describe_calls(1), describe_calls(3)
    ('1 call', '3 calls')
    """
    return "1 call" if count == 1 else f"{count} calls"
