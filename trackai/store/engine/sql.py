"""SQL expressions that more than one wing of the store uses."""

from __future__ import annotations

# Over columns of `series`. A sum beyond the largest float is infinite, its mean is not.
MEAN = """
    CASE WHEN finite_points > 0 THEN max(min_value, min(max_value, sum / finite_points)) END
"""
