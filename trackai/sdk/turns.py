"""Short turns of the interpreter's lock while points are being stored.

A Python thread that computes keeps the lock for 5 ms after another one has asked for it. Storing a
batch gives the lock away about forty times: in each long statement, and on each way to SQLite's
thread and back. Beside a main thread that never rests, each of them waits 5 ms to go on. In turn,
`log()` waits up to 5 ms after its write while the drain computes.

The length of a turn belongs to the process. It is shortened only while a batch is stored, and left
alone if the program has chosen another one meanwhile, or a shorter one before.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trackai.sdk import fork

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORT_SECONDS = 0.001

# How many runs store at this moment, and the length of a turn otherwise; None if it stays as it is.
_storing = 0
_usual: float | None = None


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads take turns every millisecond. Only for the thread of the event loop."""
    global _storing, _usual
    if not _storing:
        usual = sys.getswitchinterval()
        _usual = usual if usual > _SHORT_SECONDS else None
        if _usual is not None:
            sys.setswitchinterval(_SHORT_SECONDS)
    _storing += 1
    try:
        yield
    finally:
        _storing -= 1
        if not _storing:
            _restore()


def _restore() -> None:
    # Whole microseconds are kept: the product may differ in the last bit.
    if _usual is not None and abs(sys.getswitchinterval() - _SHORT_SECONDS) < 1e-7:
        sys.setswitchinterval(_usual)


def _restore_in_child() -> None:
    global _storing
    if _storing:
        _storing = 0
        _restore()


fork.call_in_child(_restore_in_child)
