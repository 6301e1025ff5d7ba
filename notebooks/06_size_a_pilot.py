# %% [markdown]
# # Size a pilot
#
# A run costs compute before it saves any. How many problems, and how many solutions and verifications of each, are
# enough to choose well? Regret is the accuracy that a choice loses against the best allocation in hindsight, on other
# problems than those it was made on.

# %%
from pathlib import Path

import pandas as pd

import isocompute as iso

run = iso.open_run(next(path for path in ("data/runs/lab", "../data/runs/lab") if Path(path).is_dir()))

# %% [markdown]
# ## What small pilots would have lost on this run
# Take a few problems and samples of a finished run as a pilot, plan from them, and score the plan on the other
# problems; again and again.

# %%
sizes = {"small": (10, 32, 8, 4), "large": (40, 64, 16, 8)}
evaluations = {
    name: iso.evaluate(run, problems=P, solutions=S, verified=K, verifications=V, splits=3)
    for name, (P, S, K, V) in sizes.items()
}
pd.DataFrame({name: {"regret": each.regret, "error": each.error} for name, each in evaluations.items()}).T.round(4)

# %%
evaluations["large"]

# %% [markdown]
# ## A pilot that settles a lead
# How many problems tell a lead of 8 points at 128x from none, in 8 of 10 cases?

# %%
iso.pilot(gap=8, at="128x", profile="lab")

# %% [markdown]
# ## What to sample next
# A run that exists can say which rows would tell most about a budget.

# %%
iso.next_rows(run, "128x")

# %%
assert evaluations["large"].regret < 0.04, "forty problems lose few points"
