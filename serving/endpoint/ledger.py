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
        calls: role → cost of one call in x: 1 for the solver, λ for the verifier; None if λ is unknown.
    """

    tokens: Mapping[str, float] = field(default_factory=dict)
    calls: Mapping[str, float | None] = field(default_factory=lambda: {"solver": 1.0})


@dataclass(frozen=True)
class Charge:
    """One call: what it used.

    Args:
        role: ``solver`` or ``verifier``.
        status: ``finished``, ``cancelled`` or ``failed``.
        prompt: prompt tokens; None if unknown.
        completion: sampled tokens.
        is_counted: whether the server counted them; if not, they are chunks.
        text_key: calls of equal keys have the same prompt.
    """

    role: str
    status: str
    prompt: int | None
    completion: int
    is_counted: bool
    text_key: object = None


@dataclass
class Ledger:
    """The calls of one request."""

    charges: list[Charge] = field(default_factory=list)

    def record_call(self, role: str, status: str, received: StreamedText | None, text_key: object = None) -> None:
        """Record a call that ended, in whatever way; nothing is received of one that never began."""
        if received is None:
            self.charges.append(Charge(role, status, None, 0, True, text_key))
        else:
            counted = received.prompt_tokens, received.completion_tokens, received.is_counted
            self.charges.append(Charge(role, status, *counted, text_key))

    def count_calls(self, role: str, status: str) -> int:
        """Return the number of calls of a role that ended in one way."""
        return sum(charge.role == role and charge.status == status for charge in self.charges)

    def sum_usage(self) -> tuple[dict[str, int], list[str]]:
        """Return the tokens of all calls in OpenAI's form, and notes on what is not known exactly.

        A cancelled call has read its prompt; the number of its tokens is taken from a finished call with the same
        prompt.
        """
        known = {charge.text_key: charge.prompt for charge in self.charges if charge.prompt is not None}
        prompts = [known.get(charge.text_key) if charge.prompt is None else charge.prompt for charge in self.charges
                   if charge.prompt is not None or charge.completion or charge.status != "failed"]  # fmt: skip
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

    def compute_cost(self, prices: Prices) -> float | None:
        """Return the compute of all calls in x; None if the cost of a role is unknown.

        A role's tokens cost their share of the mean tokens of one call. Without that mean, each call that began counts
        as a whole one.
        """
        total = 0.0
        for role in {charge.role for charge in self.charges}:
            price, mean = prices.calls.get(role), prices.tokens.get(role)
            if price is None:
                return None
            own = [charge for charge in self.charges if charge.role == role]
            begun = sum(charge.status != "failed" or charge.completion > 0 for charge in own)
            total += price * (sum(charge.completion for charge in own) / mean if mean else begun)
        return total


def describe_calls(count: int) -> str:
    """Return a number of calls in words.

    >>> describe_calls(1), describe_calls(3)
    ('1 call', '3 calls')
    """
    return "1 call" if count == 1 else f"{count} calls"
