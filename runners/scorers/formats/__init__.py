"""Formats of reward models: how a solution is tokenised, and where its scores are read."""
