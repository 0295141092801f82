"""Reads trackio's local folder: a database for each project, with media and artifacts beside them.

The tables are those of trackio 0.43. Everything that one call logs is one JSON object in a row.
"""
