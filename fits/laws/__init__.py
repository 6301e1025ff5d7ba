"""Smoothed surfaces, scaling laws and crossovers."""
