"""Imports exports of `neptune-exporter`, and verifies that everything in them was stored.

The format is taken from the exporter's source at commit 8d3f44a.
"""
