"""Cost models: what a solution, a verification and a scored solution cost in tokens, FLOPs, dollars or seconds."""
