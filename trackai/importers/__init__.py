"""Imports runs from files, other trackers and other databases."""
