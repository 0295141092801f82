"""NaN, the infinities and booleans, as they are stored, in JSON and in Python."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from trackai.values.non_finite import json_value, python_value


@pytest.mark.parametrize(
    ("stored", "kind", "shown", "computed"),
    [
        (None, "number", "NaN", math.nan),
        (math.inf, "number", "Infinity", math.inf),
        (-math.inf, "number", "-Infinity", -math.inf),
        (1, "bool", True, True),
        (0, "bool", False, False),
        (1, "number", 1, 1),
        (0.1, "number", 0.1, 0.1),
        ("NaN", "text", "NaN", "NaN"),
        ("a", "number", "a", "a"),
    ],
)
def test_the_one_rule(stored: Any, kind: Any, shown: Any, computed: Any) -> None:
    assert json_value(stored, kind) == shown
    assert type(json_value(stored, kind)) is type(shown)
    assert repr(python_value(stored, kind)) == repr(computed)
    # Every value is one that strict JSON has.
    assert json.dumps(json_value(stored, kind), allow_nan=False)
