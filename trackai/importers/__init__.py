"""From elsewhere into the store: other trackers, and files."""
