"""How much JavaScript a page loads before it is shown."""

from __future__ import annotations

import pytest

from scripts.benchmarks.dashboard import scripts_size

# Gzipped kilobytes. Load what the first chart does not need with `import()`.
LIMITS = {
    "project-list": 70,
    "project-page": 85,
    "run-page": 73,
    "compare-page": 80,
    "media-page": 82,
    "sweep-page": 83,
}


@pytest.mark.parametrize(("page", "limit"), LIMITS.items())
def test_first_scripts_are_small(page: str, limit: int) -> None:
    assert 50 < scripts_size(page) / 1000 < limit
