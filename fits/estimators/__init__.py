"""Accuracy of each strategy over a pool, problem by problem."""
