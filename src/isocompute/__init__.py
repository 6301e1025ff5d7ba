"""isocompute: which test-time strategy to run, measured and compared at equal compute."""

__version__ = "0.1.0"
