"""Files of several runs: their paths, the steps of a path, and the files of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.catalogue import files
from trackai.store.engine.sql import json_array
from trackai.structs.records import FilesOfRun, FileSteps, SharedFilePath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.values.types import Step

_COLUMNS = ", ".join(f"numbered.{name}" for name in files.COLUMNS.split(", "))


async def list_paths(
    conn: Connection, run_ids: Sequence[int], *, search: str | None, limit: int
) -> list[SharedFilePath]:
    """The paths under which at least one of the runs has files, sorted.

    Args:
        search: only paths that contain this text, in upper or lower case.
    """
    # The function is called for each file, and slow.
    matches = "instr(casefold(path), ?) > 0" if search else "TRUE"
    rows = await conn.execute_fetchall(
        f"""
        SELECT path, count(DISTINCT run_id), count(*), min(name), min(step), max(step)
        FROM files
        WHERE run_id IN (SELECT value FROM json_each(?)) AND {matches}
        GROUP BY path
        ORDER BY path
        LIMIT ?
        """,
        (json_array(run_ids), *([search.casefold()] if search else []), limit),
    )
    return [SharedFilePath(*row) for row in rows]


async def list_steps(
    conn: Connection, run_ids: Sequence[int], path: str, *, limit: int
) -> FileSteps:
    """The steps at which at least one of the runs has files with this path, sorted.

    Of more steps than `limit`, evenly spaced ones and the last are returned.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT step, total FROM (
            SELECT
                step,
                row_number() OVER (ORDER BY step) - 1 AS place,
                count(*) OVER () AS total
            FROM (
                SELECT DISTINCT step FROM files
                WHERE run_id IN (SELECT value FROM json_each(?))
                  AND path = ? AND step IS NOT NULL
            ) AS logged
        ) AS numbered
        WHERE place % ((total + ?) / ?) = 0 OR place = total - 1
        ORDER BY step
        """,
        (json_array(run_ids), path, limit - 1, limit),
    )
    steps = list(rows)
    return FileSteps([step for step, _ in steps], steps[0][1] if steps else 0)


async def list_at(
    conn: Connection, run_ids: Sequence[int], path: str, step: Step | None, *, limit: int
) -> list[FilesOfRun]:
    """For each run that has files with this path, those at a step, or the last ones before it.

    Args:
        step: None for the last step of each run. Files without a step come before all steps.
        limit: the most files of a run, in the order in which they were logged.
    """
    until = "TRUE" if step is None else "step <= ?"
    rows = await conn.execute_fetchall(
        f"""
        WITH shown AS (
            SELECT
                run_id,
                max(CASE WHEN {until} THEN step END) AS step,
                min(step) AS first_step
            FROM files
            WHERE run_id IN (SELECT value FROM json_each(?)) AND path = ?
            GROUP BY run_id
        ),
        numbered AS (
            SELECT
                files.*,
                row_number() OVER (
                    PARTITION BY files.run_id ORDER BY files.timestamp NULLS FIRST, files.id
                ) AS place,
                count(*) OVER (PARTITION BY files.run_id) AS total
            FROM files
            JOIN shown ON shown.run_id = files.run_id
            WHERE path = ? AND ifnull(files.step, -9e999) = ifnull(shown.step, -9e999)
        )
        SELECT shown.run_id, first_step, total, {_COLUMNS}
        FROM shown
        LEFT JOIN numbered ON numbered.run_id = shown.run_id AND place <= ?
        ORDER BY shown.run_id, place
        """,
        (*(() if step is None else (step,)), json_array(run_ids), path, path, limit),
    )
    result: dict[int, FilesOfRun] = {}
    for run_id, first_step, total, *columns in rows:
        of_run = result.setdefault(run_id, FilesOfRun(run_id, first_step, total or 0, []))
        if total is not None:
            of_run.files.append(files.record(*columns))
    return [*result.values()]
