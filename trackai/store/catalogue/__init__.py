"""Projects, runs and what belongs to them."""
