"""The strategies: one registry, and what they are in words."""
