"""Simulations of policies."""
