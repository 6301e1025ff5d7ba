"""Whether the planner's advice is good: pilots drawn from a run, and the regret of what is advised from them."""
