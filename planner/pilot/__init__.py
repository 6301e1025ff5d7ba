"""Pilots: how much to measure before advice is good enough, and which rows to add next."""
