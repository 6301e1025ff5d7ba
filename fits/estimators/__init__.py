"""Estimators of each strategy's accuracy on each problem of a pool."""
