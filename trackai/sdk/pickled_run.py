"""Copies of a run: `copy`, `pickle` and what builds on them, such as `torch.save`.

In the process that logs the run, and in processes forked from it, a copy is the run itself. In any
other process the run can be read, but not logged to: two processes that log to one run must both
call `init`, so that each has a journal.
"""

from __future__ import annotations

import copyreg
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from trackai.errors import NoActiveRunError
from trackai.sdk import fork
from trackai.sdk.config import Config, flat_json
from trackai.sdk.left_out import LeftOut
from trackai.sdk.place import LastValues, Place
from trackai.sdk.run import Run
from trackai.sdk.summary import Summary
from trackai.values.nesting import nested

if TYPE_CHECKING:
    from collections.abc import Callable

# Attributes of a run that its copy has, too.
_COPIED = (
    "id", "run_id", "_name", "_tags", "_notes", "group", "project", "url", "resumed", "beginning",
)  # fmt: skip


class PickledRun(Run):
    """A run that was pickled in another process. It can be read; logging to it raises an error."""

    def __init__(self, state: dict[str, Any]) -> None:
        vars(self).update({name: state[name] for name in _COPIED})
        self._state = state
        self._place = Place(Path(state["db_path"]), state["server_url"])
        self._finished = True
        self._background = None
        self.webhooks = None
        self._lock = threading.RLock()
        self._last_timestamp = 0
        self._next_step = state["step"]
        self._last_values = LastValues(self._place, state["run_uid"], state["id"])
        self._left_out = LeftOut(strict=True)
        self.config = Config(nested(state["config"]), self._refuse, self._left_out)
        self.summary = Summary(self._refuse, self._read_summary)

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NoActiveRunError(
            f"run {self.run_id!r} was pickled in another process: to log to it here, call "
            f"trackai.init(project={self.project!r}, id={self.run_id!r}) in this process"
        )

    _log = _append_record = _refuse
    save = log_artifact = monitor = _refuse

    @property
    def dir(self) -> str:
        self._refuse()


def restore(writer_uid: str, state: dict[str, Any]) -> Run:
    """Return the run of a pickle: the run itself if this process logs to it."""
    for run in fork.watched():
        journal = getattr(run, "_journal", None)
        if journal is not None and writer_uid in {
            journal.opened.writer_uid,
            journal.opened.parent,
        }:
            assert isinstance(run, Run)  # noqa: S101 - nothing else has a journal
            return run
    return PickledRun(state)


def _reduce(run: Run) -> tuple[Callable[..., Run], tuple[str, dict[str, Any]]]:
    opened = run._journal.opened
    state = {name: getattr(run, name) for name in _COPIED}
    state["db_path"], state["server_url"] = str(run._place.db_path), run._place.server_url
    state["step"] = run.step
    state["run_uid"] = opened.run_uid
    # As stored: a configuration may contain objects that cannot be pickled.
    texts = flat_json(run.config)
    state["config"] = {key: msgspec.json.decode(text) for key, text in texts.items()}
    return restore, (opened.writer_uid, state)


def _reduce_again(run: PickledRun) -> tuple[Callable[..., Run], tuple[str, dict[str, Any]]]:
    return restore, ("", run._state)


copyreg.pickle(Run, _reduce)
copyreg.pickle(PickledRun, _reduce_again)  # type: ignore[arg-type]
