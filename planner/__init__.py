"""The planner: estimates a profile from a run and recommends a strategy within a budget."""
