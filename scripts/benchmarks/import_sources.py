"""Writes the files of trackers as they write them, but faster, for benchmarks of imports."""

from __future__ import annotations

import random
import sqlite3
import struct
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from trackai.importers.wandb.messages import Items, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METRICS = 10
STARTED_AT = 1_700_000_000
_SECONDS_PER_STEP = 0.01
_BLOCK = 32 * 1024
_POINTS_PER_RUN = 1_000_000
# The tables of MLflow 3.17.
_MLFLOW_TABLES = """
    CREATE TABLE alembic_version (
        version_num VARCHAR(32) NOT NULL,
        CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    );
    INSERT INTO alembic_version VALUES ('dc11669786a5');
    CREATE TABLE experiments (
        experiment_id INTEGER NOT NULL, name VARCHAR(256) NOT NULL,
        artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32), creation_time BIGINT,
        last_update_time BIGINT, workspace VARCHAR(63) DEFAULT 'default' NOT NULL,
        CONSTRAINT experiment_pk PRIMARY KEY (experiment_id),
        CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
    );
    INSERT INTO experiments VALUES (1, 'bench', '', 'active', 0, 0, 'default');
    CREATE TABLE runs (
        run_uuid VARCHAR(32) NOT NULL, name VARCHAR(250), source_type VARCHAR(20),
        source_name VARCHAR(500), entry_point_name VARCHAR(50), user_id VARCHAR(256),
        status VARCHAR(9), start_time BIGINT, end_time BIGINT, source_version VARCHAR(50),
        lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER,
        deleted_time BIGINT, CONSTRAINT run_pk PRIMARY KEY (run_uuid),
        FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
    );
    CREATE TABLE metrics (
        "key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
        run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL,
        is_nan BOOLEAN DEFAULT '0' NOT NULL,
        CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan),
        FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), CHECK (is_nan IN (0, 1))
    );
    CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
    CREATE INDEX index_metrics_run_uuid_key_step ON metrics (run_uuid, "key", step);
    CREATE TABLE latest_metrics (
        "key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT, step BIGINT NOT NULL,
        is_nan BOOLEAN NOT NULL, run_uuid VARCHAR(32) NOT NULL,
        CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid)
    );
    CREATE TABLE params (
        "key" VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL, run_uuid VARCHAR(32) NOT NULL,
        CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid)
    );
    CREATE TABLE tags (
        "key" VARCHAR(250) NOT NULL, value VARCHAR(8000), run_uuid VARCHAR(32) NOT NULL,
        CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid)
    );
"""


def write_wandb(folder: Path, points: int) -> None:
    """Write the folder of an offline run of wandb 0.31, with two summaries before each row."""
    path = folder / "offline-run-20231114_221320-bench" / "run-bench.wandb"
    path.parent.mkdir(parents=True)
    generator = random.Random(0)
    with path.open("wb") as file:
        log = _Log(file)
        run = Record(run={"run_id": "bench", "project": "bench"})
        run.run.start_time.seconds = STARTED_AT
        log.add(run.SerializeToString())
        for step in range(points // METRICS):
            items = list(_items(step, generator))
            generator.shuffle(items)  # as a map of Go does
            row = Items(update=items)
            summary = row.SerializeToString()
            runtime = Items()
            runtime.update.add(nested_key=["_wandb", "runtime"], value_json=str(step // 100))
            runtime.update.add(key="_runtime", value_json=str(step // 100))
            log.add(Record(summary=runtime.SerializeToString()).SerializeToString())
            log.add(Record(summary=row.SerializeToString()).SerializeToString())
            history = summary + b"\x12" + _step(step)
            log.add(Record(history=history).SerializeToString())
        log.add(Record(exit={"runtime": 1}).SerializeToString())


def _items(step: int, generator: random.Random) -> Iterator[dict[str, object]]:
    seconds = step * _SECONDS_PER_STEP
    own = {"_step": step, "_timestamp": STARTED_AT + seconds, "_runtime": seconds}
    logged = {f"metric_{number}": generator.random() for number in range(METRICS)}
    for name, value in {**own, **logged}.items():
        yield {"nested_key": [name], "value_json": repr(value)}


def _step(step: int) -> bytes:
    """Return the length and the content of a message with a number, which is absent if it is 0."""
    digits = bytearray()
    while step:
        step, digit = step >> 7, step & 0x7F
        digits.append(digit | (0x80 if step else 0))
    return bytes([len(digits) + 1, 0x08]) + digits if digits else b"\0"


class _Log:
    """Writes records in the format of LevelDB."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = file.write(b":W&B\xe1\xbe\x00")

    def add(self, record: bytes) -> None:
        is_first = True
        while record or is_first:
            room = _BLOCK - self._position % _BLOCK
            if room < 7:
                self._position += self._file.write(bytes(room))
                room = _BLOCK
            data, record = record[: room - 7], record[room - 7 :]
            kind = (2 if record else 1) if is_first else (3 if record else 4)
            checksum = zlib.crc32(data, zlib.crc32(bytes([kind])))
            header = struct.pack("<IHB", checksum, len(data), kind)
            self._position += self._file.write(header + data)
            is_first = False


def write_mlflow(path: Path, points: int) -> None:
    """Write a database of MLflow 3.17, with runs of a million points."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_MLFLOW_TABLES)
        for number, first in enumerate(range(0, points, _POINTS_PER_RUN)):
            run = f"{number:032x}"
            connection.execute(
                "INSERT INTO runs VALUES (?, ?, 'LOCAL', '', '', 'me', 'FINISHED', ?, ?, '', "
                "'active', '', 1, NULL)",
                (run, run, STARTED_AT * 1000, STARTED_AT * 1000 + 1),
            )
            rows = _mlflow_rows(run, min(_POINTS_PER_RUN, points - first))
            connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", rows)
        connection.commit()


def _mlflow_rows(run: str, points: int) -> Iterator[tuple[object, ...]]:
    generator = random.Random(0)
    for number in range(points):
        step, metric = divmod(number, METRICS)
        time = STARTED_AT * 1000 + round(step * _SECONDS_PER_STEP * 1000)
        yield f"metric_{metric}", generator.random(), time, run, step
