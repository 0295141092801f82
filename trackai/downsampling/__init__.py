"""Fewer points for a chart: pure functions."""
