"""Policies on the runs that are here: what they reach, and what their parts are chosen by."""
