"""The visible text of a thinking model, without its thinking.

A solution's text is logged whole. The thinking is cut before its answer is read, before it is verified, and before a
verdict is read. The end marker stays in the text if it is not a special token, or if the engine keeps special tokens; a
server with a reasoning parser separates the thinking itself. Formats with channels in place of one marker (harmony) are
not supported.
"""

from __future__ import annotations


def cut_thinking(text: str, end: str | None) -> str:
    r"""Return the text after the last end of thinking, without blanks around it.

    Chat templates often put the start of thinking into the prompt, so only its end is looked for. Without an end, the
    visible text is empty: the token limit cut the thinking, which is not an answer.

    Args:
        text: the model's text.
        end: the marker that ends its thinking, such as ``</think>``; None for a model without one.

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
