"""Simulated worlds, the prior that is made from half of them, and the regret of the advice on the others."""
