"""Packages that answer to the names of other trackers, for frameworks that import them."""
