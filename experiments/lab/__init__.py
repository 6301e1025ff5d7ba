"""The lab: a generated task and the small models that were trained on it, so that everything runs anywhere."""
