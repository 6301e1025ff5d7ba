"""Cost estimates of sweeps."""
