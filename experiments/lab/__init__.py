"""The lab: training of the small models for a generated task, so that everything runs without large models."""
