"""Whole runs on their way into and out of a store."""
