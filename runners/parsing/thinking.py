"""What a thinking model says, apart from what it thinks.

A solution's text is logged whole. Before its answer is read and before it is verified, the thinking is cut, and so
it is before a verdict is read. Engines keep the marker in the text as long as it is no special token, or the engine
is told to keep those; a server with a reasoning parser cuts for itself, and then there is nothing to cut here.
Formats with channels in place of one marker (harmony) are not read.
"""

from __future__ import annotations


def cut_thinking(text: str, end: str | None) -> str:
    r"""Return what stands after the last end of thinking, without blanks around it.

    Chat templates often put the start of thinking into the prompt, so only its end is looked for. Without an end
    nothing is visible: the token limit cut the thinking, and what it weighed is no answer.

    Args:
        text: what the model wrote.
        end: what ends its thinking, such as ``</think>``; None for a model that does not think aloud.

    >>> cut_thinking("<think>\\boxed{3}? no.</think>\n\nIt is \\boxed{4}.", "</think>")
    'It is \\boxed{4}.'
    >>> cut_thinking("<think>\\boxed{3}? no, it", "</think>")
    ''
    >>> cut_thinking("It is 4. ", None)
    'It is 4. '
    """
    if end is None:
        return text
    _, found, visible = text.rpartition(end)
    return visible.strip() if found else ""
