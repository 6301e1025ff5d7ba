"""Decides: what a run says, and which strategy to run within a budget."""
