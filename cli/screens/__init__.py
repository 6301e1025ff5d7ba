"""Output for people in a terminal, a module for each group of commands."""
