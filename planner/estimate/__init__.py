"""From a run, or a grid, to a profile."""
