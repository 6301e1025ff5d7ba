# %% [markdown]
# # Stop early
#
# A plan gives every problem the same S and V. Many problems need less: their vote is settled after a few samples. A
# policy decides while it samples. Its saving is told twice: against the same strategy at its full budget, and against
# the cheapest fixed plan that is as accurate. The second is what a policy is worth.

# %%
from pathlib import Path

import isocompute as iso

run = iso.open_run(next(path for path in ("data/runs/lab", "../data/runs/lab") if Path(path).is_dir()))

# %% [markdown]
# ## Rules at an average of 64x
# Each problem is scored under a threshold that was chosen on other problems.

# %%
policies = iso.policies(run, "64x")
policies

# %%
rules = policies.to_frame().set_index("rule")
rules[["accuracy", "compute", "percentile_95", "same_answer", "saving_full", "saving_fixed"]].round(3)

# %% [markdown]
# `certain` never changes the answer, and saves little. `value` stops where another unit of compute is worth less than
# a price, also on problems that no number of samples will solve.

# %%
profile = iso.load_profile("lab")
iso.figures.policies(profile)

# %% [markdown]
# ## A policy file
# The rule, its threshold, its model of P(right), and what it was measured to save, as JSON, for `isocompute solve`,
# `isocompute serve` or another gateway.

# %%
import json
import tempfile

with tempfile.TemporaryDirectory() as folder:
    policies.save(f"{folder}/policy.json", rule="value")
    written = json.loads(Path(f"{folder}/policy.json").read_text())
sorted(written)

# %% [markdown]
# ## What one decision looks like
# Five samples agree, or nearly: the leading answer and how probable it is that it is right.

# %%
iso.select(["12", "12", "12", "15", "12"], strategy="sc")

# %%
assert rules.loc["value", "saving_fixed"] > 1.3, "stopping early is worth more than a third of the compute"
assert rules.loc["certain", "same_answer"] == 1
