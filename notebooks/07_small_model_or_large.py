# %% [markdown]
# # A small model, or a large one?
#
# The same budget buys many answers of a small model or few of a large one. Which is better depends on what is paid
# for: tokens, FLOPs, dollars or seconds. Two of the lab's solvers were measured on the same problems.

# %%
import pandas as pd

import isocompute as iso

small, large = iso.load_profile("lab-both-small"), iso.load_profile("lab-both-large")
small.description, large.description

# %%
iso.figures.models([small, large])

# %% [markdown]
# ## Paid in FLOPs
# The smallest budget here buys one answer of the large model, or a handful of the small one with a vote.

# %%
rows = []
for budget in ("1e9 FLOPs", "4e9 FLOPs", "1e10 FLOPs"):
    plan = iso.plan([small, large], budget)
    rows.append({"budget": budget, "model": plan.model, "strategy": plan.strategy, "accuracy": plan.accuracy})
flops = pd.DataFrame(rows).round(3)
flops

# %% [markdown]
# ## Paid in seconds
# Samples of one problem run side by side, so that many answers of a small model take hardly longer than one. The
# latencies are those of the run, on two cores with many requests at once.

# %%
rows = []
for budget in ("18 s", "20 s", "40 s"):
    plan = iso.plan([small, large], budget)
    rows.append({"budget": budget, "model": plan.model, "strategy": plan.strategy, "accuracy": plan.accuracy})
seconds = pd.DataFrame(rows).round(3)
seconds

# %% [markdown]
# ## Paid in dollars
# With a price for a million tokens of each model. Prices age, so that none come with isocompute; these are made up,
# and in proportion to the numbers of parameters.

# %%
prices = {
    "data/lab/solver": {"input": 0.02, "output": 0.04},
    "data/lab/solver-large": {"input": 0.10, "output": 0.20},
    "data/lab/verifier": {"input": 0.02, "output": 0.04},
    "data/lab/prm": {"input": 0.03, "output": 0.03},
}
plan = iso.plan([small, large], "$0.0001", prices=prices)
plan

# %%
plan.to_frame()[["model", "strategy", "cost", "accuracy", "gap", "gap_low", "gap_high"]].head(8).round(4)

# %%
assert seconds["model"].tolist() == ["solver"] * 3, "side by side, the small model answers sooner"
assert flops["model"].tolist() == ["solver-large"] * 3, "for the same FLOPs, the large one solves more"
assert plan.accuracy > 0.5
