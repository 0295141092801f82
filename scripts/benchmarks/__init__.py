"""The benchmarks of `scripts/bench.py`: a module for each command, and modules they share."""
