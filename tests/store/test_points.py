"""The seam behind which a second engine may store the points."""

from __future__ import annotations

import re
from pathlib import Path

from trackai import store

TABLES = (
    "metrics|pieces|large_values|system_steps|attempts|arrivals|rollups|rollup_levels|stale_rollups"
)
STATEMENT = re.compile(rf"\b(?:FROM|INTO|JOIN|UPDATE) (?:{TABLES})\b")


def test_few_other_modules_have_statements_on_the_tables_of_points() -> None:
    root = Path(store.__file__).parent
    modules = {
        str(path.relative_to(root).with_suffix(""))
        for path in root.rglob("*.py")
        if STATEMENT.search(path.read_text(encoding="utf-8"))
    }
    outside = {module for module in modules if not module.startswith("points/")}
    assert {"points/rows", "points/pieces"} <= modules
    assert outside <= {"engine/sql", "upkeep/checks"}
