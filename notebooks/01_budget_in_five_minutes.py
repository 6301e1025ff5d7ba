# %% [markdown]
# # A budget in five minutes
#
# You have a model and a budget. Should you sample more solutions and vote, or sample fewer and verify each? This
# notebook goes from a run that comes with isocompute to a plan, and to the first figure of Singhi et al. (2025). A
# run is a folder of Parquet tables: a solver's solutions, a verifier's verifications of them, and the tokens of each.
# It needs no GPU and no model.

# %%
from pathlib import Path

import pandas as pd

import isocompute as iso

run = iso.open_run(next(path for path in ("data/runs/lab", "../data/runs/lab") if Path(path).is_dir()))
run

# %% [markdown]
# ## The samples
# One problem, one wrong solution, and one verification of it.

# %%
problems, solutions, verifications = run.problems, run.solutions, run.verifications
wrong = solutions[(solutions["solution_id"] < 64) & ~solutions["correct"]].iloc[40]
print(problems.set_index("problem_id").loc[wrong["problem_id"], "question"], "\n")
print(wrong["text"], "\n")
same = (verifications["problem_id"] == wrong["problem_id"]) & (verifications["solution_id"] == wrong["solution_id"])
print(verifications.loc[same, "text"].iloc[0], "\n")
print(f"verdicts of this solution: {verifications.loc[same, 'verdict'].mean():.2f} yes on average")

# %% [markdown]
# The next table shows how often a solution is right, and how often the verifier says yes. A row of `to_frame()` is
# a solution with its problem's level and the mean of its verdicts.

# %%
rows = run.to_frame()
verified = rows[rows["verifications"] > 0]
pd.DataFrame(
    {
        "pass@1": rows.groupby("level")["correct"].mean(),
        "yes to right solutions": verified[verified["correct"]].groupby("level")["mean_verdict"].mean(),
        "yes to wrong solutions": verified[~verified["correct"]].groupby("level")["mean_verdict"].mean(),
        "tokens a solution": rows.groupby("level")["completion_tokens"].mean(),
    }
).round(2)

# %% [markdown]
# ## Accuracy for other S and V
# A curve is the expected accuracy over all ways to draw S solutions, and V verdicts of each, with a 95 % interval.

# %%
iso.curve(run, "sc", S=[1, 4, 16, 64]).round(3)

# %%
iso.curve(run, "genrm", S=[4, 16, 64], V=[4, 32]).round(3)

# %% [markdown]
# ## Accuracy at equal compute
# A verification costs λ solutions, measured from the tokens: C(S, V) = S(1 + λV). A profile holds the accuracy of
# every strategy and allocation; its frame has the best allocation of each strategy within each budget.

# %%
profile = iso.fit(run)
profile

# %%
profile.to_frame().pivot(index="budget", columns="strategy", values="accuracy").round(3)

# %%
iso.figures.solutions_and_compute(profile)

# %% [markdown]
# ## The plan for 128 solutions' worth of compute

# %%
plan = iso.plan(profile, "128x")
plan

# %%
assert plan.strategy in ("genrm+vote", "weighted", "fused"), "votes and verdicts together are ahead of either"
assert abs(plan.accuracy - 0.648) < 0.005
