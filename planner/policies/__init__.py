"""Policies of a run: rules compared, thresholds chosen, and the file that carries a policy out."""
