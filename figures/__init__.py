"""Figures: a table for each, and what draws it."""
