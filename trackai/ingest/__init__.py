"""Journals that log() appends to, the drain that stores them, and batches of HTTP clients."""
