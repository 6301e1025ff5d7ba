"""The outputs of a filter of lm-evaluation-harness: one for each text of a document, or another number of them."""

from __future__ import annotations

from typing import Any


class FilterOutputs:
    """The documents so far whose filter has another number of outputs than they have texts.

    ``take_first`` keeps the first of several texts, and a vote makes one of them. The log's verdict is then of that
    output, and not of each text.
    """

    def __init__(self) -> None:
        self.lines = self.unequal = 0
        self.verdicts: list[float] = []
        self.sizes: dict[tuple[int, int], None] = {}
        self.are_first_texts = True

    def add_document(self, row: dict[str, Any], responses: list[str], verdict: float | None) -> None:
        """Add a line, its texts, and what its metric says."""
        outputs = list_filter_outputs(row)
        self.lines += 1
        if len(responses) == 1 or len(outputs) == len(responses):
            return
        self.unequal += 1
        self.sizes[len(outputs), len(responses)] = None
        self.are_first_texts = self.are_first_texts and outputs == responses[:1]
        if verdict is not None:
            self.verdicts.append(verdict)

    def describe_outputs(self, filter: str, metrics: list[str]) -> list[str]:
        """Return a sentence on these documents, with the log's own accuracy."""
        if not self.unequal:
            return []
        sizes = ", ".join(f"{outputs:,} for {texts:,}" for outputs, texts in list(self.sizes)[:3])
        kind = "the first text of each" if self.are_first_texts else "such as the first or a vote"
        sentence = (
            f"The filter '{filter}' has another number of outputs than texts ({sizes}; {kind}) in {self.unequal:,} "
            f"of {self.lines:,} lines, so the log's verdicts are of those outputs, and not of each text"
        )
        if self.verdicts:
            share = sum(self.verdicts) / len(self.verdicts)
            sentence += f"; by '{', '.join(metrics)}' the log's own accuracy is {share:.3f}"
        return [f"{sentence}."]


def list_filter_outputs(row: dict[str, Any]) -> list[Any]:
    """Return a filter's outputs for a document's texts.

    >>> [list_filter_outputs({"filtered_resps": said}) for said in (["7"], [["7", "8"]], None)]
    [['7'], ['7', '8'], []]
    """
    filtered = row.get("filtered_resps")
    if not isinstance(filtered, list):
        return []
    return filtered[0] if len(filtered) == 1 and isinstance(filtered[0], list) else filtered


def read_filtered_responses(row: dict[str, Any], n: int) -> list[str] | None:
    """Return the filter's output for each response; None if it has another number of outputs."""
    outputs = list_filter_outputs(row)
    return outputs if len(outputs) == n and all(isinstance(each, str) for each in outputs) else None
