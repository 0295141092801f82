"""NaN, infinities and booleans: their stored, JSON and Python values."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from trackai.values.non_finite import json_value, python_value


@pytest.mark.parametrize(
    ("stored", "kind", "in_json", "in_python"),
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
def test_stored_values_in_json_and_python(
    stored: Any, kind: Any, in_json: Any, in_python: Any
) -> None:
    assert json_value(stored, kind) == in_json
    assert type(json_value(stored, kind)) is type(in_json)
    assert repr(python_value(stored, kind)) == repr(in_python)
    # Strict JSON has no NaN or Infinity literals.
    assert json.dumps(json_value(stored, kind), allow_nan=False)
