"""Sampling and scoring of a sweep's missing rows."""
