# %% [markdown]
# # Stop early
#
# A plan gives every problem the same S and V. Many problems need less: their vote is settled after a few samples. A
# policy decides while it samples. Its saving is told twice: against the same strategy at its full budget, and against
# the cheapest fixed plan that is as accurate. The second is what a policy is worth.

# %%
import json
import tempfile
from pathlib import Path

import pandas as pd

import isocompute as iso

profile = iso.load_profile("lab")

# %% [markdown]
# ## Rules at an average budget
# A fit measures every rule. Each problem is scored under a threshold and a limit on S that were chosen on other
# problems. `saving_fixed` is the compute of the cheapest fixed plan that is as accurate, over the rule's.

# %%
rules = pd.DataFrame(profile.to_dict()["policies"])
rules[["budget", "rule", "threshold", "accuracy", "compute", "percentile_95", "saving_fixed"]].round(3)

# %% [markdown]
# With `iso.policies(run, "64x")` the rules of a run are measured in full, at any budget or for the same answer as the
# full budget in all but a share of the problems. It takes about a minute on this run.

# %% [markdown]
# `certain` never changes the answer, and saves little. `value` stops where another unit of compute is worth less than
# a price, also on problems that no number of samples will solve.

# %%
iso.figures.policies(profile)

# %% [markdown]
# ## A plan, and what carries it out
# A plan has the rules within its budget, paired with what it recommends. `write_advice` writes what carries it out: a
# policy file with the rule, its threshold, its model of P(right), and what it was measured to save, for
# `isocompute solve`, `isocompute serve` or another gateway.

# %%
plan = iso.plan(profile, "64x")
pd.DataFrame(plan.to_dict()["policies"])[["rule", "threshold", "compute", "accuracy", "gap", "gap_interval"]]

# %%
with tempfile.TemporaryDirectory() as folder:
    plan.write_advice(f"{folder}/policy.json")
    written = json.loads(Path(f"{folder}/policy.json").read_text())
sorted(written)

# %% [markdown]
# ## What one decision looks like
# Five samples agree, or nearly: the leading answer and how probable it is that it is right.

# %%
iso.select(["12", "12", "12", "15", "12"], strategy="sc")

# %%
value = rules[rules["rule"] == "value"].set_index("budget")
assert value.loc[32, "saving_fixed"] > 1.3, "stopping early is worth more than a quarter of the compute"
