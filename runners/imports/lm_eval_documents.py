"""The documents of a log of lm-evaluation-harness, told apart also where several have the same number."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import read_block_field, read_name_field, read_text_field
from isocompute.runners.storage.digests import digest_text


class DocumentNames:
    """The names of the documents so far, by their number and content.

    A file may hold several tasks, in which the numbers begin again. A document that comes again with the same content
    has further solutions.

    Attributes:
        targets: the right answer of each document that was taken, by its name.
        untaken: documents that were seen, and not taken.
    """

    def __init__(self) -> None:
        self.targets: dict[str, str | None] = {}
        self.untaken: set[str] = set()
        self._names: dict[tuple[str, str], str] = {}
        self._counts: defaultdict[str, int] = defaultdict(int)

    def name_document(self, row: dict[str, Any], where: str) -> str:
        """Return the name of a line's document: its number, with a mark if another document has that number."""
        number = read_name_field(row, "doc_id", where)
        key = number, identify_document(row, where)
        if key not in self._names:
            self._counts[number] += 1
            self._names[key] = number if self._counts[number] == 1 else f"{number} ({self._counts[number]})"
            self.untaken.add(self._names[key])
        return self._names[key]

    def take_document(self, name: str, row: dict[str, Any], where: str) -> bool:
        """Keep a document's right answer, and return whether it is a new document.

        Raises:
            DataError: it has another right answer than before.
        """
        target = read_text_field(row, "target", where)
        is_new = name not in self.targets
        if not is_new and self.targets[name] != target:
            raise DataError(f"{where}: the document '{name}' has another target than before.")
        self.targets[name] = target
        self.untaken.discard(name)
        return is_new

    def describe_documents(self, filter: str) -> list[str]:
        """Return sentences on documents with the same number, and on those without the filter's answers."""
        sentences = []
        if more := sum(self._counts.values()) - len(self._counts):
            sentences.append(
                "Several documents share a number (doc_id), as in a file of several tasks. Each is a problem of its "
                f"own, so there are {more:,} more problems than numbers."
            )
        if self.untaken:
            sentences.append(
                f"Documents without a line of the filter '{filter}' are left out; there are {len(self.untaken):,}."
            )
        return sentences


def identify_document(row: dict[str, Any], where: str) -> str:
    """Return what tells a line's document from another of the same number.

    It is the document's hash in the log, or else its content, or else its prompt. A prompt comes last, since its
    examples may be drawn anew.
    """
    if hashed := read_text_field(row, "doc_hash", where):
        return hashed
    document = row.get("doc")
    if not document:
        document = read_text_field(row, "prompt_hash", where) or read_lm_eval_question(row, where)
    return digest_text(json.dumps(document, sort_keys=True, default=str))


def read_lm_eval_question(row: dict[str, Any], where: str) -> str | None:
    """Return the prompt: the first argument of the first request, a text or the messages of a chat as JSON."""
    arguments = row.get("arguments")
    if isinstance(arguments, list):  # before 2024, a list of requests, or a request
        while isinstance(arguments, list) and arguments:
            arguments = arguments[0]
        return arguments if isinstance(arguments, str) else None
    prompt = read_block_field(read_block_field(row, "arguments", where), "gen_args_0", where).get("arg_0")
    if isinstance(prompt, list) and len(prompt) == 1:  # of a chat
        prompt = prompt[0]
    return prompt if isinstance(prompt, str) else None
