"""Processes that read parts while this one stores what they have read.

pyarrow is imported only there. A process does one thing after the other and stops when its pipe
is full, so that what lies in memory does not depend on how much there is to read.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync

from trackai.errors import TrackAIError
from trackai.importers.neptune.batches import Batch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from multiprocessing.connection import Connection

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from trackai.importers.neptune.batches import Answer, Request


def serve(pipe: Connection) -> None:
    """Answer requests until the pipe is closed; each answer ends with None."""
    if threading.current_thread() is threading.main_thread():
        # An interrupt is for the process that stores: when it ends, so does the pipe.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    from trackai.importers.neptune.reading import answer

    with pipe, suppress(EOFError, OSError):
        while True:
            for one in answer(pipe.recv()):
                pipe.send(one)
            pipe.send(None)


class Workers:
    """Some reading processes, or a thread for 0 of them; use it as a context manager."""

    def __init__(self, number: int) -> None:
        self._pipes: list[Connection] = []
        self._number = number
        self._processes: list[Any] = []

    def __enter__(self) -> Workers:
        context = multiprocessing.get_context("spawn")  # threads are running here
        if self._number == 0:
            ours, theirs = context.Pipe()
            threading.Thread(target=serve, args=(theirs,), daemon=True).start()
            self._pipes.append(ours)
        for _ in range(self._number):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        return self

    def __exit__(self, *error: object) -> None:
        # They end first: a thread that still waits for an answer then sees the end of the pipe.
        for process in self._processes:
            process.terminate()
            process.join()
            process.close()
        for pipe in self._pipes:
            pipe.close()

    @asynccontextmanager
    async def ask(
        self, requests: Sequence[Request]
    ) -> AsyncIterator[AsyncIterator[tuple[int, Answer]]]:
        """The answers to requests, in their order, each with its request's position.

        One answer of each process is fetched ahead.
        """
        async with anyio.create_task_group() as tasks:
            streams = []
            for position, pipe in enumerate(self._pipes):
                mine = requests[position :: len(self._pipes)]
                send, receive = anyio.create_memory_object_stream[Any](1)
                tasks.start_soon(_fetch, pipe, mine, send)
                streams.append(receive)
            try:
                yield _in_order(streams, len(requests))
            finally:
                for stream in streams:
                    stream.close()
                tasks.cancel_scope.cancel()


def _receive(pipe: Connection) -> Any:
    one = pipe.recv()
    if isinstance(one, Batch):
        # Here it costs nothing: SQLite is busy in another thread, without the interpreter's lock.
        for points in one.points:
            points.make_lists()
    return one


async def _fetch(
    pipe: Connection, requests: Sequence[Request], stream: MemoryObjectSendStream[Any]
) -> None:
    async with stream:
        for ahead in requests[:2]:
            pipe.send(ahead)
        for position in range(len(requests)):
            while True:
                try:
                    one = await run_sync(_receive, pipe, abandon_on_cancel=True)
                except EOFError:
                    raise TrackAIError(
                        "a process that reads the export has died: is there enough memory?"
                    ) from None
                if one is None:
                    break
                await stream.send(one)
            await stream.send(None)
            if position + 2 < len(requests):
                pipe.send(requests[position + 2])


async def _in_order(
    streams: list[MemoryObjectReceiveStream[Any]], number: int
) -> AsyncIterator[tuple[int, Answer]]:
    for position in range(number):
        stream = streams[position % len(streams)]
        while (one := await stream.receive()) is not None:
            yield position, one
