"""The card of a run in a notebook, which updates while the run is being logged."""

from __future__ import annotations

import contextvars
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from trackai.guard import guarded
from trackai.reading.card import card
from trackai.reading.local_source import LocalSource
from trackai.sdk.config import flat_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai.reading.source import Source
    from trackai.sdk.config import Config

# Between two updates, and longer if an update takes more than this share of the time.
_SECONDS = 1.0
_SHARE = 0.05
# What is logged is stored within this time.
_SETTLE_SECONDS = 3.0
# Other processes may log to the run.
_LONGEST_SECONDS = 15.0
# Outputs of cells that are updated: the latest ones, if a cell shows the run in a loop.
_MAX_OUTPUTS = 4
# How long the end of a run waits for the last update.
_FINISH_SECONDS = 2.0


class LoggedRun(Protocol):
    """A run that is being logged."""

    id: int
    config: Config

    @property
    def is_finished(self) -> bool:
        """Whether nothing can be logged any more."""

    @property
    def is_stopped(self) -> bool:
        """Whether everything is stored."""


class LiveCard:
    """The outputs of cells that show a run. A thread updates them until the run finishes.

    A cell never waits for a server, and never fails because of its card.
    """

    def __init__(self, run: LoggedRun, source: Source, last_logged: Callable[[], int]) -> None:
        """Make a card; nothing is shown yet.

        Args:
            source: reads where the run is stored.
            last_logged: returns when something was last logged.
        """
        self._run, self._source, self._last_logged = run, source, last_logged
        self._outputs: list[Any] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()

    def show(self) -> None:
        """Show the card as the output of the current cell."""
        from IPython import display

        is_local = isinstance(self._source, LocalSource)
        html = self._html(logged=True) if is_local else "<i>reading the run ...</i>"
        output = display.display(  # type: ignore[no-untyped-call]
            self._content(html), raw=True, display_id=True
        )
        with self._lock:
            self._outputs = [*self._outputs[1 - _MAX_OUTPUTS :], output]
            if self._thread is None or not self._thread.is_alive():
                # With the context of the cell, to which its updates belong.
                context = contextvars.copy_context()
                self._thread = threading.Thread(
                    target=context.run, args=(self._keep_current,), daemon=True, name="trackai-card"
                )
                self._thread.start()
        if not is_local:
            self._wake.set()

    def finish(self) -> None:
        """Show the end of the run."""
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_FINISH_SECONDS)

    def _keep_current(self) -> None:
        shown_at, shown = time.monotonic(), -1
        pause = _SECONDS
        while True:
            is_asked = self._wake.wait(pause)
            self._wake.clear()
            if not threading.main_thread().is_alive():
                return
            started = time.monotonic()
            is_last = self._run.is_finished
            stamp = self._last_logged()
            if stamp != shown:
                changed_at = started
            is_settled = started - changed_at > _SETTLE_SECONDS
            if is_asked or is_last or not is_settled or started - shown_at > _LONGEST_SECONDS:
                self._update()
                shown_at, shown = started, stamp
            if is_last and self._run.is_stopped:
                return
            pause = max(_SECONDS, (time.monotonic() - started) / _SHARE)

    def _update(self) -> None:
        # No thread can be started when the interpreter ends.
        with guarded("updating the card of a run"), suppress(RuntimeError):
            content = self._content(self._html())
            for output in self._outputs:
                output.update(content, raw=True)

    def _html(self, *, logged: bool = False) -> str:
        """The card.

        Args:
            logged: with the configuration as it was logged, of which the database may not have all.
        """
        config = None
        if logged:
            from msgspec.json import decode

            config = {key: decode(text) for key, text in flat_json(self._run.config).items()}
        return card(self._source, self._run.id, repr(self._run), config)

    def _content(self, html: str) -> dict[str, str]:
        return {"text/html": html, "text/plain": repr(self._run)}
