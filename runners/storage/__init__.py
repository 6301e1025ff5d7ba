"""Runs on disk: tables, manifests, locks and checks."""
