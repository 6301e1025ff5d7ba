"""Metrics of the tasks here that do not say right or wrong."""

from __future__ import annotations

import re


def compute_word_f1(references: list[str], predictions: list[str]) -> dict[str, float]:
    """Return the F1 of the words of a text against those of the right one."""
    right, said = references[0].lower().split(), predictions[0].lower().split()
    common = sum(min(right.count(word), said.count(word)) for word in set(right))
    return {"word_f1": 2 * common / (len(right) + len(said))}


def measure_distance(references: list[str], predictions: list[str]) -> dict[str, float]:
    """Return how far the first number of a text is from the right one, from 0 to 1."""
    right, said = int(references[0].rpartition(" ")[2]), re.findall(r"\d+", predictions[0])
    return {"distance": min(1.0, abs(int(said[0]) - right) / right) if said else 1.0}
