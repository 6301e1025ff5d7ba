# %% [markdown]
# # From a run to a decision
#
# A run is a folder of Parquet tables: what a solver wrote, what a verifier said of it, and what each cost in
# tokens. This notebook goes from the run that comes with isocompute to a profile, a plan and the study's first
# figure. It needs no GPU and no model.

# %%
from io import BytesIO
from pathlib import Path

import pandas as pd
from IPython.display import Image

from isocompute.figures.figure1 import build_figure1_table, draw_figure1
from isocompute.fits import estimate_coverage, estimate_genrm, estimate_self_consistency
from isocompute.planner.budget import Budget
from isocompute.planner.compare import compute_frontier
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.plan import make_plan
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

run = Run(next(folder / "data/runs/lab" for folder in (Path.cwd(), Path.cwd().parent) if (folder / "data").is_dir()))

# %% [markdown]
# ## What was sampled
# One problem, one solution, one verification of it.

# %%
problems, solutions = run.read_frame(PROBLEMS_TABLE), run.read_frame(SOLUTIONS_TABLE)
verifications = run.read_frame(VERIFICATIONS_TABLE)
wrong = solutions[(solutions["solution_id"] < 64) & ~solutions["correct"]].iloc[40]
print(problems.set_index("problem_id").loc[wrong["problem_id"], "question"], "\n")
print(wrong["text"], "\n")
same = (verifications["problem_id"] == wrong["problem_id"]) & (verifications["solution_id"] == wrong["solution_id"])
print(verifications.loc[same, "text"].iloc[0], "\n")
print(f"verdicts of this solution: {verifications.loc[same, 'verdict'].mean():.2f} yes on average")

# %% [markdown]
# How often is a solution right, and how well does the verifier tell right from wrong?

# %%
solutions["level"] = solutions["problem_id"].map(problems.set_index("problem_id")["level"])
judged = verifications.merge(solutions[["problem_id", "solution_id", "correct", "level"]])
pd.DataFrame(
    {
        "pass@1": solutions.groupby("level")["correct"].mean(),
        "yes to right solutions": judged[judged["correct"].astype(bool)].groupby("level")["verdict"].mean(),
        "yes to wrong solutions": judged[~judged["correct"].astype(bool)].groupby("level")["verdict"].mean(),
        "tokens a solution": solutions.groupby("level")["completion_tokens"].mean(),
        "tokens a verification": judged.groupby("level")["completion_tokens"].mean(),
    }
).round(2)

# %% [markdown]
# ## What other S and V would have given
# The estimators are exact: each is the expectation over every way to draw S solutions, and V verdicts of each.

# %%
pool = read_pool(run).pool
pd.DataFrame(
    {
        "coverage": estimate_coverage(pool, [1, 4, 16, 64]).mean(axis=0),
        "self-consistency": estimate_self_consistency(pool, [1, 4, 16, 64]).mean(axis=0),
        "GenRM, V=4": estimate_genrm(pool, [1, 4, 16, 64], [4])[:, :, 0].mean(axis=0),
        "GenRM, V=32": estimate_genrm(pool, [1, 4, 16, 64], [32])[:, :, 0].mean(axis=0),
    },
    index=pd.Index([1, 4, 16, 64], name="S"),
).round(3)

# %% [markdown]
# ## At equal compute
# A verification costs λ solutions, measured from the tokens: C(S, V) = S(1 + λV). The figure is drawn from a table with
# a row for each point; with `ax=` it is drawn into Axes of your own.

# %%
profile = estimate_run_profile(run.path, "lab")
left, right = draw_figure1(build_figure1_table(profile))
left.figure.savefig(picture := BytesIO(), dpi=100)
Image(picture.getvalue())

# %% [markdown]
# ## The best of each strategy at each budget
# Each problem is scored under numbers that were chosen on the other problems; what the best one is ahead by, under a
# strategy that was chosen on them too.

# %%
pd.DataFrame(
    [
        {
            "budget (x)": budget,
            "best": compared.options[0].strategy,
            "S": compared.options[0].solutions,
            "V": compared.options[0].verifications,
            "accuracy": compared.options[0].accuracy,
            "ahead of sc by": (compared.get_lead("sc") or [None])[0],
            "P(best)": compared.options[0].probability_best,
        }
        for budget, compared in compute_frontier(profile)
    ]
).round(3)

# %% [markdown]
# ## What to run with 128 solutions' worth

# %%
decision = make_plan(profile, Budget.parse("128x"))
best = decision.recommendation
print(f"{best.strategy} {best.settings}: {decision.expected_accuracy:.3f} in {decision.interval}")
for strategy, crossed in decision.findings.crossovers.items():
    print(f"{strategy} overtakes sc at {crossed.budget:.0f}x, in {crossed.interval}")
print(decision.findings.laws)

# %%
assert best.strategy in ("genrm+vote", "weighted", "fused"), "votes and verdicts together go further than either"
assert abs(decision.expected_accuracy - 0.653) < 0.005
