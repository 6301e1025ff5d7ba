"""Tokens and compute of each question of a run, over all its rows: failed ones and those of earlier attempts too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from isocompute.fits import count_row_tokens
from isocompute.planner.costs.usage import get_role_model, measure_usage
from isocompute.planner.profile import Profile
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    MODEL_TOKENS,
    SCORER_TOKENS,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
)


@dataclass(frozen=True)
class QuestionSpending:
    """The rows of one question, and what they cost.

    Args:
        solutions: number of solutions, or of the candidates of a search.
        verifications: number of verifications.
        prompt_tokens: prompt tokens of all models; None if a row that is ok does not report them.
        completion_tokens: sampled tokens of all models; None likewise.
        compute: sampled tokens, and the tokens of solutions that a scorer read, weighted by model size, over those of
            one solution in the profile, in x; None where either is unknown.
    """

    solutions: int
    verifications: int
    prompt_tokens: int | None
    completion_tokens: int | None
    compute: float | None


@dataclass(frozen=True)
class TokenPrices:
    """Cost of a token of each role, in x; None if the profile does not know what one solution takes."""

    by_role: Mapping[str, float] | None


def price_tokens(profile: Profile) -> TokenPrices:
    """Return the price of a sampled token of each role: its model's size over the solver's, over one solution's tokens.

    Where a size is unknown, the models are taken to be equal, as λ is in the profile.
    """
    usage = measure_usage(profile).get("solver")
    if usage is None or usage.completion is None or not usage.completion.mean() > 0:
        return TokenPrices(None)
    sizes = {}
    for role in ("solver", "verifier", "scorer"):
        model = get_role_model(profile, role)
        sizes[role] = model.active_parameters or model.parameters
    own = sizes["solver"]
    relative = {role: 1.0 if size is None or own is None else size / own for role, size in sizes.items()}
    return TokenPrices({role: size / float(usage.completion.mean()) for role, size in relative.items()})


def measure_spending(
    run: Run, names: list[str], prices: TokenPrices, scorer_writes: bool = False
) -> dict[str, QuestionSpending]:
    """Return what was spent on each question.

    Args:
        run: the run.
        names: the ids of the questions.
        prices: the prices of tokens.
        scorer_writes: whether the scorer samples verdicts.
    """
    solutions = run.read_table(SOLUTIONS_TABLE, [*SOLUTIONS_TABLE.key_names, *MODEL_TOKENS, "status"]).to_pandas()
    verifications = run.read_table(
        VERIFICATIONS_TABLE, [*VERIFICATIONS_TABLE.key_names, *MODEL_TOKENS, "status"]
    ).to_pandas()
    scores = run.read_table(SCORES_TABLE, [*SCORES_TABLE.key_names, *SCORER_TOKENS, "status"]).to_pandas()
    columns = [*SEARCHES_TABLE.key_names, *SEARCHES_TABLE.tokens, *SCORER_TOKENS, "status"]
    searches = run.read_table(SEARCHES_TABLE, columns).to_pandas()
    # a search that is run again counts the nodes of its earlier attempt too
    searches = searches.drop_duplicates(SEARCHES_TABLE.key_names, keep="last", ignore_index=True)
    written = solutions.drop_duplicates(SOLUTIONS_TABLE.key_names, keep="last")
    read = scores[SCORES_TABLE.key_names].merge(written, on=SCORES_TABLE.key_names, how="left")["completion_tokens"]
    scored = np.zeros(len(scores)) if scorer_writes else read.to_numpy(float)
    found = np.zeros(len(searches)) if scorer_writes else searches["generated_tokens"].to_numpy(float)
    parts = [
        count_part(solutions, MODEL_TOKENS, "solver"),
        count_part(verifications, MODEL_TOKENS, "verifier"),
        count_part(scores, SCORER_TOKENS, "scorer", scored),
        count_part(searches, SEARCHES_TABLE.tokens, "solver"),
        count_part(searches, SCORER_TOKENS, "scorer", found),
    ]
    rows = pd.concat(parts, ignore_index=True)
    by_role = prices.by_role
    rows["compute"] = np.nan if by_role is None else rows["work"] * rows["role"].map(by_role)
    groups = {str(name): group for name, group in rows.groupby("problem_id")}
    made = written["problem_id"].value_counts()
    candidates = searches[searches["status"] == "ok"].groupby("problem_id")["n"].sum()
    judged = verifications.drop_duplicates(VERIFICATIONS_TABLE.key_names)["problem_id"].value_counts()
    spending = {}
    for name in names:
        own = groups.get(name, rows[:0])
        prompt, completion, compute = (
            float(own[column].to_numpy(float).sum()) for column in ("prompt", "completion", "compute")
        )
        spending[name] = QuestionSpending(
            solutions=int(made.get(name, 0)) + int(candidates.get(name, 0)),
            verifications=int(judged.get(name, 0)),
            prompt_tokens=None if np.isnan(prompt) else round(prompt),
            completion_tokens=None if np.isnan(completion) else round(completion),
            compute=None if np.isnan(compute) else compute,
        )
    return spending


def count_part(
    frame: pd.DataFrame, tokens: tuple[str, ...], role: str, scored: np.ndarray | float = 0.0
) -> pd.DataFrame:
    """Return the tokens of a table's rows. A row that failed without reporting tokens has none.

    Args:
        frame: the rows.
        tokens: the columns of prompt, cached and completion tokens.
        role: the role of the model.
        scored: tokens of solutions that a scorer read for the first time; at most what it read.
    """
    prompt, _, completion = (frame[name].to_numpy(float) for name in tokens)
    is_lost = (frame["status"] != "ok").to_numpy(bool)
    prompt, completion = (np.where(is_lost & np.isnan(each), 0.0, each) for each in (prompt, completion))
    new = np.minimum(np.where(is_lost, 0.0, scored), prompt)
    work = count_row_tokens(completion, prompt, np.nan, new)["completion"]
    cells = {"problem_id": frame["problem_id"], "prompt": prompt, "completion": completion, "work": work}
    return pd.DataFrame({**cells, "role": role})
