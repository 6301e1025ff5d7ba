"""Measures: tasks, engines, prompts, grading, and the runs they are logged to."""
