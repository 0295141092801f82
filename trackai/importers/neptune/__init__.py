"""Exports made with `neptune-exporter`: everything in them, and a receipt that says so.

What the exporter writes, and what its columns mean, is taken from its source as of 8d3f44a.
"""
