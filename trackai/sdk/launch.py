"""What this process is: by which package it was started, and what it is launched together with."""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import TYPE_CHECKING

from trackai.ingest.launch import Launch, Process
from trackai.values.uids import new_uid

if TYPE_CHECKING:
    from collections.abc import Mapping

# multiprocessing, and the copy of it that pickles with dill.
_MULTIPROCESSING = ("multiprocessing", "multiprocess")
_STARTED_AT = time.time_ns() // 1000


def this_process(facts: Mapping[str, str]) -> Process:
    """This process as a new writer, given what its environment says about its launch."""
    host, lineage = socket.gethostname(), {os.getpid(), os.getppid()}
    parent = multiprocessing_parent()
    if parent is not None:
        lineage.add(parent)
        facts = {**facts, "parent": f"{host}/{parent}"}
    return Process(
        writer_uid=new_uid(),
        run_uid=new_uid(),
        pid=os.getpid(),
        started_at=_STARTED_AT,
        launch=Launch(facts, host, frozenset(lineage)),
    )


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
