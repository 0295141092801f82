"""Where a run is stored: the database on this machine, or a server.

A run appends to its journal, and a `Recorder` moves what is in the journal to its destination.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trackai.ingest.attempts import Attempt
    from trackai.ingest.drain import JournalDrain
    from trackai.ingest.journal import JournalWriter
    from trackai.ingest.run_request import RunRequest


class Begun(NamedTuple):
    """A run that has begun: its journal, and what moves the first file of it."""

    attempt: Attempt
    journal: JournalWriter
    drain: JournalDrain


class Destination(ABC):
    """Where the points of a run are stored. Only one task may use it at a time.

    Attributes:
        spool: the folder of the journal.
        name: what it is, for messages.
        later: when points that could not be stored will be stored, for messages.
        poll_seconds: how often the journal is looked at for new points.
        patience: how many seconds `finish` waits without any progress; None without a limit.
        closes_for_forks: whether it must be closed while the process forks.
        is_offline: whether the run has begun although it did not answer, which has been said.
    """

    spool: Path
    name: str
    later: str
    poll_seconds = 0.2
    patience: float | None = None
    closes_for_forks = False
    is_offline = False

    @property
    def progress(self) -> int:
        """A number that grows while points move."""
        return 0

    @property
    def is_down(self) -> bool:
        """Whether it has not answered for a while, so that waiting for it is of little use."""
        return False

    @abstractmethod
    async def begin(self, request: RunRequest) -> Begun:
        """Open it, and create or resume the run.

        Raises:
            NotFoundError: `resume` is "must", and the run does not exist.
            ConflictError: `resume` is "never", and there is a run with this id.
            InvalidInputError: the run has logged a step that is too large to count on from.
            StoreBusyError: it may be tried again.
            StoreError: it cannot be used.
        """

    def load(self) -> None:  # noqa: B027 - nothing to do
        """Import what moves points; `begin` does without it."""

    @abstractmethod
    async def close(self) -> None:
        """Close its files and connections; the next use opens them again."""

    @abstractmethod
    async def drain(self, path: Path, after: str) -> JournalDrain:
        """What moves a further journal of the run, after the journal with this name."""

    async def forget(self, path: Path) -> None:  # noqa: B027 - nothing to do
        """A journal has been stored and removed."""

    @abstractmethod
    async def collect(self, paths: Sequence[Path]) -> None:
        """Store and remove the journals of those forked processes that have ended."""

    async def look_after(self, drain: JournalDrain) -> None:  # noqa: B027 - nothing to do
        """Do what is due from time to time; `drain` moves the newest journal."""

    @abstractmethod
    async def find_successor(self, drain: JournalDrain) -> str | None:
        """The process that has resumed the run, for messages; None without any."""

    async def settle(self, *, thoroughly: bool) -> bool:
        """Make points that have been moved as safe as they will be; False if readers prevent it."""
        return True

    async def finish(self) -> None:  # noqa: B027 - nothing to do
        """Nothing is left to do with the run."""

    async def work_beside(self) -> None:  # noqa: B027 - nothing to do
        """Work beside the run, until this is cancelled."""

    @abstractmethod
    def how_to_store(self, paths: str) -> str:
        """How to store journals that are not in the spool folder, for messages."""

    def pause_after(self, error: Exception, pause: float) -> float:
        """How many seconds to wait after an error, given the pause before it."""
        return self.poll_seconds
