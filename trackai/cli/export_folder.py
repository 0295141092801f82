"""trackai export wandb, mlflow and tensorboard"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from trackai.cli.database import with_database
from trackai.cli.export_runs import converter, write_runs, write_runs_of_server
from trackai.cli.output import echo_lines, pluralize, print_json
from trackai.errors import TrackAIError
from trackai.exporters.folder import Folder
from trackai.exporters.received import ReceivedFiles
from trackai.exporters.summary import Summary
from trackai.exporters.trackers import open_exporter
from trackai.importers.receipt_text import listing

if TYPE_CHECKING:
    from trackai.cli.export_runs import Chosen
    from trackai.reading.remote_source import RemoteSource
    from trackai.store.engine.store import Store
    from trackai.structs.exchange import FileHead


def export_folder(
    format_: str,
    out: Path,
    chosen: Chosen,
    server: RemoteSource | None,
    db: str | None,
    *,
    as_json: bool,
) -> None:
    """Write runs to a folder as another tracker writes them, and print what was written.

    Raises:
        ConflictError: the folder exists, and is not one of this tracker or has one of the runs.
    """
    summary = Summary(str(out), format_)
    folder = Folder(out)

    async def work(database: Store) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            copies = _Copies(database, Path(temporary, "copy"))
            exporter = open_exporter(format_, folder, copies.find, summary)
            await write_runs(database, chosen, exporter)

    try:
        if server is None:
            with_database(db, work)
        else:
            received = ReceivedFiles(folder.staging / "received.part")
            exporter = open_exporter(format_, folder, received.find, summary)
            write_runs_of_server(server, chosen, converter(exporter, received.add))
            received.close()
        folder.publish()
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, TrackAIError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise TrackAIError(f"cannot write {out}: {reason}") from None
    finally:
        folder.discard()
    if as_json:
        print_json(**msgspec.to_builtins(summary))
    else:
        echo_lines("\n".join(_lines(summary)))


class _Copies:
    """The bytes of files as files: those of a bucket are copied, one at a time."""

    def __init__(self, database: Store, path: Path) -> None:
        self._database, self._path = database, path

    def find(self, head: FileHead) -> Path | None:
        """Return a path of the bytes of a file that is valid until the next call."""
        stored = self._database.blobs.find(head.sha256)
        if stored is None or isinstance(stored, Path):
            return stored
        self._path.unlink(missing_ok=True)  # it may have been linked
        with stored.open("rb") as source, self._path.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        return self._path


def _lines(summary: Summary) -> list[str]:
    counts = (
        pluralize(summary.runs, "run"),
        pluralize(summary.points, "point"),
        pluralize(summary.files, "file"),
    )
    remarks = [f"{item.where}: {item.remark}" for item in summary.remarks]
    return [f"{summary.folder}: {', '.join(counts)}", *listing("remark", remarks)]
