"""inspect_ai: a log of an evaluation, as .eval (a zip archive, a member a sample) or as .json.

    eval: task, model …          samples: id, epoch, input, choices, target, output, scores, model_usage, error …

Each epoch of a sample is a solution. Prompt tokens are all of them: `input_tokens` there leaves out those that were
read from a cache or written to it. The seconds of a solution are the `time` of its one call; of several calls only the
last one's is said, so theirs are unknown, and so is when a call began. Read in github.com/UKGovernmentBEIS/inspect_ai
at 499e615 (log/_log.py, log/_recorders/eval.py, model/_model_output.py, scorer/_metric.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import INT32, block, count, duration, name, needed, text
from isocompute.runners.imports.rows import About, Problem, Row, Solution
from isocompute.runners.imports.source import Source
from isocompute.runners.imports.source import block as checked
from isocompute.runners.parsing.printable import shown

ATTACHMENT = "attachment://"

ENDED = {"max_tokens": "length", "model_length": "length", "unknown": None}
"""Why a model stopped, where it is called otherwise here."""

SCORES: dict[Any, bool] = {"C": True, "I": False, "N": False, 1: True, 0: False}
"""Values of a score that say right or wrong; True and 1.0 are 1."""


def inspect_rows(source: Source) -> Iterator[Row]:
    """Yield the rows of a log.

    Raises:
        DataError: it is none, or a sample does not hold what it should; says which.
    """
    files = source.files(".eval", ".json")
    if len(files) > 1:
        raise DataError(f"'{source.path}' holds several logs; name one: {', '.join(file.name for file in files)}.")
    header, samples = (archived if files[0].suffix == ".eval" else written)(source, files[0])
    spec = block(header, "eval", str(files[0]))
    model = text(spec, "model", str(files[0]))
    yield About(text(spec, "task", str(files[0])), model)
    problems: set[str] = set()
    epochs: set[tuple[str, int | None]] = set()
    for where, sample in samples:
        named = name(sample, "id", where)
        epoch = count(sample, "epoch", where)
        if (named, epoch) in epochs:
            raise DataError(f"{where}: epoch {epoch} of the sample '{named}' stands twice.")
        epochs.add((named, epoch))
        gold = target(sample, where)
        if named not in problems:
            problems.add(named)
            yield Problem(named, where, question(sample, where), gold)
        yield solution(named, sample, model, where)


def archived(source: Source, path: Path) -> tuple[dict[str, Any], Iterator[tuple[str, dict[str, Any]]]]:
    """Return the header and the samples of an .eval file; of a log that was not finished, what was begun."""
    archive = source.members(path)
    begun = [member for member in ("header.json", "_journal/start.json") if member in archive.names]
    if not begun:
        raise DataError(f"{path} has no header.json; it is no log of inspect_ai.")
    members = [member for member in archive.names if member.startswith("samples/") and member.endswith(".json")]

    def samples() -> Iterator[tuple[str, dict[str, Any]]]:
        with archive:
            for member in members:
                yield f"{path}, {member}", archive.json(member)

    return archive.json(begun[0]), samples()


def written(source: Source, path: Path) -> tuple[dict[str, Any], Iterator[tuple[str, dict[str, Any]]]]:
    """Return the header and the samples of a .json file."""
    log = checked(source.json(path), str(path))
    samples = log.get("samples")
    if not isinstance(samples, list):
        raise DataError(f"{path}: 'samples' must be a list; it is {shown(samples)}.")
    places = ((f"{path}, sample {i}", sample) for i, sample in enumerate(samples, start=1))
    return log, ((where, checked(sample, where)) for where, sample in places)


def question(sample: dict[str, Any], where: str) -> str | None:
    """Return what was asked: the input, or what the user says in it, with the choices below."""
    asked = sample.get("input")
    if isinstance(asked, list):
        said = [content(message, sample) for message in asked if isinstance(message, dict)]
        asked = "\n\n".join(part for part in said if part)
    asked = resolved(asked, sample) if isinstance(asked, str) else None
    choices = sample.get("choices")
    if asked is None or not isinstance(choices, list):
        return asked
    lettered = (f"({chr(ord('A') + i)}) {choice}" for i, choice in enumerate(choices[:26]))
    return "\n".join([asked, "", *lettered])


def target(sample: dict[str, Any], where: str) -> str | None:
    """Return the right answer; None where any of several is right, which no grader here can tell."""
    given = needed(sample, "target", where)
    if isinstance(given, list):
        given = given[0] if len(given) == 1 else None
    return text({"target": given}, "target", where)


def solution(named: str, sample: dict[str, Any], model: str | None, where: str) -> Solution:
    """Return what the model wrote, what it cost, and what the first scorer thought of it."""
    output = block(sample, "output", where)
    choices = output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    tokens = usage(sample, output, model, where)
    seconds = duration(output, "time", where) if calls(sample) <= 1 else None
    error = sample.get("error")
    if error is not None:
        said = text(error, "message", where) if isinstance(error, dict) else None
        unsaid = "an error that the log does not name"
        return Solution(named, where, status=said or unsaid, seconds=seconds, **tokens)
    written = text(output, "completion", where) or content(block(choice, "message", where), sample)
    correct, answer, status = scored(sample, where)
    stopped = text(choice, "stop_reason", where)
    return Solution(
        named,
        where,
        resolved(written, sample),
        answer,
        correct,
        finish_reason=ENDED.get(stopped or "", stopped),
        status=status,
        seconds=seconds,
        **tokens,
    )


def content(message: dict[str, Any], sample: dict[str, Any]) -> str:
    """Return the text of a message, which may come in parts; reasoning is none of it."""
    held = message.get("content")
    parts = held if isinstance(held, list) else [{"type": "text", "text": held}]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return "\n".join(resolved(part, sample) for part in texts if isinstance(part, str))


def resolved(said: str, sample: dict[str, Any]) -> str:
    """Return a text that may stand among the sample's attachments."""
    attachments = sample.get("attachments")
    if said.startswith(ATTACHMENT) and isinstance(attachments, dict):
        found = attachments.get(said.removeprefix(ATTACHMENT))
        return found if isinstance(found, str) else said
    return said


def calls(sample: dict[str, Any]) -> int:
    """Return how often the model was called: how many messages are its own."""
    messages = sample.get("messages")
    said = messages if isinstance(messages, list) else []
    return sum(isinstance(message, dict) and message.get("role") == "assistant" for message in said)


def usage(sample: dict[str, Any], output: dict[str, Any], model: str | None, where: str) -> dict[str, Any]:
    """Return the tokens of a solution: of its one call, or of all calls of the model that is evaluated.

    Where that model also scores, its calls as a scorer are among the latter; they cannot be told apart.
    """
    one, all_calls = block(output, "usage", where), block(block(sample, "model_usage", where), model or "", where)
    told = (one or all_calls) if calls(sample) <= 1 else all_calls
    if not told:
        return {}
    fresh, read, held = (count(told, f"input_tokens{kind}", where) for kind in ("", "_cache_read", "_cache_write"))
    prompt = None if fresh is None else fresh + (read or 0) + (held or 0)
    if prompt is not None and prompt > INT32:
        raise DataError(f"{where}: the prompt has {prompt:,} tokens, which cannot be.")
    return {"prompt_tokens": prompt, "cached_tokens": read, "completion_tokens": count(told, "output_tokens", where)}


def scored(sample: dict[str, Any], where: str) -> tuple[bool | None, str | None, str]:
    """Return what the first scorer says: right or wrong if either, the answer it read, and a status if it gave up."""
    scores = block(sample, "scores", where)
    score = next(iter(scores.values()), None)
    if not isinstance(score, dict):
        return None, None, "ok"
    value = score.get("value")
    if isinstance(value, float) and math.isnan(value):
        return None, None, "not scored"
    said = SCORES.get(value) if isinstance(value, str | int | float) else None
    return said, text(score, "answer", where), "ok"
