"""Writes runs to files: whole runs as JSON lines, their points as CSV or Parquet."""
