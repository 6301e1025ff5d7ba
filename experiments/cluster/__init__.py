"""A simulation of sweeps on clusters, its assumptions, and its checks against real workers."""
