"""Measurements: tasks, engines, prompts, grading, and the runs that store the results."""
