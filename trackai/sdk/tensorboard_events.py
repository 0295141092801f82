"""`init(sync_tensorboard=True)`: logs what writers of TensorBoard write in this process.

The writers of PyTorch and of tensorboardX hand every event to an `EventFileWriter`. While a run is
synced, its method also logs the values of the event. TensorFlow's own writers are not in Python.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError, MissingExtraError
from trackai.guard import guarded
from trackai.importers.tensorboard import values
from trackai.sdk.histogram import Histogram
from trackai.sdk.media import Media
from trackai.values.logger import logger

if TYPE_CHECKING:
    from trackai.sdk.run import Run

_WRITERS = ("tensorboard.summary.writer.event_file_writer", "tensorboardX.event_file_writer")

_synced: list[_SyncedRun] = []
_lock = threading.Lock()


def sync(run: Run) -> None:
    """Log to a run what is written to event files in this process, until it finishes."""
    modules = [name for name in _WRITERS if importlib.util.find_spec(name.partition(".")[0])]
    if not modules:
        logger.warning(
            "sync_tensorboard: neither tensorboard nor tensorboardX is installed; nothing is synced"
        )
    if "tensorflow" in sys.modules:
        logger.warning(
            "sync_tensorboard: what TensorFlow's own writers write is not synced; use "
            "trackai import tensorboard"
        )
    for name in modules:
        _patch(importlib.import_module(name).EventFileWriter)
    with _lock:
        _synced[:] = [synced for synced in _synced if not synced.run.is_finished]
        _synced.append(_SyncedRun(run))


def _patch(writer: Any) -> None:
    original = writer.add_event
    if hasattr(original, "__wrapped__"):
        return

    @wraps(original)
    def add_event(self: Any, event: Any) -> Any:
        result = original(self, event)
        for synced in [*_synced]:
            with guarded("syncing an event of TensorBoard"):
                synced.log(str(self.get_logdir()), event)
        return result

    writer.add_event = add_event


class _SyncedRun:
    """A run, and the folders that are written to in its time."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._root: Path | None = None
        # By name: only the first value of a tag names its plugin.
        self._plugins: dict[str, str] = {}

    def log(self, folder: str, event: Any) -> None:
        """Log the values of an event."""
        if self.run.is_finished or event.WhichOneof("what") != "summary":
            return
        prefix = self._prefix(Path(folder))
        logged: dict[str, Any] = {}
        for value in event.summary.value:
            name = prefix + value.tag
            plugin = value.metadata.plugin_data
            self._plugins.setdefault(name, plugin.plugin_name)
            if plugin.plugin_name == "hparams":
                self._set_hparams(name, plugin.content)
            elif (content := self._content(name, value)) is not None:
                logged[name] = content
        if logged:
            self.run.log(logged, event.step)

    def _prefix(self, folder: Path) -> str:
        """What names of a folder begin with: nothing in the first folder that is written to."""
        folder = folder.absolute()
        if self._root is None:
            self._root = folder
        if folder == self._root:
            return ""
        is_inside = folder.is_relative_to(self._root)
        return (folder.relative_to(self._root).as_posix() if is_inside else folder.name) + "/"

    def _set_hparams(self, name: str, content: bytes) -> None:
        try:
            from trackai.importers.tensorboard.hparams import Hparams
        except ImportError:
            error = MissingExtraError("reading hyperparameters", "tensorboard")
            return self.run._left_out.add(f"metric {name!r}", error)
        hparams = Hparams()
        hparams.add(content)
        if hparams.config:
            self.run.config.update(hparams.config)
        return None

    def _content(self, name: str, value: Any) -> Any:
        content = values.decode(value, self._plugins[name])
        match content:
            case values.Number() | values.Text():
                return content.value
            case values.Histogram():
                stored = msgspec.json.decode(content.value)
                return Histogram(np_histogram=(stored["values"], stored["edges"]))
            case values.Media():
                return [Media(data, f".{values.extension(data)}") for data in content.files]
            case values.Unsupported():
                error = InvalidInputError(name, content.reason)
                self.run._left_out.add(f"metric {name!r}", error)
        return None
