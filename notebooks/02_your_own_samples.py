# %% [markdown]
# # Your own samples, from a data frame
#
# This notebook starts from a frame with a row for each solution, as your own code may have made it, and ends with a
# plan and with the answer to one problem. It needs no GPU and no model.

# %%
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import isocompute as iso
from isocompute.errors import IsocomputeError

# %% [markdown]
# Forty problems with up to twelve solutions each. The verifier gave up to three verdicts on a solution: yes, no, a
# probability, or nothing that could be read.

# %%
rng = np.random.default_rng(0)
rows = []
for problem in range(40):
    ease = rng.uniform(0.2, 0.9)
    for sample in range(rng.integers(8, 13)):
        right = rng.random() < ease
        verdicts = [float(rng.random() < (0.8 if right else 0.3)) for _ in range(3)]
        rows.append(
            {
                "problem": f"p{problem}",
                "sample": sample,
                "answer": "7" if right else str(rng.integers(1, 6)),
                "gold": 7.0,
                "verdicts": [None if rng.random() < 0.05 else verdict for verdict in verdicts],
                "score": round(0.3 + 0.4 * right + 0.3 * rng.random(), 3),
                "tokens": int(rng.integers(80, 160)),
                "level": int(ease < 0.5) + 1,
            }
        )
frame = pd.DataFrame(rows)
frame.head(3)

# %%
run = iso.from_frame(
    frame,
    problem="problem",
    solution="sample",
    answer="answer",
    gold="gold",
    verdict="verdicts",
    score="score",
    tokens="tokens",
    level="level",
)
run

# %% [markdown]
# The run is in memory, and its tables are frames. `save` makes it a run on disk.

# %%
run.verifications.head(3)[["problem_id", "solution_id", "verification_id", "verdict"]]

# %%
with tempfile.TemporaryDirectory() as folder:
    saved = run.save(f"{folder}/run")
    print(len(saved.problems), "problems,", len(saved.solutions), "solutions,", len(saved.verifications), "verdicts")

# %% [markdown]
# The frame does not record the verifier's tokens, so λ, the cost of a verification in solutions, is given.

# %%
profile = iso.fit(run, lam=0.8, rho=0.5)
profile

# %%
plan = iso.plan(profile, "16x")
plan

# %% [markdown]
# Every result is a frame, and the same JSON that the command prints.

# %%
plan.to_frame()[["strategy", "settings", "compute", "accuracy", "low", "high"]].round(3)

# %%
plan.to_dict()["expected"]

# %% [markdown]
# The accuracy of any strategy over its numbers:

# %%
pd.concat([iso.curve(run, name, S=[1, 4, 8], lam=0.8, rho=0.5) for name in ("sc", "bon", "weighted")]).round(3)

# %%
figure, axes = plt.subplots(1, 1, figsize=(9, 3.5), layout="constrained")
iso.figures.frontiers(profile, ax=axes).table.head(3)

# %% [markdown]
# One problem's samples give an answer. Tied answers are drawn with the seed, whatever their order.

# %%
chosen = iso.select(["5", "7", "7", "5"], verdicts=[[1, 0, 0], [1, 1, 1], [1, 0, 1], [0, 0, 1]], strategy="weighted")
chosen.answer, chosen.support, chosen.tied

# %% [markdown]
# A wrong argument is one sentence.

# %%
try:
    iso.plan(run, "16x")
except IsocomputeError as error:
    print(error)

# %%
assert chosen.answer == "7"
assert plan.accuracy > iso.curve(run, "sc", S=1)["accuracy"].item()
