"""Reads histograms as the store holds them."""

from __future__ import annotations

import json


def read_histogram(stored: str) -> tuple[list[float], list[float]] | None:
    """Return the edges of a histogram and the counts between them; None if it is none."""
    try:
        content = json.loads(stored)
        edges = [float(edge) for edge in content["edges"]]
        counts = list(content["values"])
        return (edges, counts) if _is_valid(edges, counts) else None
    except (ValueError, KeyError, TypeError):
        return None


def _is_valid(edges: list[float], counts: list[float]) -> bool:
    are_numbers = all(isinstance(count, int | float) for count in counts)
    return are_numbers and len(edges) in (len(counts) + 1, 0)
