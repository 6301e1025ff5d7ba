"""The strategies: their registry, their estimators and their options."""
