"""The plans of a profile at all budgets of a unit."""
