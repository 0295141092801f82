"""What `scripts/bench.py` runs: one module for each of its commands."""
