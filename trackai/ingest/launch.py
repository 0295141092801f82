"""Launches: which processes log to a run together, rather than one after the other.

A process that resumes a run while another one still logs to it is either a rank of the same launch,
or a new attempt that supersedes the other, which may hang. It is a rank only if its environment has
a rank or TRACKAI_RUN_ID, or if one process has started the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.catalogue.writers import Writer


class Launch(msgspec.Struct, frozen=True):
    """What a process knows about the processes that log together with it.

    Attributes:
        facts: what the environment says, by name, including the "rank" of the process; and the
            "parent" that started it with multiprocessing.
        host: the name of its machine.
        lineage: the ids of the process and of its parents.
    """

    facts: Mapping[str, str]
    host: str
    lineage: frozenset[int]

    def includes(self, writers: Sequence[Writer]) -> bool:
        """Whether the process logs together with the writers of an attempt."""
        if any(self._is_related(writer) for writer in writers):
            return True
        rank = self.facts.get("rank")
        if rank is not None and any(writer.launch.get("rank") == rank for writer in writers):
            return False  # a launch has each rank once
        return any(self._has_facts_of(writer) for writer in writers)

    def _is_related(self, writer: Writer) -> bool:
        """Whether the writer is the process or its parent, or has the same parent."""
        if writer.host == self.host and writer.pid in self.lineage:
            return True
        return "parent" in self.facts and self.facts["parent"] == writer.launch.get("parent")

    def _has_facts_of(self, writer: Writer) -> bool:
        mine, theirs = ({**facts, "parent": ""} for facts in (self.facts, writer.launch))
        # On some machines of a launch, some of the variables may be missing.
        common = mine.keys() & theirs.keys() - {"rank"}
        is_declared = len(mine) > 1 and len(theirs) > 1
        return is_declared and all(mine[name] == theirs[name] for name in common)


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process that is about to log to a run.

    Attributes:
        writer_uid: its identity as a writer, 32 hexadecimal digits.
        run_uid: the identity of the run, if it is created for this process.
        pid: its process id.
        started_at: microseconds since the epoch; writers that ended later ran beside it.
        launch: what it knows about the processes that log together with it.
    """

    writer_uid: str
    run_uid: str
    pid: int
    started_at: int
    launch: Launch
