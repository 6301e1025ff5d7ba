"""Evaluation of the planner's advice: pilots drawn from a run, and the regret of what is advised from them."""
