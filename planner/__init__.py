"""The planner: estimates a profile from a run and recommends a strategy within a budget."""

DEFAULT_PROFILE = "lab-both-small"
"""The bundled profile that is used if none is named: the one that has votes, verdicts, scores and searches."""
