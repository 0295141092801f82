"""Where a run is kept: which file, or which server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trackai.errors import TrackAIError
from trackai.ingest.reader import JournalReader
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trackai.reading.source import Source
    from trackai.store.points.series import MetricSummary
    from trackai.values.types import Value


class Place(NamedTuple):
    """A database file, unless there is the address of a server."""

    db_path: Path
    server_url: str | None = None

    def source(self) -> Source:
        """What reads there. Few scripts read while they log, so that this imports late."""
        if self.server_url is not None:
            from trackai.reading.remote_source import RemoteSource
            from trackai.settings import Settings

            return RemoteSource(self.server_url, Settings.from_env().api_key)
        from trackai.reading.local_source import LocalSource

        return LocalSource(self.db_path)

    def last_values(self, run_uid: str, run_id: int) -> dict[str, Value] | None:
        """The last value of each metric of a run with steps; None if the run was deleted.

        A server has a row id of its own for the run; a file may have been replaced.

        Raises:
            TrackAIError: they cannot be read.
        """
        from trackai.reading.local_source import LocalSource

        source = self.source()
        if isinstance(source, LocalSource):
            run = source.find_by_uid(run_uid)
            run_id = 0 if run is None else run.id
        return _last_values(source.figures(run_id)) if run_id else None


def _last_values(figures: Iterable[MetricSummary]) -> dict[str, Value]:
    from trackai.reading.history import from_json

    return {
        metric.path: metric.last if metric.kind == "text" else from_json(metric.last)
        for metric in figures
        if metric.axis == "step"
    }


class LastValues:
    """The last values of a run where it is kept, read again only after something was logged.

    What waits for a server is read from the journals.
    """

    def __init__(self, place: Place, run_uid: str, run_id: int) -> None:
        self._place = place
        self._run_uid = run_uid
        self._run_id = run_id
        self._values: dict[str, Value] = {}
        self._read_at = -1

    def read(
        self, stamp: int, store: Callable[[], None], journals: Iterable[Path]
    ) -> dict[str, Value]:
        """Return the last value of each metric.

        Args:
            stamp: the timestamp of the last logged call; the values are read once for each.
            store: store what has been logged so far, if possible.
            journals: those whose points a server may not have yet.
        """
        if stamp == self._read_at:
            return self._values
        if self._place.server_url is None:
            store()
        try:
            values = self._place.last_values(self._run_uid, self._run_id)
        except TrackAIError as error:
            if self._place.server_url is None:
                logger.warning("could not read the summary of the run: %s", error)
                return self._values
            values = {}  # a key may only log; the journals have what this process has logged
        if values is None and self._place.server_url is None:  # the run was deleted
            return self._values
        self._values = {**self._values, **(values or {})}
        if self._place.server_url is not None:
            self._values.update(_logged(journals))
        self._read_at = stamp
        return self._values


def _logged(journals: Iterable[Path]) -> dict[str, Value]:
    """The last values in journals."""
    steps: dict[str, float] = {}
    values: dict[str, Value] = {}
    for path in journals:
        reader = JournalReader(path)
        try:
            while batch := reader.read():
                for column in batch.columns():
                    if column.axis != "step":
                        continue
                    for step, value in zip(column.steps, column.values, strict=True):
                        if step >= steps.get(column.path, step):
                            steps[column.path], values[column.path] = step, value
        except OSError:  # sent and removed meanwhile
            continue
    return values
