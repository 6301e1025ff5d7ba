"""The visible text of a thinking model, without its thinking.

A solution's text is logged whole. The thinking is cut before its answer is read, before it is verified, and before a
verdict is read. A thinking model marks its thinking in one of two ways:

- A marker such as ``</think>`` ends it. The sweep names it as ``thinking_end``. The marker is in the text unless it is
  a special token that the engine leaves out. A server with a reasoning parser separates the thinking itself, and the
  engine puts it back in front, between ``<think>`` and ``</think>``; a text that begins so is cut without a setting.
- The model writes in channels (OpenAI's harmony format, used by gpt-oss), and the channel ``final`` is visible. Servers
  that do not know the format pass it on as it is, or without the special tokens, as in ``analysis…assistantfinal…``.
  Both are recognised without a setting.
"""

from __future__ import annotations

import re

HARMONY_HEADER = re.compile(r"<\|channel\|>\s*+(\w++)[^<]*+(?:<\|constrain\|>[^<]*+)?<\|message\|>")
HARMONY_END = re.compile(r"<\|(?:end|return|call)\|>")
BARE_HARMONY = re.compile(r"\s*analysis(?=\S|\n).*assistantfinal(?P<final>.*)", re.DOTALL)
"""Harmony without its special tokens: the channels' names are glued to the texts."""

BARE_ANALYSIS = re.compile(r"\s*analysis(?:[A-Z]|\n)")
"""The beginning of harmony without its special tokens, in its first channel."""

THINKING_TAGS = ("<think>", "</think>")
"""The marks between which the engine puts thinking that a server separated."""


def cut_thinking(text: str, end: str | None, is_ended: bool) -> str:
    r"""Return the text after the last end of thinking, without blanks around it.

    Chat templates often put the start of thinking into the prompt, so mainly its end is looked for. A text without it
    has answered without thinking, as hybrid models do, if the model ended it. Otherwise the thinking is unfinished and
    the visible text is empty. So it is if the text itself starts a thinking and does not end it.

    Args:
        text: the model's text.
        end: the marker that ends its thinking, such as ``</think>``; None for a model without one.
        is_ended: whether the model ended the text, and not the token limit.

    >>> cut_thinking("<think>\\boxed{3}? no.</think>\n\nIt is \\boxed{4}.", "</think>", True)
    'It is \\boxed{4}.'
    >>> cut_thinking("<think>\\boxed{3}? no, it", "</think>", False)
    ''
    >>> cut_thinking("It is 4. ", "</think>", True), cut_thinking("It is 4. ", None, True)
    ('It is 4.', 'It is 4. ')
    >>> cut_thinking("<|channel|>analysis<|message|>3?<|end|><|channel|>final<|message|>4", None, True)
    '4'
    """
    if (harmony := _cut_channels(text, is_ended)) is not None:
        return harmony
    opened, closed = THINKING_TAGS
    is_open = text.lstrip().startswith(opened)
    for mark in ([] if end is None else [end]) + ([closed] if is_open else []):
        _, found, visible = text.rpartition(mark)
        if found:
            return visible.strip()
    if is_open:
        return ""
    if end is None:
        return text
    start = end.replace("/", "", 1)
    return text.strip() if is_ended and (start == end or start not in text) else ""


def _cut_channels(text: str, is_ended: bool) -> str | None:
    """Return the visible text of harmony's channels; None if the text has none.

    The last channel is visible if it is ``final``, or if the model ended its text in another one.
    """
    if bare := BARE_HARMONY.fullmatch(text):
        return bare["final"].strip()
    headers = list(HARMONY_HEADER.finditer(text))
    if not headers:
        return "" if not is_ended and BARE_ANALYSIS.match(text) else None
    if headers[-1][1] != "final" and not is_ended:
        return ""
    finals = [header for header in headers if header[1] == "final"]
    return HARMONY_END.split(text[(finals or headers)[-1].end() :], maxsplit=1)[0].strip()
