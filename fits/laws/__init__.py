"""Surfaces, scaling laws and crossovers."""
