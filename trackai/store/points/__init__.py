"""Logged points, and what is computed from them."""
