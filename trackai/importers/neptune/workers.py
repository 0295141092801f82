"""Processes that read the parts of an export while this process stores them.

Only they import pyarrow. Each handles one request at a time and waits while its pipe is full, so
the use of memory does not depend on the size of the export.
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
from trackai.importers.neptune.messages import Batch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from multiprocessing.connection import Connection

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from trackai.importers.neptune.messages import Answer, Request


def serve(pipe: Connection) -> None:
    """Answer requests until the pipe is closed; None marks the end of the answers to each."""
    if threading.current_thread() is threading.main_thread():
        # An interrupt ends the process that stores, which closes the pipe.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    from trackai.importers.neptune.part_reader import answer

    with pipe, suppress(EOFError, OSError):
        while True:
            for message in answer(pipe.recv()):
                pipe.send(message)
            pipe.send(None)


class Workers:
    """A pool of processes that read; use it as a context manager.

    Args:
        number: the number of processes; 0 uses a thread instead.
    """

    def __init__(self, number: int) -> None:
        self._pipes: list[Connection] = []
        self._number = number
        self._processes: list[Any] = []

    def __enter__(self) -> Workers:
        # Not fork: this process has threads.
        context = multiprocessing.get_context("spawn")
        if self._number == 0:
            pipe, worker_pipe = context.Pipe()
            threading.Thread(target=serve, args=(worker_pipe,), daemon=True).start()
            self._pipes.append(pipe)
        for _ in range(self._number):
            pipe, worker_pipe = context.Pipe()
            process = context.Process(target=serve, args=(worker_pipe,), daemon=True)
            process.start()
            worker_pipe.close()
            self._pipes.append(pipe)
            self._processes.append(process)
        return self

    def __exit__(self, *error: object) -> None:
        # Before the pipes are closed: a thread that waits for an answer then reads end-of-file.
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
        """Send requests, and iterate over the answers in the order of the requests.

        One answer of each process is fetched in advance.

        Yields:
            An iterator over the position of the request, and one of its answers.
        """
        try:
            async with anyio.create_task_group() as tasks:
                streams = []
                for position, pipe in enumerate(self._pipes):
                    share = requests[position :: len(self._pipes)]
                    send, receive = anyio.create_memory_object_stream[Any](1)
                    tasks.start_soon(_fetch, pipe, share, send)
                    streams.append(receive)
                try:
                    yield _in_order(streams, len(requests))
                finally:
                    for stream in streams:
                        stream.close()
                    tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # the others follow from it


def _receive(pipe: Connection) -> Any:
    message = pipe.recv()
    if isinstance(message, Batch):
        # This runs while SQLite works in another thread, without the interpreter's lock.
        for points in message.points:
            points.make_lists()
    return message


async def _fetch(
    pipe: Connection, requests: Sequence[Request], stream: MemoryObjectSendStream[Any]
) -> None:
    """Send the requests to a worker, two in advance, and its answers to the stream."""
    async with stream:
        for request in requests[:2]:
            pipe.send(request)
        for position in range(len(requests)):
            while True:
                try:
                    message = await run_sync(_receive, pipe, abandon_on_cancel=True)
                except EOFError:
                    raise TrackAIError(
                        "a process that reads the export has died, perhaps for lack of memory; "
                        "use --jobs 1 to read with one process"
                    ) from None
                if message is None:
                    break
                await stream.send(message)
            await stream.send(None)
            if position + 2 < len(requests):
                pipe.send(requests[position + 2])


async def _in_order(
    streams: list[MemoryObjectReceiveStream[Any]], number: int
) -> AsyncIterator[tuple[int, Answer]]:
    for position in range(number):
        stream = streams[position % len(streams)]
        while (message := await stream.receive()) is not None:
            yield position, message
