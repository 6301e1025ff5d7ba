"""Logs that lm-evaluation-harness and inspect_ai write themselves, for the tests of their import."""
