"""The run that a script asks for: what `trackai.init` was called with, checked."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Resume = Literal["never", "allow", "must"]


class Moment(NamedTuple):
    """The end of a step of a run.

    Attributes:
        run_id: the id of the run.
        step: its last step that counts.
    """

    run_id: str
    step: int


class RunRequest(msgspec.Struct, kw_only=True, frozen=True):
    """The run that a script asks for.

    Attributes:
        project: the name of the project, which is created if it does not exist.
        name: the name of the run; None makes one up.
        group: the group of a new run.
        resume: whether to create a run, resume one, or either; see `trackai.init`.
        run_id: the id of the run; several processes that pass the same one log to one run.
        rank: the place of this process among them; None takes the next free one.
        launch: what the environment says about the processes that log together with this one.
        tags: tags to add to the run.
        notes: notes that replace those of the run; None leaves them.
        sync_each: wait after each call of `log` until it is on the disk.
        config: the configuration that a strict script passes, JSON by flat key.
        resume_from: the step after which the resumed run is continued; later ones are superseded.
        fork_from: the step of a run that a new run continues.
        strict: raise errors about what cannot be logged, instead of leaving it out.
    """

    project: str
    name: str | None
    group: str | None
    resume: Resume
    run_id: str | None = None
    rank: int | None = None
    launch: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    notes: str | None = None
    sync_each: bool = False
    config: dict[str, str] = {}
    resume_from: Moment | None = None
    fork_from: Moment | None = None
    strict: bool = False
