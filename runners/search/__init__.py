"""Searches steered by a scorer: strategies, trees, rows and the driver."""
