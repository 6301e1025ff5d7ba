"""The columns of a table for import."""

from __future__ import annotations

TOKEN_COUNT_COLUMNS = ("prompt_tokens", "cached_tokens", "completion_tokens")

IMPORT_COLUMNS = {
    "problem_id": "the problem's name; its question if there is no such column",
    "question": "the question",
    "gold": "the right answer",
    "subject": "field of knowledge",
    "level": "difficulty, a whole number, or text with one such as Level 3",
    "cluster": "the group that the problem was drawn with",
    "solution_id": "the solution's name, unique in its problem",
    "solution": "what the solver wrote",
    "answer": "the answer read in that text",
    "correct": "whether the answer is right",
    "prompt_tokens": "tokens in the solution's prompt",
    "cached_tokens": "prompt tokens read from a cache",
    "completion_tokens": "tokens sampled for the solution",
    "finish_reason": "stop, or length",
    "score": "the solution's reward score, from 0 to 1",
    "verification": "what the verifier wrote",
    "verdict": "the verdict: yes, no, or a number from 0 to 1; or a list of them",
    "p_yes": "the probability of yes",
    "verification_prompt_tokens": "tokens in the verification's prompt",
    "verification_cached_tokens": "prompt tokens read from a cache",
    "verification_completion_tokens": "tokens sampled for the verification",
}
"""Columns by name, with their content."""

SOLUTION_COLUMNS = ("solution", "answer", "correct", "score", *TOKEN_COUNT_COLUMNS, "finish_reason", "solution_id")
VERIFICATION_COLUMNS = ("verification", "verdict", "p_yes", *(f"verification_{kind}" for kind in TOKEN_COUNT_COLUMNS))
