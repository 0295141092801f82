"""How single rows of an export are stored."""

from __future__ import annotations

import json
import math
import urllib.parse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server
    from tests.importers.neptune.conftest import Import, Write

    Ask = Callable[..., list[tuple[Any, ...]]]

_POINTS = """
    SELECT path, step, timestamp, value FROM metrics JOIN series ON series.id = series_id
    ORDER BY path, step, timestamp, writer_id
"""


async def test_steps_are_exact(write_part: Write, import_: Import, make: Any, rows: Ask) -> None:
    steps = [
        "-2.5",
        "-1",
        "0",
        "0.000001",
        "0.1",
        "1.9",
        "9007199254.740993",
        "999999999999.999999",
    ]
    write_part([make.point("m", step, 1, 1.0) for step in reversed(steps)])
    assert (await import_(verify=True)).ok
    assert [repr(step) for _, step, *_ in rows(_POINTS)] == [
        "-2.5", "-1", "0", "1e-06", "0.1", "1.9", "9007199254.740993", "1000000000000.0",
    ]  # fmt: skip


async def test_values_are_kept_to_the_last_bit(
    write_part: Write, import_: Import, make: Any, rows: Ask
) -> None:
    values = [None, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 3.0]
    write_part([make.point("m", step, 1, value) for step, value in enumerate(values)])
    assert (await import_(verify=True)).ok
    values_stored = [value for *_, value in rows(_POINTS)]
    assert list(map(repr, values_stored)) == ["None", "None", *map(repr, values[2:])]
    assert rows("SELECT points, finite_points, nan_points, kind FROM series") == [
        (8, 4, 2, "number")
    ]


async def test_points_that_share_step_and_time_are_all_kept(
    write_part: Write, import_: Import, make: Any, rows: Ask, server: Server
) -> None:
    twins = [make.point("m", 1, 5, value) for value in (1.0, 2.0, 2.0)]
    system = [make.point("monitoring/x/cpu", step, 5, float(step)) for step in (3, 4)]
    write_part([*twins, *system])
    # They are also detected across batches and parts.
    many = [make.point("m", step, 5, 0.0) for step in range(2, 140_000)]
    write_part([*many, *twins[:2], *system], [*twins, make.point("m", 3, 5, 9.0)], number=1)
    receipt = await import_(verify=True)
    assert receipt.ok
    assert receipt.types["float_series"].stored == 5 + 139_998 + 4 + 4
    alike = [value for path, step, _, value in rows(_POINTS) if (path, step) == ("m", 1)]
    assert sorted(alike) == [1.0] * 3 + [2.0] * 5
    ((points, total),) = rows("SELECT points, sum FROM series WHERE path = 'm'")
    assert (points, total) == (3 + 139_998 + 2 + 4, 1.0 * 3 + 2.0 * 5 + 9.0)
    listed = server.get("/api/metrics/runs/1/metric/m?step_max=1")["data"]
    assert len(listed) == 8
    before = rows(_POINTS)
    again = await import_()
    assert again.totals.already_there == again.totals.read
    assert rows(_POINTS) == before


async def test_system_metrics_are_on_the_time_axis_and_keep_their_steps(
    write_part: Write, import_: Import, make: Any, rows: Ask, server: Server
) -> None:
    write_part([make.point("monitoring/a b/cpu", step, 10 - step, float(step)) for step in (1, 2)])
    assert (await import_(verify=True)).ok
    assert rows("SELECT axis FROM series") == [("time",)]
    assert rows("SELECT timestamp, step FROM system_steps ORDER BY 1") == [(8000, 2), (9000, 1)]
    path = urllib.parse.quote("monitoring/a b/cpu")
    assert server.get(f"/api/metrics/runs/1/metric/{path}")["data"] == [
        {"step": None, "timestamp": "1970-01-01T00:00:00.008000Z", "value": 2.0},
        {"step": None, "timestamp": "1970-01-01T00:00:00.009000Z", "value": 1.0},
    ]


async def test_one_path_may_hold_numbers_and_texts(
    write_part: Write, import_: Import, make: Any, rows: Ask
) -> None:
    write_part(
        [
            make.point("m", 1, 5, 1.0),
            make.point("m", 1, 5, "one", "string_series"),
            make.point("m", 2, 6, "two", "string_series"),
        ]
    )
    receipt = await import_(verify=True)
    assert receipt.ok, receipt
    assert [value for *_, value in rows(_POINTS)] == [1.0, "one", "two"]


async def test_histograms_are_json(
    write_part: Write, import_: Import, make: Any, rows: Ask
) -> None:
    histogram = {"type": "OTHER", "edges": [0.0, math.inf], "values": [2.5]}
    write_part([make.point("h", 1, 5, histogram, "histogram_series")])
    assert (await import_(verify=True)).ok
    ((value, kind),) = rows("SELECT last_value, kind FROM series")
    assert json.loads(value) == {"type": "OTHER", "edges": [0.0, "Infinity"], "values": [2.5]}
    assert kind == "histogram"


async def test_parameters_keep_their_types(
    write_part: Write, import_: Import, make: Any, rows: Ask
) -> None:
    write_part(
        [
            make.param("f", "float", 1.0),
            make.param("inf", "float", math.inf),
            make.param("text", "string", "Infinity"),
            make.param("i", "int", -(2**63)),
            make.param("b", "bool", True),
            make.param("t", "datetime", 1_700_000_000_123),
            make.param("set", "string_set", ["b", "a", ""]),
            make.param("a/b", "string", "\0 ü"),
            make.param("absent", "int", None),
        ]
    )
    receipt = await import_(verify=True)
    assert receipt.ok
    assert receipt.totals.null == 1
    assert rows("SELECT key, value, type FROM configs ORDER BY key") == [
        ("a/b", '"\\u0000 ü"', None),
        ("b", "true", None),
        ("f", "1.0", None),
        ("i", "-9223372036854775808", None),
        ("inf", '"Infinity"', "float"),
        ("set", '["","a","b"]', "string_set"),
        ("t", '"2023-11-14T22:13:20.123Z"', "datetime"),
        ("text", '"Infinity"', None),
    ]


async def test_a_run_without_any_attribute_of_its_own(
    write_part: Write, import_: Import, make: Any, rows: Ask
) -> None:
    write_part([make.point("m", 1, 5, 1.0), make.point("m", 2, 7, 1.0)])
    assert (await import_()).ok
    assert rows("SELECT slug, name, state, created_at, updated_at FROM runs") == [
        ("r", None, "completed", 5000, 7000)
    ]


async def test_names_that_are_taken_and_projects_with_another_name(
    write_part: Write, import_: Import, make: Any, rows: Ask
) -> None:
    for project in ("w/p", "w/q"):
        for run in ("r", "r_part_0"):
            write_part([make.param("sys/name", "string", "same")], run=run, project=project)
    receipt = await import_(project_map={"w/p": "mine", "w/q": "mine"})
    assert receipt.ok
    assert receipt.projects["w/q"].name == "mine"
    assert rows("SELECT DISTINCT name FROM projects") == [("mine",)]
    assert rows("SELECT slug, name FROM runs ORDER BY id") == [
        ("r", "same"), ("r_part_0", "same"), ("r-2", "same"), ("r_part_0-2", "same"),
    ]  # fmt: skip


async def test_a_fork_whose_parent_is_not_in_the_export(
    write_part: Write, import_: Import, make: Any, rows: Ask, tmp_path: Path
) -> None:
    fork = [make.param("sys/forking/parent", "string", "parent"), make.point("m", 11, 5, 2.0)]
    write_part([*fork, make.param("sys/forking/step", "float", 10.0)], run="child")
    assert (await import_(verify=True)).ok
    ((uid, step),) = rows("SELECT fork_uid, fork_step FROM runs")
    assert repr(step) == "10"
    write_part([make.point("m", 1, 4, 1.0)], run="parent")
    assert (await import_()).ok
    assert rows("SELECT uid FROM runs WHERE slug = 'parent'") == [(uid,)]
