# %% [markdown]
# # When does verification pay?
#
# Votes need no verifier. Verifications cost compute that could have bought more votes, so they pay only above some
# budget. This notebook finds that budget, and how solutions S and verifications V should grow with the budget C.

# %%
import pandas as pd

import isocompute as iso

profile = iso.load_profile("lab")  # what iso.fit makes of the run data/runs/lab
found = profile.to_dict()
profile

# %% [markdown]
# ## The verifier
# Verification can pay only if the verifier says yes to right solutions more often than to wrong ones.

# %%
pd.DataFrame(
    {name: found["verifier"][name] for name in ("true_positive", "false_positive", "auroc")},
    index=["estimate", "low", "high"],
).round(3)

# %%
iso.figures.verifier(profile)

# %% [markdown]
# ## The surface
# Accuracy over S and V, with lines of equal compute C = S(1 + λV). The path joins the best allocation of each budget.

# %%
iso.figures.surface(profile)

# %% [markdown]
# ## The crossover
# The budget from which a strategy stays ahead of self-consistency. With 100 problems its interval is wide: the data
# agree with a crossover at 6x, and with none at all for `genrm`, which uses verdicts alone.

# %%
crossovers = pd.DataFrame(found["crossovers"]).T
crossovers[["x", "interval", "probability"]]

# %%
iso.figures.crossover(profile)

# %% [markdown]
# ## The law
# The study fits S_opt = c C^a and V_opt = d C^b. Above some budget the best allocation lies at the edge of what was
# measured: with 64 verified solutions, S cannot grow further, so that the optimum is only known to be at least there.
# Such budgets are censored. A fit that takes them as exact finds an exponent that says how the run was measured. A
# fit that takes them as bounds says how little is known.

# %%
laws = pd.DataFrame({name: found["laws"][name] for name in ("grid", "smooth", "censored")}).T
laws[["a", "a_interval", "b", "b_interval", "edge_budgets"]]

# %%
iso.figures.allocation_law(profile)

# %% [markdown]
# ## Which x?
# One x is one solution. What a verification costs beside it depends on what is counted: sampled tokens only, prompts
# too, or prompts that no cache held. The solver's prompt is short and the verifier's holds a whole solution, so
# counting prompts makes verification dearer.

# %%
plans = {cost: iso.plan(profile, "128x", cost=cost) for cost in ("tokens", "prompts", "cached")}
pd.DataFrame(
    {
        cost: {"λ": plan.to_dict()["lambda"], "strategy": plan.strategy, **plan.numbers, "accuracy": plan.accuracy}
        for cost, plan in plans.items()
    }
).T

# %%
assert crossovers.loc["weighted", "x"] > 4, "at small budgets votes alone are best"
assert plans["tokens"].strategy in ("weighted", "fused", "genrm+vote"), "at 128x votes and verdicts together are"
assert plans["prompts"].to_dict()["lambda"] > plans["tokens"].to_dict()["lambda"]
low, high = found["laws"]["censored"]["a_interval"]
assert high - low > 0.5, "the exponents of this run are not known"
