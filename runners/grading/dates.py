"""Dates and clock times in figures, which are compared as such and never computed."""

from __future__ import annotations

import re

from isocompute.runners.grading.words import normalise_words

YEAR, MONTH, DAY = r"([12]\d{3})", r"(0?[1-9]|1[0-2])", r"(0?[1-9]|[12]\d|3[01])"
YEAR_FIRST_PATTERN = re.compile(rf"{YEAR}([-/.]){MONTH}\2{DAY}", re.ASCII)
YEAR_LAST_PATTERN = re.compile(rf"{DAY}([-/.]){DAY}\2{YEAR}", re.ASCII)
SHORT_YEAR_PATTERN = re.compile(r"(0[1-9]|[12]\d|3[01])([-/.])(0[1-9]|[12]\d|3[01])\2(\d\d)", re.ASCII)
MONTH_PATTERN = re.compile(rf"{YEAR}(-)(0[1-9]|1[0-2])", re.ASCII)
CLOCK_REST_PATTERN = re.compile(r"[t ](\d{1,2}:\d\d.{0,20})", re.ASCII)


def parse_date(text: str) -> tuple[str, ...] | None:
    r"""Return the parts of a date in figures, with or without a time; None of other texts.

    The order of day and month is not known, so dates that end in the year are equal only if they are written alike.

    >>> parse_date("2024-01-05"), parse_date("2024/1/5") == parse_date("2024-01-05"), parse_date("01/05/2024")
    (('y-m-d', '2024', '1', '5'), True, ('/', '1', '5', '2024'))
    >>> [parse_date(text) for text in ("1/2", "2024-5", "31-12", "10-3-2", "1:2:3")]
    [None, None, None, None, None]
    """
    if len(text) > 60 or not re.search(r"\d", text):
        return None
    spelt = re.sub("[‐-―−]", "-", normalise_words(text))
    spelt = re.sub(r" ?([-/]) ?", r"\1", spelt)
    for pattern in (YEAR_FIRST_PATTERN, YEAR_LAST_PATTERN, SHORT_YEAR_PATTERN, MONTH_PATTERN):
        found = pattern.match(spelt)
        if found is None:
            continue
        rest = spelt[found.end() :]
        clock = CLOCK_REST_PATTERN.fullmatch(rest)
        if rest and clock is None:
            continue
        first, separator, *others = found.groups()
        order = "y-m-d" if pattern in (YEAR_FIRST_PATTERN, MONTH_PATTERN) else separator
        parts = (order, *(part.lstrip("0") or "0" for part in (first, *others)))
        return parts if clock is None else (*parts, clock[1])
    return None
