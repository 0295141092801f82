"""Logging: the active run, the run object, and its recorder."""
