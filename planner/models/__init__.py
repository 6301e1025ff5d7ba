"""Several models on one frontier: profiles of the same problems, compared at equal cost."""
