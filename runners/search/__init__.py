"""Searches that a scorer steers: trees, nodes, rows, and the driver of them all."""
