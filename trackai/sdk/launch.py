"""Launches: which processes log to a run together, rather than one after the other.

A process that resumes a run while another one still logs to it is either a rank of the same launch,
or a new attempt that supersedes the other, which may hang. It is a rank only if its environment has
a rank or TRACKAI_RUN_ID, or if one process has started the other.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.store.catalogue.writers import Writer

# multiprocessing, and the copy of it that pickles with dill.
_MULTIPROCESSING = ("multiprocessing", "multiprocess")


class Launch(msgspec.Struct, frozen=True):
    """What this process knows about the processes that log together with it.

    Attributes:
        facts: what the environment says, by name, including the "rank" of this process; and the
            "parent" that started it with multiprocessing.
        host: the name of this machine.
        lineage: the ids of this process and of its parents.
    """

    facts: Mapping[str, str]
    host: str
    lineage: frozenset[int]

    @classmethod
    def of_this_process(cls, facts: Mapping[str, str]) -> Launch:
        """The launch of this process, given what its environment says."""
        host, lineage = socket.gethostname(), {os.getpid(), os.getppid()}
        parent = multiprocessing_parent()
        if parent is not None:
            lineage.add(parent)
            facts = {**facts, "parent": f"{host}/{parent}"}
        return cls(facts, host, frozenset(lineage))

    def includes(self, writers: Sequence[Writer]) -> bool:
        """Whether this process logs together with the writers of an attempt."""
        if any(self._is_related(writer) for writer in writers):
            return True
        rank = self.facts.get("rank")
        if rank is not None and any(writer.launch.get("rank") == rank for writer in writers):
            return False  # a launch has each rank once
        return any(self._has_facts_of(writer) for writer in writers)

    def _is_related(self, writer: Writer) -> bool:
        """Whether the writer is this process or its parent, or has the same parent."""
        if writer.host == self.host and writer.pid in self.lineage:
            return True
        return "parent" in self.facts and self.facts["parent"] == writer.launch.get("parent")

    def _has_facts_of(self, writer: Writer) -> bool:
        mine, theirs = ({**facts, "parent": ""} for facts in (self.facts, writer.launch))
        # On some machines of a launch, some of the variables may be missing.
        common = mine.keys() & theirs.keys() - {"rank"}
        is_declared = len(mine) > 1 and len(theirs) > 1
        return is_declared and all(mine[name] == theirs[name] for name in common)


def multiprocessing_parent() -> int | None:
    """The id of the process that started this one with multiprocessing."""
    for package in multiprocessing_modules():
        return int(sys.modules[f"{package}.process"].parent_process().pid)
    return None


def multiprocessing_modules() -> list[str]:
    """The packages like multiprocessing that have started this process; usually none."""
    return [
        package
        for package in _MULTIPROCESSING
        if (module := sys.modules.get(f"{package}.process")) is not None
        and module.parent_process() is not None
    ]
