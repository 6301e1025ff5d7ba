"""Doubts about a run's answers: signs that they were graded or recorded in another way than was meant."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from isocompute.runners.config.sweep import Sweep
from isocompute.runners.parsing.kinds import count_solution_kinds, count_verification_kinds
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.provenance import ImportedRun, extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.run_folder import retry_gone_parts
from isocompute.runners.storage.scan import scan_last_rows
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

FEW_RIGHT = 0.005
"""A smaller share of right solutions is doubtful."""
MIN_GRADED = 30
"""With fewer solutions, neither a small share of right ones nor a small agreement is a surprise."""
MIN_COPIES = 4
"""With fewer solutions of a problem, equal ones are no surprise."""
MOST_COPIED = 0.9
"""In a larger share of the problems, solutions that are all alike are copies."""
LONGEST_ANSWER = 120
"""A longer answer is a text, and so is one with a line break."""
MOST_ANSWER_WORDS = 12
"""An answer with more words is a text."""
LEAST_REPEATED = 0.25
"""If a smaller share of the pairs of texts to a problem are equal, votes over the texts mean nothing."""


def has_known_answers(solutions: pd.DataFrame, origin: Sweep | ImportedRun) -> bool:
    """Return whether answers are recorded, and not only which solutions are right.

    A right solution without an answer shows that they are not, and so does an import without texts and answers.

    Args:
        solutions: rows with answer and correct.
        origin: what made the run.
    """
    if isinstance(origin, ImportedRun) and {"solutions.text", "solutions.answer"} <= set(origin.unknown):
        return False
    return not (solutions["correct"].eq(True) & solutions["answer"].isna()).any()


def explain_missing_votes(solutions: pd.DataFrame, origin: Sweep | ImportedRun) -> str | None:
    """Return in a sentence why votes over the answers of a run cannot be counted; None if they can.

    Args:
        solutions: rows with problem_id, answer and correct.
        origin: what made the run.
    """
    if not has_known_answers(solutions, origin):
        return (
            "The run records which solutions are right, but not their answers: votes cannot be counted, so SC is known "
            "at one solution only."
        )
    if has_text_answers(solutions):
        return (
            "The answers are whole texts, and hardly two of them are equal: votes cannot be counted, so SC is known at "
            "one solution only. If the texts contain answers, import them as solutions, for a grader to read."
        )
    return None


def has_text_answers(solutions: pd.DataFrame) -> bool:
    """Return whether most answers are whole texts, such as programs, and hardly two to a problem are equal.

    >>> long = [f"So I add {i} and find that all of the others have to be even as well as odd." for i in range(4)]
    >>> columns = long, long[:1] * 4, ["7", "8"]
    >>> [has_text_answers(pd.DataFrame({"problem_id": "a", "answer": each})) for each in columns]
    [True, False, False]
    """
    known = solutions.dropna(subset=["answer"])
    texts = known["answer"].astype(str)
    is_text = texts.str.contains("\n", regex=False) | (texts.str.len() > LONGEST_ANSWER)
    is_text |= texts.str.count(r"(?<!\\)\b[^\W\d_]{2,}\b") > MOST_ANSWER_WORDS
    if known.empty or is_text.mean() <= 0.5:
        return False
    equal, pairs = count_equal_pairs(known, ["problem_id"])
    return equal < LEAST_REPEATED * pairs or not pairs


def count_run_kinds(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of solutions and of verifications of each kind in a run, see `runners.parsing.kinds`."""
    return retry_gone_parts(lambda: count_listed_kinds(run))


def count_listed_kinds(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Return what `count_run_kinds` does.

    Raises:
        GonePartError: a part was joined with others meanwhile.
    """
    solutions = run.read_frame(SOLUTIONS_TABLE, ["answer", "correct", "finish_reason", "status"])
    has_answers = has_known_answers(solutions, extract_origin(run.read_manifest(), run.path))
    verdicts = Counter(count_verification_kinds(VERIFICATIONS_TABLE.schema.empty_table().to_pandas()))
    for batch in scan_last_rows(run, VERIFICATIONS_TABLE, ["verdict", "finish_reason", "status"]):
        verdicts.update(count_verification_kinds(batch.to_pandas()))
    return count_solution_kinds(solutions, has_answers), dict(verdicts)


def describe_doubts(solutions: pd.DataFrame, grader: str, has_answers: bool) -> list[str]:
    """Return the doubts about the solutions of a run, in sentences.

    Args:
        solutions: rows with problem_id, answer, correct and completion_tokens, without failed ones.
        grader: name and version of the grader.
        has_answers: whether answers are known, and not only which solutions are right.
    """
    sentences = []
    graded = solutions["correct"].dropna().astype(bool)
    if has_answers and len(graded) >= MIN_GRADED and graded.mean() < FEW_RIGHT:
        sentences.append(
            f"{graded.sum():,} of {len(graded):,} solutions are right by {grader}. Check that it reads these answers: "
            "isocompute grade RUN --against math."
        )
    if not has_answers:
        return sentences
    if (copied := measure_copied_share(solutions)) is not None and copied > MOST_COPIED:
        sentences.append(
            f"All solutions of a problem have the same answer and the same number of tokens, in {copied:.0%} of the "
            "problems. They may be copies, at temperature 0 or from a cache, which cost compute and add nothing."
        )
    agreement = measure_agreement(solutions)
    if agreement is not None and agreement[1] > 0 and agreement[0] <= agreement[1]:
        sentences.append(
            "Two solutions of the same problem agree no more often than two of different problems. Check that each "
            "solution is recorded under its own problem."
        )
    return sentences


def measure_copied_share(solutions: pd.DataFrame) -> float | None:
    """Return the share of problems whose solutions are all alike in answer and tokens; None if it cannot be said.

    >>> rows = {"problem_id": list("aaaabbbb"), "answer": list("7777xyyy"), "completion_tokens": [5] * 8}
    >>> measure_copied_share(pd.DataFrame(rows))
    0.5
    """
    known = solutions.dropna(subset=["answer", "completion_tokens"])
    groups = known.groupby("problem_id")[["answer", "completion_tokens"]]
    several = groups.size() >= MIN_COPIES
    if several.sum() < 2:
        return None
    return float((groups.nunique().max(axis=1) == 1)[several].mean())


def measure_agreement(solutions: pd.DataFrame) -> tuple[float, float] | None:
    """Return how often two solutions have the same answer, within a problem and across problems.

    Returns:
        The two probabilities; None with fewer than two problems, or than `MIN_GRADED` solutions with an answer.

    >>> rows = {"problem_id": [i for i in range(25) for _ in "ab"], "answer": ["x", "y"] * 25}
    >>> within, across = measure_agreement(pd.DataFrame(rows))
    >>> within, across
    (0.0, 0.5)
    """
    known = solutions.dropna(subset=["answer"])
    if known["problem_id"].nunique() < 2 or len(known) < MIN_GRADED:
        return None
    equal, pairs = count_equal_pairs(known, ["problem_id"])
    all_equal, all_pairs = count_equal_pairs(known, [])
    if not pairs or all_pairs == pairs:
        return None
    return equal / pairs, (all_equal - equal) / (all_pairs - pairs)


def count_equal_pairs(known: pd.DataFrame, within: list[str]) -> tuple[int, int]:
    """Return how many ordered pairs of solutions have the same answer, and how many pairs there are, within groups."""
    same = known.groupby([*within, "answer"]).size()
    total = known.groupby(within).size() if within else pd.Series([len(known)])
    return int((same * (same - 1)).sum()), int((total * (total - 1)).sum())


def find_problem_clusters(problems: pd.DataFrame) -> tuple[dict[str, str], int]:
    """Return the clusters of problems: those given, and one for each question that several problems ask.

    A question is repeated if its words and its right answer are the same. A cluster given to one of these problems
    takes in the others, and clusters that share a question become one. If all problems have the same question, as
    where a log lacks it, none is a repetition.

    Args:
        problems: rows with problem_id, question, gold and cluster.

    Returns:
        The cluster of each problem that has one, and the number of problems that repeat another's question.

    >>> columns = {"problem_id": list("abcd"), "question": ["1 + 1", "1 +  1", "2 + 2", "2 + 3"], "gold": list("2245")}
    >>> find_problem_clusters(pd.DataFrame({**columns, "cluster": [None, "x", None, "x"]}))
    ({'b': 'x', 'd': 'x', 'a': 'x'}, 1)
    """
    given = problems.set_index("problem_id")["cluster"].dropna()
    clusters = {str(name): str(cluster) for name, cluster in given.items()}
    known = problems.dropna(subset=["question"])
    questions = known["question"].astype(str).str.split().str.join(" ")
    if questions.nunique() < 2:
        return clusters, 0
    joined: dict[str, str] = {}

    def find_joined(label: str) -> str:
        while label in joined:
            label = joined[label]
        return label

    repeats = 0
    gold = known["gold"].astype(object).where(known["gold"].notna(), None)
    for (question, _), names in known["problem_id"].groupby([questions, gold], dropna=False, sort=False):
        if len(names) < 2:
            continue
        repeats += len(names) - 1
        labels = sorted({find_joined(clusters[name]) for name in names if name in clusters})
        first, *others = labels or [f"question {digest_text(str(question))[:16]}"]
        joined |= dict.fromkeys(others, first)
        clusters |= {name: first for name in names if name not in clusters}
    return {name: find_joined(label) for name, label in clusters.items()}, repeats


def describe_problem_clusters(problems: int, clusters: dict[str, str], repeats: int) -> list[str]:
    """Return a sentence on problems that are not independent, and on how many intervals count.

    Args:
        problems: number of problems.
        clusters: the cluster of each problem that has one.
        repeats: number of problems that repeat another's question.

    >>> describe_problem_clusters(3, {"a": "x", "b": "x"}, 1), describe_problem_clusters(2, {"a": "x"}, 0)
    (["3 problems, of which 1 repeats another's question: intervals count 2."], [])
    """
    independent = problems - len(clusters) + len(set(clusters.values()))
    if independent == problems:
        return []
    repeated = f"of which {repeats:,} {'repeats' if repeats == 1 else 'repeat'} another's question"
    why = repeated if repeats else "some of them in clusters"
    return [f"{problems:,} problems, {why}: intervals count {independent:,}."]
