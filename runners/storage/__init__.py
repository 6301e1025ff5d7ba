"""Runs on disk: tables, manifests, locks, checks."""
