"""Write an export in the format of neptune-exporter, for benchmarks and experiments."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PROJECT = "acme/llm-pretrain"
SCHEMA = pa.schema(
    [
        ("project_id", pa.string()),
        ("run_id", pa.string()),
        ("attribute_path", pa.string()),
        ("attribute_type", pa.string()),
        ("step", pa.decimal128(18, 6)),
        ("timestamp", pa.timestamp("ms", "UTC")),
        ("int_value", pa.int64()),
        ("float_value", pa.float64()),
        ("string_value", pa.string()),
        ("bool_value", pa.bool_()),
        ("datetime_value", pa.timestamp("ms", "UTC")),
        ("string_set_value", pa.list_(pa.string())),
        ("file_value", pa.struct([("path", pa.string())])),
        (
            "histogram_value",
            pa.struct(
                [
                    ("type", pa.string()),
                    ("edges", pa.list_(pa.float64())),
                    ("values", pa.list_(pa.float64())),
                ]
            ),
        ),
    ]
)
_METRICS = [
    "train/loss", "train/grad_norm", "train/lr", "train/tokens_per_second", "val/loss",
    *(f"train/layers/{layer:02}/act_std" for layer in range(13)),
    "monitoring/1a2b3c4d/gpu_0", "monitoring/1a2b3c4d/cpu",
]  # fmt: skip


def _table(run: str, rows: int, **columns: pa.Array | pa.DictionaryArray) -> pa.Table:
    columns = {
        "project_id": pa.array([PROJECT] * rows),
        "run_id": pa.array([run] * rows),
        **columns,
    }
    return pa.table(
        {field.name: columns.get(field.name, pa.nulls(rows, field.type)) for field in SCHEMA},
        schema=SCHEMA,
    )


def _parameters(run: str) -> pa.Table:
    values: list[tuple[str, str, dict[str, object]]] = [
        ("sys/name", "string", {"string_value": run}),
        ("sys/creation_time", "datetime", {"datetime_value": 1_741_944_413_589}),
        ("sys/modification_time", "datetime", {"datetime_value": 1_741_951_613_589}),
        ("sys/failed", "bool", {"bool_value": False}),
        ("sys/tags", "string_set", {"string_set_value": ["bench"]}),
    ]
    values += [(f"config/{n}", "float", {"float_value": n / 7}) for n in range(20)]
    names = sorted({name for *_, value in values for name in value})
    return _table(
        run,
        len(values),
        attribute_path=pa.array([path for path, *_ in values]),
        attribute_type=pa.array([type_ for _, type_, _ in values]),
        **{
            name: pa.array([value.get(name) for *_, value in values], SCHEMA.field(name).type)
            for name in names
        },
    )


def _points(run: str, points: int, seed: int) -> pa.Table:
    """Build rows in Neptune 3's order: the first step of every metric, then the second ones."""
    metrics = len(_METRICS)
    steps = np.repeat(np.arange(-(-points // metrics), dtype=np.int64), metrics)[:points]
    micro = np.zeros(2 * points, dtype=np.int64)
    micro[::2] = steps * 1_000_000
    names = pa.array(
        np.tile(np.arange(metrics, dtype=np.int32), len(steps) // metrics + 1)[:points]
    )
    values = np.random.default_rng(seed).standard_normal(points)
    return _table(
        run,
        points,
        attribute_path=pa.DictionaryArray.from_arrays(names, _METRICS).cast(pa.string()),
        attribute_type=pa.array(["float_series"] * points),
        step=pa.Array.from_buffers(pa.decimal128(18, 6), points, [None, pa.py_buffer(micro)]),
        timestamp=pa.array(1_741_944_413_589 + steps * 250, pa.int64()).cast(
            pa.timestamp("ms", "UTC")
        ),
        float_value=pa.array(values),
    )


def make(path: Path, runs: int, rows: int) -> int:
    """Write an export.

    Args:
        runs: the number of runs.
        rows: the number of rows of all runs together.

    Returns:
        The number of rows that were written.
    """
    folder = path / "data" / "acme_llm-pretrain-412c7e5281579a70"
    folder.mkdir(parents=True)
    written = 0
    for number in range(runs):
        run = f"run-{number:04}"
        parameters = _parameters(run)
        points = rows // runs - parameters.num_rows
        name = f"{run}-{number:016x}_part_0.parquet"
        with pq.ParquetWriter(folder / name, SCHEMA, compression="snappy") as writer:
            for table in (parameters, _points(run, points, number)):
                writer.write_table(table, row_group_size=len(table))
                written += table.num_rows
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--runs", type=int, default=200, help="[default: 200]")
    parser.add_argument("--rows", type=int, default=5_000_000, help="in total [default: 5000000]")
    arguments = parser.parse_args()
    print(make(arguments.path, arguments.runs, arguments.rows), "rows")
