"""Parsing of models' texts: steps, verdicts and thinking."""
