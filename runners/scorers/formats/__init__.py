"""Formats of reward models: how a solution becomes tokens, and where scores are read."""
