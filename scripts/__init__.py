"""Programs for a checkout; they are not installed."""
