"""Sampling and scoring the rows that are missing."""
