"""Finds everything below a path that can be imported, and reads it as one source."""
