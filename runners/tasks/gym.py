"""Problems from the generators of the `reasoning-gym` library.

Only generators whose answers an ordinary grader can compare are supported: one right answer, on one line, the same in
every process. The library's own `score_answer` is not used. Its scores are graded, with inconsistent meanings of 1.0
(one scorer accepts every answer that is not empty), and some scorers evaluate a model's text as code. If many answers
are right, voting would have to group answers that only the scorer can recognise as equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import version
from typing import Any

from isocompute.errors import ConfigError
from isocompute.runners.seeds import derive_seed
from isocompute.runners.tasks.problem import Problem

GENERATOR_GRADERS = {
    **dict.fromkeys(
        (
            "aiw", "basic_arithmetic", "binary_alternation", "chain_sum", "circuit_logic", "count_bits",
            "count_primes", "decimal_chain_sum", "gcd", "gsm_symbolic", "largest_island", "lcm", "leg_counting",
            "letter_counting", "maze", "number_sequence", "products", "rectangle_count", "rotten_oranges",
            "self_reference", "simple_equations", "simple_geometry",
        ),
        "numeric",
    ),
    **dict.fromkeys(
        (
            "arc_1d", "base_conversion", "caesar_cipher", "color_cube_rotation", "course_schedule",
            "family_relationships", "game_of_life_halting", "mahjong_puzzle", "needle_haystack", "spell_backward",
            "string_insertion", "string_manipulation", "string_splitting", "string_synthesis", "syllogism",
            "word_sequence_reversal", "zebra_puzzles",
        ),
        "exact",
    ),
}  # fmt: skip
"""The grader of each supported generator; read in version 0.1.25 of the library."""

GENERATOR_SIZE = 100_000
"""Size of every generator's dataset. Some generators draw all problems at once, so it does not depend on the count."""

OPTION_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""Exceptions that generators raise for invalid options."""


def make_gym_problems(
    generator: str, count: int, seed: int = 0, options: dict[str, Any] | None = None
) -> list[Problem]:
    """Generate distinct problems; a shorter list is the beginning of a longer one.

    A problem's name holds generator, seed and index. With the options they reproduce the library's entry:
    ``create_dataset(generator, size=GENERATOR_SIZE, seed=derive_library_seed(generator, seed), **options)[index]``.

    Args:
        generator: one of `GENERATOR_GRADERS`.
        count: number of problems.
        seed: of the draw.
        options: of the generator, such as its range of numbers.

    Raises:
        ConfigError: the library is not installed, the generator is unknown or not supported, an option is wrong, or
            there are fewer different problems.
    """
    problems: dict[str, Problem] = {}
    for index, entry, subject in draw_gym_entries(generator, seed, options or {}):
        question, gold = str(entry["question"]), str(entry["answer"]).strip()
        if question not in problems:
            name = f"{generator}-{seed}-{index}"
            problems[question] = Problem(name, f"reasoning-gym/{generator}", question, gold, subject)
        if len(problems) == count:
            return list(problems.values())
    raise ConfigError(
        f"task.problems: {generator} has {len(problems):,} different problems under these options; request fewer."
    )


def draw_gym_entries(generator: str, seed: int, options: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Yield a generator's problems as the library gives them, each with its index and its subject.

    Raises:
        ConfigError: the library is not installed, the generator is unknown or not supported, or an option is wrong.
    """
    try:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS
    except ModuleNotFoundError:
        raise ConfigError(
            "The task 'reasoning-gym' needs its package: pip install 'isocompute[reasoning-gym]'."
        ) from None
    if generator not in GENERATOR_GRADERS:
        reason = "has answers that no grader here can compare"
        if generator not in DATASETS:
            reason = "is not a generator of reasoning-gym"
        raise ConfigError(
            f"task.generator: '{generator}' {reason}; take one of {', '.join(sorted(GENERATOR_GRADERS))}."
        )
    allowed = [field.name for field in fields(DATASETS[generator][1]) if field.name not in ("seed", "size")]
    if unknown := [option for option in options if option not in allowed]:
        raise ConfigError(
            f"task.options: the option '{unknown[0]}' is unknown; {generator} takes {', '.join(allowed) or 'none'}."
        )
    try:
        dataset = reasoning_gym.create_dataset(
            generator, seed=derive_library_seed(generator, seed), size=GENERATOR_SIZE, **options
        )
        for index in range(GENERATOR_SIZE):
            yield index, dataset[index], dataset.category
    except OPTION_ERRORS as error:
        raise ConfigError(
            f"task.options: {generator} cannot use these options: {str(error) or type(error).__name__}."
        ) from None


def derive_library_seed(generator: str, seed: int) -> int:
    """Return the seed for the library, 0 … 2**31 − 1.

    The library draws problem i from its seed + i, so consecutive seeds would share all problems but one. Derived seeds
    are spread over the range and rarely overlap.
    """
    return derive_seed(seed, "reasoning-gym", generator) % 2**31


def describe_library() -> str:
    """Return the library's name and version; another version may make other problems."""
    return f"reasoning-gym {version('reasoning-gym')}"
