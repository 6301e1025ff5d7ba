"""Policies, which decide while they sample, and what they reach, estimated by replaying random orders of a pool."""
