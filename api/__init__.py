"""The public Python API: one function for each command, with its name, for notebooks and scripts."""
