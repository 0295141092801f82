"""How a process on another machine begins a run, or resumes one."""

from __future__ import annotations

import msgspec

from trackai.ingest.attempts import Attempt  # noqa: TC001 - msgspec needs it
from trackai.ingest.launch import Process  # noqa: TC001 - msgspec needs it
from trackai.ingest.run_request import RunRequest  # noqa: TC001 - msgspec needs it


class Attach(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A process asks for a run. Its times are of its own clock."""

    request: RunRequest
    process: Process
    journal: str
    now: int
    begun_at: int


class Attached(msgspec.Struct, kw_only=True):
    """The run that a process may log to, and the server's clock."""

    attempt: Attempt
    time: int
