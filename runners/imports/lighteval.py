"""The format of lighteval: ``details_TASK_DATE.parquet``, a row for each document, from --save-details.

    doc: {id, query, choices, gold_index …}, model_response: {text, text_post_processed, input_tokens, output_tokens …},
    metric: {name: value …}                                                                          since 0.11
    example, predictions, gold, choices, gold_index, metrics: {name: value …}                        0.8 to 0.10

The texts of a document are its solutions. Right or wrong is what the first metric says that says so of every text,
unless another is named: with one text, a match of answers; with several, the mean over all of them (``avg@n`` or
pass@1). Of several texts it is then known how many are right, and not which, unless all or none are. Source:
github.com/huggingface/lighteval at 3fd1526, and at its tags v0.8.0 and v0.9.2 (logging/info_loggers.py,
logging/evaluation_tracker.py, metrics/metrics.py, tasks/requests.py, models/model_output.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.counts import shuffle_right_solutions
from isocompute.runners.imports.fields import read_block_field, read_probability_field, read_text_field
from isocompute.runners.imports.rows import ImportedMetadata, ImportedProblem, ImportedRow, ImportedSolution
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.imports.table_files import read_parquet_table
from isocompute.runners.parsing.printable import format_error_value

DETAILS_FILE_PATTERN = re.compile(r"details_(.+)_\d{4}-\d\d-\d\dT[\d.:-]+")

DATE_FOLDER_PATTERN = re.compile(r"\d{4}-\d\d-\d\dT[\d.:-]+")

DETAILS_COLUMNS = frozenset(
    ["doc", "model_response", "metric", "example", "predictions", "gold", "choices", "gold_index", "metrics"]
)

MATCH_METRICS = frozenset(
    ["em", "qem", "pem", "pqem", "perfect_em", "exact_match", "extractive_match", "acc", "accuracy", "simpleqa_judge"]
)
"""Metrics that say right or wrong of a single text; of several they take the best or the first."""

MEAN_METRIC_PATTERN = re.compile(r"(?:\w+_)?(avg@n|pass@k|pass@1)(?::(.*))?")
"""Metrics that may be the share of right ones among several texts: ``pass@k:k=1&n=4``, before 0.11 pass@1:4_samples."""


def read_lighteval_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of one task.

    Raises:
        DataError: there are several files, the task samples nothing, or a row does not hold the expected data.
    """
    files = source.find_files(".parquet", pattern="details_*.parquet")
    if len(files) > 1:
        raise DataError(f"'{source.path}' holds several tasks or dates; name one: {', '.join(f.name for f in files)}.")
    task = DETAILS_FILE_PATTERN.fullmatch(files[0].stem)
    yield ImportedMetadata(task[1] if task else None, infer_lighteval_model(files[0]))
    source.used_columns.update({column: column for column in DETAILS_COLUMNS})
    taken: dict[str, None] = {}
    is_share = False
    for number, (where, row) in enumerate(read_parquet_table(source, files[0], DETAILS_COLUMNS)):
        problem, texts, metrics = read_lighteval_document(row, str(number), where)
        metric = choose_lighteval_metric(metrics, len(texts), source.scorer, where)
        if metric is None and problem.gold is None:
            raise DataError(
                f"{where}: there is no single right answer, and no metric says how many of {len(texts):,} texts are "
                f"right: {', '.join(metrics) or 'none'}; choose one with --scorer (scorer= in Python)."
            )
        share = None if metric is None else read_probability_field(metrics, metric, where)
        taken.update({} if metric is None else {metric: None})
        yield problem
        for solution in judge_texts(problem.problem_id, texts, share, row, where):
            is_share = is_share or solution.is_share
            yield solution
    if taken:
        source.notes.append(
            f"Right or wrong, as logged, is what '{', '.join(taken)}' says; --scorer (scorer= in Python) names another."
        )
    if is_share:
        source.notes.append(
            "Of several texts the log says how many are right, and not which; as logged, they have no texts."
        )


def infer_lighteval_model(path: Path) -> str | None:
    """Return the model's name in the path of a file: that between the folders ``details`` and of the date.

    >>> infer_lighteval_model(Path("/out/details/org/m-1b/2025-01-31T10-00-00.0/details_x.parquet"))
    'org/m-1b'
    """
    *folders, date, _ = path.resolve().parts
    if "details" not in folders or not DATE_FOLDER_PATTERN.fullmatch(date):
        return None
    first = len(folders) - folders[::-1].index("details")
    return "/".join(folders[first:]) or None


def read_lighteval_document(
    row: dict[str, Any], number: str, where: str
) -> tuple[ImportedProblem, list[str], dict[str, Any]]:
    """Return a document as a problem, its texts, and its metrics.

    Args:
        row: the row.
        number: the row's number, which names the problem.
        where: place of the row, for errors.

    Raises:
        DataError: a column is missing or holds something else, or there are no texts.
    """
    is_old = "predictions" in row
    if is_old and isinstance(row["predictions"], str):
        raise DataError(f"{where}: the columns are texts of Python, as lighteval before 0.8 wrote them.")
    doc = row if is_old else read_block_field(row, "doc", where)
    response = read_block_field(row, "model_response", where)
    texts = row["predictions"] if is_old else response.get("text_post_processed") or response.get("text")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise DataError(
            f"{where}: the texts must be a list of texts; they are {format_error_value(texts)}. Tasks that compare "
            "likelihoods sample nothing."
        )
    question = read_text_field(doc, "example" if is_old else "query", where)
    problem = ImportedProblem(number, where, question, read_lighteval_gold(doc))
    return problem, texts, read_block_field(row, "metrics" if is_old else "metric", where)


def read_lighteval_gold(doc: dict[str, Any]) -> str | None:
    """Return the right answer; None if there are several.

    >>> read_lighteval_gold({"choices": ["4", "5"], "gold_index": [1]}), read_lighteval_gold({"gold": ["5"]})
    ('5', '5')
    """
    golds, choices, places = doc.get("gold"), doc.get("choices"), doc.get("gold_index")
    if not golds and isinstance(choices, list):
        listed = places if isinstance(places, list) else [places]
        golds = [choices[i] for i in listed if isinstance(i, int) and 0 <= i < len(choices)]
    return golds[0] if isinstance(golds, list) and len(golds) == 1 and isinstance(golds[0], str) else None


def choose_lighteval_metric(metrics: dict[str, Any], texts: int, wanted: str | None, where: str) -> str | None:
    """Return the metric that says right or wrong of a document; None if there is none.

    >>> choose_lighteval_metric({"maj@n:n=4": 1, "pass@k:k=1&n=4": 0.25}, 4, None, "here")
    'pass@k:k=1&n=4'

    Args:
        metrics: the document's metrics.
        texts: the number of its texts.
        wanted: the metric asked for.
        where: place of the row, for errors.

    Raises:
        DataError: the one asked for is not there, or does not say how many texts are right.
    """
    names = [name for name, value in metrics.items() if value is not None]
    if wanted is None:
        is_match = [texts == 1 and name.partition(":")[0] in MATCH_METRICS for name in names]
        return next((name for name, ok in zip(names, is_match, strict=True) if ok or is_mean(name, texts)), None)
    if wanted not in names:
        raise DataError(f"{where}: there is no metric '{wanted}'; there are: {', '.join(names) or 'none'}.")
    if texts > 1 and not is_mean(wanted, texts):
        raise DataError(f"{where}: '{wanted}' does not say how many of the {texts:,} texts are right.")
    return wanted


def is_mean(metric: str, texts: int) -> bool:
    """Return whether a metric is the share of right ones among a document's texts.

    >>> [is_mean(name, 4) for name in ("avg@n:n=4", "pass@k:k=1", "math_pass@1:4_samples", "pass@k:k=2&n=4", "maj@4")]
    [True, True, True, False, False]
    """
    match = MEAN_METRIC_PATTERN.fullmatch(metric)
    if match is None:
        return False
    settings = dict(part.partition("=")[::2] for part in (match[2] or "").split("&"))
    samples = re.fullmatch(r"(\d+)_samples", match[2] or "")
    number = samples[1] if samples else settings.get("n", str(texts))
    return number == str(texts) and (match[1] != "pass@k" or settings.get("k") == "1")


def judge_texts(
    problem: str, texts: list[str], share: float | None, row: dict[str, Any], where: str
) -> Iterator[ImportedSolution]:
    """Yield the solutions of a document; if it is not known which are right, in a random order of right and wrong."""
    right = None if share is None else round(share * len(texts))
    is_whole = right is not None and abs(share * len(texts) - right) < 1e-6  # type: ignore[operator]
    is_share = right is not None and is_whole and 0 < right < len(texts)
    order = list(shuffle_right_solutions(problem, len(texts), right or 0, where)) if is_share else []
    tokens = list_token_counts(row, len(texts))
    for i, text in enumerate(texts):
        correct = order[i].correct if is_share else right == len(texts) if is_whole else None
        yield ImportedSolution(
            problem,
            f"{where}, text {i}",
            text,
            correct=correct,
            completion_tokens=tokens[i],
            unjudged="scored as partly right" if share is not None and not is_whole else None,
            is_share=is_share,
        )


def list_token_counts(row: dict[str, Any], texts: int) -> list[int | None]:
    """Return the number of tokens of each text; None where they are not logged."""
    response = row.get("model_response")
    tokens = response.get("output_tokens") if isinstance(response, dict) else None
    if not isinstance(tokens, list) or len(tokens) != texts:
        return [None] * texts
    return [len(each) if isinstance(each, list) and each else None for each in tokens]
