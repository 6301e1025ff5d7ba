"""The command line: commands, screens, and what programs read."""
