"""Write migrations/snapshots, the schema after all migrations: `python scripts/snapshot_schema.py`.

A new database gets the schema of the snapshot at once, and then the migrations after it. So a
snapshot stays right when a migration is added, and is renewed only to make `init` faster.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from trackai.store.engine.migrate import folder, migrations

# What the migrations insert into an empty database.
ROWS = """
INSERT INTO arrivals (
    series_id, writer_id, first_step, last_step, first_timestamp, last_timestamp
)
VALUES (0, 0, 0, 0, 0, 0);
"""


def main() -> None:
    """Replace the snapshot."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.create_function("casefold", 1, str.casefold, deterministic=True)
        connection.create_function("matches", 2, str.__contains__, deterministic=True)
        connection.create_function("json_text", 1, str, deterministic=True)
        for migration in migrations():
            connection.executescript(migration.sql)
        statements = [
            sql
            for (sql,) in connection.execute(
                """
                SELECT sql FROM sqlite_master
                WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
                ORDER BY rowid
                """
            )
        ]
    last = migrations()[-1]
    snapshots = folder() / "snapshots"
    snapshots.mkdir(exist_ok=True)
    for former in snapshots.glob("*.sql"):
        former.unlink()
    snapshots.joinpath(f"{last.name}.sql").write_text(
        f"-- The schema after {last.name}.sql, by scripts/snapshot_schema.py.\n\n"
        + "".join(f"{sql};\n\n" for sql in statements)
        + ROWS.lstrip(),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
