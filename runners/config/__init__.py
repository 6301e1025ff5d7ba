"""The configuration of a sweep, read from its YAML file."""
