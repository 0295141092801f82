"""Checks, deletion and garbage collection."""
