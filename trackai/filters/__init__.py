"""The filter language for runs."""
