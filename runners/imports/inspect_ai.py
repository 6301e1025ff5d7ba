"""The format of inspect_ai: an evaluation's log, as .eval (a zip archive with a member for each sample) or as .json.

    eval: task, model …          samples: id, epoch, input, choices, target, output, scores, model_usage, error …

Each epoch of a sample is a solution. A sample that ended in an error or was invalidated is a failed row, whatever its
score says. Right or wrong is what the first scorer says unless another is named; a score between right and wrong says
neither. Prompt tokens include cached ones and completion tokens those of reasoning. Whether `input_tokens` and
`output_tokens` include them differs among providers, so the log's total decides. The seconds of a solution are the
`time` of its only call; of several calls only the last one's is logged, so the seconds are then unknown, and so is when
a call began. Where the package is installed its own reader reads the samples, see `inspect_package`. Source:
github.com/UKGovernmentBEIS/inspect_ai at 499e615 (log/_log.py, log/_recorders/eval.py, model/_model_output.py,
scorer/_metric.py), and its release 0.3.285.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import (
    INT32_MAX,
    read_block_field,
    read_count_field,
    read_name_field,
    read_seconds_field,
    read_text_field,
    require_field,
)
from isocompute.runners.imports.inspect_package import resolve_samples
from isocompute.runners.imports.rows import ImportedMetadata, ImportedProblem, ImportedRow, ImportedSolution
from isocompute.runners.imports.source import ImportSource, require_block
from isocompute.runners.parsing.printable import format_error_value

SAMPLE_MEMBER_PATTERN = re.compile(r"samples/[^/]+\.json")

ATTACHMENT_PREFIX = "attachment://"

INSPECT_FINISH_REASONS = {"max_tokens": "length", "model_length": "length", "unknown": None}
"""Stop reasons with another name in isocompute."""

INSPECT_SCORE_VALUES: dict[Any, bool] = {
    "C": True, "I": False, "N": False, 1: True, 0: False, "correct": True, "incorrect": False,
}  # fmt: skip
"""Values of a score that mean right or wrong; True and 1.0 equal 1."""


def read_inspect_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of a log.

    Raises:
        DataError: it is not a log, or a sample does not hold the expected data; the message says which.
    """
    files = source.find_files(".eval", ".json")
    if len(files) > 1:
        raise DataError(f"'{source.path}' holds several logs; name one: {', '.join(file.name for file in files)}.")
    path = files[0]
    header, samples = (read_eval_archive if path.suffix == ".eval" else read_json_log)(source, path)
    samples = resolve_samples(path, samples, lambda: source.bytes_unpacked, source.notes)
    spec = read_block_field(header, "eval", str(path))
    model = read_text_field(spec, "model", str(path))
    yield ImportedMetadata(read_text_field(spec, "task", str(path)), model)
    problems: dict[str, str | None] = {}
    scorers: dict[str, None] = {}
    chosen = source.scorer
    epochs: set[tuple[str, int | None]] = set()
    for where, sample in samples:
        named = read_name_field(sample, "id", where)
        epoch = read_count_field(sample, "epoch", where)
        if (named, epoch) in epochs:
            raise DataError(f"{where}: epoch {epoch} of the sample '{named}' appears twice.")
        epochs.add((named, epoch))
        gold = read_inspect_gold(sample, source.has_text_grader, where)
        is_new = named not in problems
        if problems.setdefault(named, gold) != gold:
            raise DataError(
                f"{where}: the sample '{named}' has the right answer {format_error_value(gold)}, but in an earlier "
                f"epoch {format_error_value(problems[named])}; give different samples different ids."
            )
        if is_new:
            yield ImportedProblem(named, where, build_inspect_question(sample, where), gold)
        scorers.update(dict.fromkeys(read_inspect_scores(sample, where)))
        chosen = chosen or next(iter(scorers), None)
        yield read_inspect_solution(named, sample, model, chosen, source.has_text_grader, where)
    if chosen is not None and scorers and chosen not in scorers:
        raise DataError(f"{path}: there is no scorer '{chosen}'; there are: {', '.join(scorers)}.")
    if len(scorers) > 1:
        source.notes.append(
            f"Right or wrong is what '{chosen}' says; the log has {', '.join(scorers)}; "
            "see --scorer (scorer= in Python)."
        )


def read_eval_archive(source: ImportSource, path: Path) -> tuple[dict[str, Any], Iterator[tuple[str, dict[str, Any]]]]:
    """Return the header and the samples of an .eval file; for an unfinished log, those written so far."""
    archive = source.open_archive(path)
    begun = [member for member in ("header.json", "_journal/start.json") if member in archive.names]
    if not begun:
        raise DataError(f"{path} has no header.json; it is not a log of inspect_ai.")
    members = [member for member in archive.names if SAMPLE_MEMBER_PATTERN.fullmatch(member)]
    if not members and any(member.startswith("samples/") for member in archive.names):
        raise DataError(f"{path} holds its samples in chunks, which are not read; write it again without chunks.")

    def read_samples() -> Iterator[tuple[str, dict[str, Any]]]:
        with archive:
            for member in members:
                yield f"{path}, {member}", archive.read_json(member)
                source.bytes_unpacked = archive.bytes_unpacked

    return archive.read_json(begun[0]), read_samples()


def read_json_log(source: ImportSource, path: Path) -> tuple[dict[str, Any], Iterator[tuple[str, dict[str, Any]]]]:
    """Return the header and the samples of a .json file."""
    log = require_block(source.read_json(path), str(path))
    samples = log.get("samples")
    if not isinstance(samples, list):
        raise DataError(f"{path}: 'samples' must be a list; it is {format_error_value(samples)}.")
    places = ((f"{path}, sample {i}", sample) for i, sample in enumerate(samples, start=1))
    return log, ((where, require_block(sample, where)) for where, sample in places)


def build_inspect_question(sample: dict[str, Any], where: str) -> str | None:
    """Return the question: the input, or the text of its messages, with the choices below."""
    question = sample.get("input")
    if isinstance(question, list):
        texts = [extract_message_text(message, sample) for message in question if isinstance(message, dict)]
        question = "\n\n".join(part for part in texts if part)
    question = resolve_attachment(question, sample) if isinstance(question, str) else None
    choices = sample.get("choices")
    if question is None or not isinstance(choices, list):
        return question
    lettered = (f"({chr(ord('A') + i)}) {choice}" for i, choice in enumerate(choices[:26]))
    return "\n".join([question, "", *lettered])


def read_inspect_gold(sample: dict[str, Any], has_text_grader: bool, where: str) -> str | None:
    """Return the right answer; None if any of several is right.

    Raises:
        DataError: there are several, and a grader is to compare texts with them.
    """
    target = require_field(sample, "target", where)
    if isinstance(target, list):
        several = [each for i, each in enumerate(target) if each not in target[:i]]
        if len(several) > 1 and has_text_grader:
            raise DataError(
                f"{where}: the sample has {len(several)} right answers, {format_error_value(target)}, and a grader "
                "compares with one only; --grader as-logged (grader= in Python) takes the verdicts of the log."
            )
        target = several[0] if len(several) == 1 else None
    return read_text_field({"target": target}, "target", where)


def read_inspect_solution(
    named: str, sample: dict[str, Any], model: str | None, scorer: str | None, has_text_grader: bool, where: str
) -> ImportedSolution:
    """Return a sample's completion as a solution, with its tokens and a scorer's judgement."""
    output = read_block_field(sample, "output", where)
    choices = output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    tokens = read_inspect_usage(sample, output, model, where)
    seconds = read_seconds_field(output, "time", where) if count_model_calls(sample) <= 1 else None
    if sample.get("invalidation"):
        return ImportedSolution(named, where, status="invalidated in the log", seconds=seconds, **tokens)
    error = sample.get("error")
    if error is not None:
        message = read_text_field(error, "message", where) if isinstance(error, dict) else None
        unnamed = "an error without a message in the log"
        return ImportedSolution(named, where, status=message or unnamed, seconds=seconds, **tokens)
    completion = read_text_field(output, "completion", where) or extract_message_text(
        read_block_field(choice, "message", where), sample
    )
    correct, answer, unjudged = read_inspect_score(sample, scorer, has_text_grader, where)
    stopped = read_text_field(choice, "stop_reason", where)
    return ImportedSolution(
        named,
        where,
        resolve_attachment(completion, sample),
        answer,
        correct,
        finish_reason=INSPECT_FINISH_REASONS.get(stopped or "", stopped),
        unjudged=unjudged,
        seconds=seconds,
        **tokens,
    )


def extract_message_text(message: dict[str, Any], sample: dict[str, Any]) -> str:
    """Return the text of a message, which may have several parts, without reasoning."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return "\n".join(resolve_attachment(part, sample) for part in texts if isinstance(part, str))


def resolve_attachment(text: str, sample: dict[str, Any]) -> str:
    """Return a text, or the sample's attachment that it refers to."""
    attachments = sample.get("attachments")
    if text.startswith(ATTACHMENT_PREFIX) and isinstance(attachments, dict):
        attachment = attachments.get(text.removeprefix(ATTACHMENT_PREFIX))
        return attachment if isinstance(attachment, str) else text
    return text


def count_model_calls(sample: dict[str, Any]) -> int:
    """Return the number of calls of the model, by its messages."""
    messages = sample.get("messages")
    listed = messages if isinstance(messages, list) else []
    return sum(isinstance(message, dict) and message.get("role") == "assistant" for message in listed)


def read_inspect_usage(sample: dict[str, Any], output: dict[str, Any], model: str | None, where: str) -> dict[str, Any]:
    """Return the tokens of a solution: those of its only call, or of all calls of the evaluated model.

    If that model also scores, its calls as a scorer are included; they cannot be told apart.
    """
    only_call, all_calls = (
        read_block_field(output, "usage", where),
        read_block_field(read_block_field(sample, "model_usage", where), model or "", where),
    )
    usage = (only_call or all_calls) if count_model_calls(sample) <= 1 else all_calls
    if not usage:
        return {}
    fresh, cache_read, cache_written = (
        read_count_field(usage, f"input_tokens{kind}", where) for kind in ("", "_cache_read", "_cache_write")
    )
    prompt = None if fresh is None else fresh + (cache_read or 0) + (cache_written or 0)
    if prompt is not None and prompt > INT32_MAX:
        raise DataError(f"{where}: the prompt has {prompt:,} tokens, which is impossible.")
    sampled, reasoning, total = (
        read_count_field(usage, kind, where) for kind in ("output_tokens", "reasoning_tokens", "total_tokens")
    )
    if total is not None and None not in (prompt, fresh, sampled):
        prompt, sampled = match_total(total, prompt or 0, fresh or 0, sampled or 0, reasoning or 0)
    return {"prompt_tokens": prompt, "cached_tokens": cache_read, "completion_tokens": sampled}


def match_total(total: int, prompt: int, fresh: int, sampled: int, reasoning: int) -> tuple[int, int]:
    """Return prompt and completion tokens, by which of the ways to count them adds up to the total.

    Args:
        total: the log's total.
        prompt: input tokens with those of caches added.
        fresh: input tokens as logged, which may include those of caches already.
        sampled: output tokens as logged, which may include those of reasoning already.
        reasoning: tokens of reasoning.

    >>> match_total(530, 10, 10, 20, 500), match_total(30, 18, 10, 20, 0), match_total(99, 10, 10, 20, 0)
    ((10, 520), (10, 20), (10, 20))
    """
    for read in (prompt, fresh):
        for written in (sampled, sampled + reasoning):
            if read + written == total:
                return read, written
    return prompt, sampled


def read_inspect_scores(sample: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a sample's scores by scorer; early logs have a single one without a name."""
    single = sample.get("score")
    return {"score": single} if isinstance(single, dict) else read_block_field(sample, "scores", where)


def read_inspect_score(
    sample: dict[str, Any], scorer: str | None, has_text_grader: bool, where: str
) -> tuple[bool | None, str | None, str | None]:
    """Return a scorer's judgement if it is right or wrong, the answer it read, and the reason if it is neither.

    Raises:
        DataError: the score says neither right nor wrong nor how far right, and no grader reads the text instead.
    """
    score = None if scorer is None else read_inspect_scores(sample, where).get(scorer)
    if not isinstance(score, dict):
        return None, None, "not scored"
    value = score.get("value")
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None, None, "not scored"
    correct = INSPECT_SCORE_VALUES.get(value) if isinstance(value, str | int | float) else None
    is_share = value == "P" or (isinstance(value, int | float) and 0 < value < 1)
    unjudged = None if correct is not None else "scored as partly right" if is_share else None
    if correct is None and not is_share and not has_text_grader:
        raise DataError(
            f"{where}: the scorer '{scorer}' says {format_error_value(value)}, which is neither right nor wrong; "
            "choose another with --scorer (scorer= in Python), or name a grader of the texts with --grader (grader=)."
        )
    return correct, read_text_field(score, "answer", where), unjudged
