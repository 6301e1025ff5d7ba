"""Estimation of profiles from runs and from published grids."""
