"""One of each kind that a package can add to isocompute; its engine throws dice, and is no model."""
