"""The command line: commands, screens for people, and JSON for programs."""
