"""Choice of allocations and strategies, and its accuracy on held-out problems."""
