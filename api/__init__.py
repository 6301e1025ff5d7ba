"""The public Python API: one function a command, under the command's name, for notebooks and scripts."""
