"""Threads of their own for work with bytes: a place that does not answer holds up nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_THREADS = 40
_limiter: RunVar[CapacityLimiter] = RunVar("trackai-blobs")


async def in_thread(work: Callable[..., T], *arguments: object) -> T:
    """Call a function of a `BlobStore` in a thread."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(_THREADS)
        _limiter.set(limiter)
    return await run_sync(work, *arguments, limiter=limiter)
