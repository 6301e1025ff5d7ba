# %% [markdown]
# # Difficulty, and search with a process reward model
#
# A process reward model (PRM) scores each step of a solution. Best-of-N uses the score of whole solutions; beam
# search, DVTS and REBASE use it to decide which partial solutions to go on with. Which is best depends on the
# problem's difficulty and on N (Snell et al. 2024; search-and-learn 2024).

# %%
from pathlib import Path

import isocompute as iso

run = iso.open_run(next(path for path in ("data/runs/lab-search", "../data/runs/lab-search") if Path(path).is_dir()))
run

# %% [markdown]
# ## What the scores are worth
# The scores of right and wrong solutions, step by step.

# %%
iso.figures.step_scores(run)

# %% [markdown]
# ## Accuracy against N

# %%
profile = iso.load_profile("lab-search")
iso.figures.search_by_n(profile)

# %% [markdown]
# N does not cost the same under each method: a search drops what scores badly, and so samples less. The plan compares
# at equal compute.

# %%
plan = iso.plan(profile, "40x")
plan

# %%
plan.to_frame()[["strategy", "settings", "compute", "accuracy", "low", "high", "probability_best"]].round(3)

# %% [markdown]
# ## By difficulty
# The best method for each level within each budget, and what choosing by level gains over one choice for all. The
# choice is made on other problems than those it is scored on. The figure tells difficulty by the share of right
# solutions, which only those know who have the right answers.

# %%
by_level = iso.difficulty(run, bins="level")
overall = by_level.to_frame().query("level == 'all'")
overall[["budget", "accuracy", "one_for_all", "gain", "gain_low", "gain_high"]].round(3)

# %%
iso.figures.difficulty_bars(profile)

# %%
assert plan.strategy != "sc", "on this run the reward model beats votes"
assert overall["gain"].abs().max() < 0.1, "choosing by level gains little or nothing over one choice for all"
